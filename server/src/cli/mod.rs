//! The command line. Each command calls the same verb or read as the pages do, in words for a terminal.
mod audit;
mod check;
mod enrol;
mod plan;
mod serve;
mod token;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use domain::audit::{Door, Origin};
use domain::policy::{Actor, ActorName, Membership, Role};
use portal::Portal;

use crate::config::{Config, ConfigError};

/// Guides a release from a commit to production, and keeps the record straight.
#[derive(Parser)]
#[command(name = "fairlead", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the portal: pages, REST, websockets and the engine
    Serve(ConfigArg),
    /// Read manifests and print every problem as file:line:column: key: message; advice
    Check {
        /// Manifests, such as projects/shop.toml
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print what a deploy would do now, without doing it
    Plan(plan::PlanArgs),
    /// Servers that projects are deployed to
    Host {
        #[command(subcommand)]
        command: HostCommand,
    },
    /// API tokens, for programs
    Token(token::TokenArgs),
    /// The audit trail
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Subcommand)]
enum HostCommand {
    /// Print the fingerprint of a server's key, to be pinned in the manifest
    Enrol {
        /// Name or IP address, and the SSH port where it is not 22
        #[arg(value_name = "ADDRESS[:PORT]")]
        address: String,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check every chain of the trail and name the first event that is not what it was
    Verify(ConfigArg),
}

#[derive(Args)]
struct ConfigArg {
    /// The server's configuration
    #[arg(long, value_name = "FILE", env = "FAIRLEAD_CONFIG")]
    config: PathBuf,
}

/// How a command ended, when it did not end well.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// It did its work and found problems, which it has printed. Exit code 1.
    #[error("{0}")]
    Problems(String),
    /// It could not do its work. Exit code 1.
    #[error(transparent)]
    Portal(#[from] portal::Error),
    /// The same, in other words.
    #[error("{0}")]
    Failed(String),
    /// The command line is wrong. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong. Exit code 2.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody can read the answer.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Problems(_) | Failure::Portal(_) | Failure::Failed(_) | Failure::Output(_) => {
                1
            }
            Failure::Usage(_) | Failure::Config(_) => 2,
        }
    }

    /// The message, with the cause of what is hidden from pages: whoever is at this terminal may read it.
    fn message(&self) -> String {
        match self {
            Failure::Portal(portal::Error::Internal(cause)) => cause.to_string(),
            other => other.to_string(),
        }
    }
}

/// Runs the command that the process was started with. Exit codes: 0 well, 1 problems or failure, 2 usage or
/// configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return complain(&Failure::Failed(format!(
                "the program cannot start its threads: {error}"
            )));
        }
    };
    let mut out = io::stdout().lock();
    let done = runtime.block_on(run(cli.command, &mut out));
    // What still runs in the background must not hold back the exit.
    runtime.shutdown_background();
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure),
    }
}

fn complain(failure: &Failure) -> ExitCode {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "fairlead: {}", failure.message());
    ExitCode::from(failure.code())
}

async fn run(command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Serve(ConfigArg { config }) => serve::serve(&config).await,
        Command::Check { files } => check::check(&files, out),
        Command::Plan(args) => plan::plan(args, out).await,
        Command::Host {
            command: HostCommand::Enrol { address },
        } => enrol::enrol(&address, out).await,
        Command::Token(args) => token::token(args, out).await,
        Command::Audit {
            command: AuditCommand::Verify(ConfigArg { config }),
        } => audit::verify(&config, out).await,
    }
}

/// The portal beside the one that may be running.
async fn portal_beside(config: &Path) -> Result<Portal, Failure> {
    let config = Config::load(config)?;
    Ok(Portal::open_beside(config.portal().await?).await?)
}

/// Whoever has a shell here could read and change every file of the portal, so they may do everything.
fn operator() -> Actor {
    let account = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let account = account.unwrap_or_else(|_| "somebody".to_owned());
    Actor {
        name: ActorName::Operator { account },
        memberships: vec![Membership {
            project: None,
            role: Role::Admin,
        }],
    }
}

fn origin() -> Origin {
    Origin {
        door: Door::Cli,
        address: None,
        request: None,
    }
}
