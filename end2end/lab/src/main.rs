//! `lab up | stop | down | status`: real targets on one machine for the tests and the demo.
use clap::{Parser, Subcommand};
use lab::{LabError, down, folder::Folder, layout::Environment, progress::Progress, standins, up};
use std::{io::Write, process::ExitCode};

/// Real targets on one machine: six droplets, two registries, a database, GitHub and Slack stand-ins.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Starts what does not run yet.
    Up {
        /// Starts only this environment's droplets.
        #[arg(long)]
        only: Option<Environment>,
    },
    /// Stops everything, to go on where it was on the next `up`.
    Stop,
    /// Stops and removes everything, with the history of the portal that deployed to it; keeps the images.
    Down {
        /// Removes the images, too, unless they lie in the cache of the lab's own engine.
        #[arg(long)]
        images: bool,
    },
    /// Shows what runs, and where.
    Status,
    /// Makes the images, and leaves nothing running that did not run before.
    Images,
    /// Serves the GitHub stand-in and the Slack sink in the foreground; `up` starts it in the background.
    ServeStandins,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse().action).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(action: Action) -> Result<(), LabError> {
    let folder = Folder::of_this_checkout()?;
    let progress = Progress::start();
    match action {
        Action::Up { only } => up::up(&folder, only, progress).await.map(drop),
        Action::Stop => down::stop(&folder, progress).await,
        Action::Down { images } => down::down(&folder, images, progress).await,
        Action::Images => up::images(&folder, progress).await,
        Action::Status => {
            let table = up::status(&folder).await?;
            let _ = std::io::stdout().write_all(table.as_bytes());
            Ok(())
        }
        Action::ServeStandins => {
            tracing_subscriber::fmt()
                .with_writer(std::io::stderr)
                .init();
            standins::serve(&folder).await
        }
    }
}
