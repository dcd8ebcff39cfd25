//! The commands, one after the other in one container.
use std::time::Duration;

use adapters::docker::{LogCursor, LogLine};
use adapters::reports::{LONGEST, Output};
use adapters::ssh::{Command, Source};
use domain::Ms;
use domain::log::Stream;
use store::NewLine;
use tokio::time::timeout;

use super::super::StepError;
use super::bench::Bench;
use super::results::{Ended, Results};
use crate::engine::log::{Log, LogError};

/// Where the source is in a container of another image.
const SOURCE: &str = "/fairlead/source";
/// The command that the container's next start runs.
const COMMAND: &str = "/fairlead/command";
/// How long the last look at the output of a command that was stopped may take.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Makes the container, not yet started, and brings the source into it where its image has none.
pub(super) async fn prepare(bench: &Bench<'_>, image: String) -> Result<String, StepError> {
    let (work, test) = (bench.work, bench.test);
    let with_source = !test.is_in_built_image();
    let mut spec = bench.container(&image, &test.env)?;
    spec.entrypoint = vec!["sh".into(), COMMAND.into()];
    if with_source {
        spec.workdir = Some(SOURCE.into());
        // The source belongs to root; tests write beside it.
        spec.user = Some("0".into());
    }
    // Not cut off half-way, as with the services.
    work.check()?;
    let id = bench.engine.create(&bench.network(), &spec).await?;
    if with_source {
        let folder = test.dir.as_deref().unwrap_or(".");
        bench.doing("the source was still being copied to the builder");
        bench.say(format!(
            "testing {} of {} in {image}",
            folder,
            work.scene.plan.commit.sha.short()
        ));
        let copying = async {
            let mirror = work.scene.mirror().await?;
            let archive = mirror.archive(&work.scene.plan.commit.sha, folder).await?;
            bench.engine.unpack(&id, SOURCE, archive).await?;
            Ok::<(), StepError>(())
        };
        work.unless_halted(copying).await?;
    } else {
        bench.say(format!("testing in {image}"));
    }
    Ok(id)
}

/// Runs the commands until one fails, which is then given.
pub(super) async fn run(
    bench: &Bench<'_>,
    container: &str,
    results: &mut Results,
) -> Result<Option<Ended>, StepError> {
    let mut reading = Reading {
        bench,
        container,
        cursor: LogCursor::default(),
        heard: Heard::default(),
    };
    // Another image works where the source is.
    let within = bench.test.dir.as_ref();
    let within = within.filter(|_| bench.test.is_in_built_image());
    for command in &bench.test.run {
        bench.work.check()?;
        bench.doing(format!("`{command}` was still at work"));
        bench.say(format!("$ {command}"));
        let script = match within {
            Some(dir) => {
                let enter = Command::new("cd").args(["--", dir]);
                format!("{enter} || exit\n{command}\n")
            }
            None => format!("{command}\n"),
        };
        bench.engine.write_file(container, COMMAND, &script).await?;
        bench.engine.start(container).await?;
        let ended = bench.work.unless_halted(reading.run_out()).await;
        if ended.is_err() && !matches!(ended, Err(StepError::Lost)) {
            bench.work.still_drives().await?;
            reading.last_look().await;
        }
        results.printed(std::mem::take(&mut reading.heard).report());
        let code = ended?;
        if code != 0 {
            let found = bench.engine.inspect(container).await?;
            return Ok(Some(Ended {
                command: command.clone(),
                code,
                out_of_memory: found.is_some_and(|found| found.out_of_memory),
            }));
        }
    }
    Ok(None)
}

/// The container's output on its way into the log and to those who understand it.
struct Reading<'b> {
    bench: &'b Bench<'b>,
    container: &'b str,
    cursor: LogCursor,
    heard: Heard,
}

impl Reading<'_> {
    /// Reads until the command has ended, and gives its status.
    async fn run_out(&mut self) -> Result<i64, StepError> {
        self.read(true).await?;
        Ok(self.bench.engine.wait(self.container).await?)
    }

    /// Stops a command that does not end, so that the line that it was in the middle of comes out, which may name the
    /// test that hangs.
    async fn last_look(&mut self) {
        let looking = async {
            let engine = &self.bench.engine;
            engine.kill(self.container, "SIGKILL").await?;
            engine.wait(self.container).await?;
            self.read(false).await
        };
        // What is not read by then is not worth holding up the clearing.
        let _ = timeout(LAST_LOOK, looking).await;
    }

    async fn read(&mut self, follow: bool) -> Result<(), StepError> {
        let (engine, log) = (&self.bench.engine, &self.bench.work.log);
        let logs = engine.logs(self.container, self.cursor, follow, log.redactor());
        let mut logs = logs.await?;
        while let Some(batch) = logs.next().await? {
            self.cursor = logs.cursor();
            let heard = &mut self.heard;
            let lines = batch.iter().map(|line| heard.line(line, log)).collect();
            // The tests start afresh after a restart, so nobody goes on from here.
            match log.lines(lines, String::new()).await {
                // A log that cannot be kept is no fault of the tests.
                Ok(()) | Err(LogError::Unstored(_)) => {}
                Err(LogError::LostLease) => return Err(StepError::Lost),
            }
        }
        Ok(())
    }
}

/// What a command printed, stream by stream: lines of both may come in any order.
#[derive(Default)]
struct Heard {
    out: Output,
    err: Output,
}

impl Heard {
    fn line(&mut self, line: &LogLine, log: &Log) -> NewLine {
        let mut text = String::from_utf8_lossy(&line.text).into_owned();
        // A report shortens what is this long, and half a secret is one that nobody knows.
        if text.len() > LONGEST {
            log.clean(&mut text);
        }
        let stream = match line.source {
            Source::Stdout => Stream::Out,
            Source::Stderr => Stream::Err,
        };
        match line.source {
            Source::Stdout => self.out.line(&text),
            Source::Stderr => self.err.line(&text),
        }
        NewLine {
            at: Ms(line.at_ns / 1_000_000),
            stream,
            text,
        }
    }

    fn report(self) -> Option<domain::report::TestReport> {
        let both = [self.out.report(), self.err.report()];
        both.into_iter().flatten().reduce(|a, b| a.and(b))
    }
}
