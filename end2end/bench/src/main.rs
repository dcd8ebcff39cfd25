//! `make bench`: measures what Fairlead must reach and prints one table. Everything that is compared is measured in
//! turns in the same run, since a machine is faster one minute and slower the next.
mod browser;
mod droplet;
mod portal;
mod report;
mod rows;
mod sample;
mod seed;
mod site;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tokio::sync::OnceCell;

use crate::droplet::Server;
use crate::portal::Portal;
use crate::report::Line;
use crate::sample::Sample;
use crate::seed::Long;
use crate::site::Site;

/// Measures what Fairlead must reach. The lab must be up, and the portal and its site built.
#[derive(Parser)]
struct Args {
    /// Only this row; may be given several times
    #[arg(long = "row", value_name = "NAME")]
    rows: Vec<Row>,
    /// How often each thing is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The portal's program
    #[arg(long, default_value = "target/release/fairlead")]
    portal: PathBuf,
    /// The web UI's files
    #[arg(long, default_value = "target/site-release")]
    files: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Click to healthy, against the ssh command line and the bare Docker API
    Deploy,
    /// A line from stdout to 50 viewers, and the portal's memory before and meanwhile
    Live,
    /// 200,000 lines into the store, against `docker logs` over ssh
    Flood,
    /// A log of 1,000,000 lines in a browser
    OpenLog,
    /// The size of the web UI's program, as it is served
    Wasm,
    /// The board's page with 1,000 runs in the store
    Board,
    /// A push of the sample project with nothing to rebuild, to healthy
    Push,
    /// The same with a line of the backend changed, against the commands by hand
    Change,
    /// The sample project's unchanged tree in another environment
    Promote,
    /// The portal's share of a processor while a build prints 5,000 lines a second
    Chatty,
    /// Ten projects at once, and the portal's memory meanwhile
    Crowd,
    /// From `make demo` to its URL, where everything is built and the lab is stopped
    Demo,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let rows = if args.rows.is_empty() {
        Row::value_variants().to_vec()
    } else {
        args.rows.clone()
    };
    say(&format!("load of this machine before: {}", load()))?;
    let site = Site::prepare()?;
    let server = Server::of(&site).await?;
    let bench = Bench {
        args,
        site,
        server,
        history: OnceCell::new(),
    };
    let mut lines = Vec::new();
    for row in rows {
        say(&format!("measuring {row:?}"))?;
        match bench.measure(row).await {
            Ok(measured) => lines.extend(measured),
            Err(error) => lines.push(Line::failed(&format!("{row:?}"), &error)),
        }
    }
    say(&format!("load of this machine after: {}\n", load()))?;
    say(&report::table(&lines))?;
    // A missed bar is for people to judge; a number that is not there means that something is broken.
    let broken = lines.iter().any(Line::is_failed);
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

struct Bench {
    args: Args,
    site: Site,
    server: Server,
    history: OnceCell<Long>,
}

impl Bench {
    /// Each row has a portal and a database of its own, so that the order of the rows does not matter.
    async fn measure(&self, row: Row) -> Result<Vec<Line>> {
        let Self {
            args, site, server, ..
        } = self;
        site.empty()?;
        let start = || Portal::start(site, &args.portal, &args.files);
        match row {
            Row::Deploy => rows::deploy::measure(site, server, &start().await?, args.rounds).await,
            Row::Live => rows::live::measure(site, server, &start().await?).await,
            Row::Flood => rows::flood::measure(site, server, &start().await?, args.rounds).await,
            Row::Push | Row::Change | Row::Promote => {
                let sample = Sample::prepare(site).await?;
                let portal = start().await?;
                let measured = match row {
                    Row::Push => rows::sample::push(&sample, &portal, args.rounds).await,
                    Row::Change => rows::sample::change(&sample, &portal, args.rounds).await,
                    _ => rows::sample::promote(&sample, &portal, args.rounds).await,
                };
                sample.clean().await?;
                measured
            }
            Row::Chatty => rows::chatty::measure(server, &start().await?).await,
            Row::Crowd => rows::crowd::measure(server, &start().await?).await,
            Row::Wasm => {
                let long = self.with_history().await?;
                let _portal = start().await?;
                rows::wasm::measure(site, &args.files, long.run).await
            }
            Row::Demo => rows::demo::measure().await,
            Row::OpenLog => {
                let long = self.with_history().await?;
                let _portal = start().await?;
                rows::open_log::measure(site, long, args.rounds).await
            }
            Row::Board => {
                self.with_history().await?;
                let _portal = start().await?;
                rows::board::measure(site).await
            }
        }
    }

    /// Gives the next portal a long history. It is written once and copied.
    async fn with_history(&self) -> Result<&Long> {
        let write = async || {
            let began = Instant::now();
            let long = seed::history(&self.site).await?;
            say(&format!(
                "  wrote a history of {} runs in {:.0} s",
                seed::RUNS,
                began.elapsed().as_secs_f64()
            ))?;
            Ok::<_, anyhow::Error>(long)
        };
        let long = self.history.get_or_try_init(write).await?;
        self.site.take_history()?;
        Ok(long)
    }
}

/// The machine's load averages over 1, 5 and 15 minutes.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
