//! Brings a component's database up to date from its host, before anything is deployed.
//!
//! A migration is the one part of a run that cannot be undone or simply repeated. It is started once, and neither a lost
//! connection nor the end of the portal ends it: on the host it is a detached command, or a container, that is found
//! again by its name. Whoever comes back reads on where the log ends. A cancelled run lets it come to its end; only the
//! time limit terminates it. Where nobody can tell how far it came, the step fails and asks, and nothing runs it again.
mod container;
mod host;
mod place;
mod record;
mod script;

use std::time::Duration;

use domain::log::Stream;
use domain::manifest::{Component, Migrate};
use domain::plan::Plan;
use domain::report::Content;
use domain::run::RunState;
use domain::step::Outcome;
use domain::{ComponentName, HostName};
use store::NewLine;

use self::place::{Ending, News, Place, Seen};
use self::record::{End, Record, Stage};
use self::script::{Told, script};
use super::{Halt, StepError, Work};

/// Between two questions to a host that does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a host may take to terminate a migration, and then to tell its last words.
const STOPPING: Duration = Duration::from_secs(60);

pub(super) async fn migrate(
    work: &Work,
    component: &ComponentName,
    host: &HostName,
) -> Result<Outcome, StepError> {
    let described = work.scene.manifest.components.get(component);
    let described = described.ok_or_else(|| {
        StepError::fatal(format!("the manifest describes no component `{component}`"))
    })?;
    let wanted = described.migrate.as_ref().ok_or_else(|| {
        StepError::fatal(format!(
            "the manifest describes no migration of {component}"
        ))
    })?;
    let record = Record::load(work).await?;
    if let Some(end) = record.end {
        return outcome(component, end);
    }
    work.all_pushed()?;
    let mut migration = Migration {
        work,
        name: component,
        component: described,
        wanted,
        record,
        told_to_wait: false,
        away: false,
    };
    match migration.run(host).await {
        Ok(end) => outcome(component, end),
        Err(error) => Err(migration.explained(error)),
    }
}

fn outcome(component: &ComponentName, end: End) -> Result<Outcome, StepError> {
    let End {
        status,
        success,
        before,
        after,
    } = end;
    if success {
        return Ok(Outcome::Migrated { before, after });
    }
    Err(StepError::advised(
        format!("the migration of {component} ended with {status}"),
        "its own lines in the step's log say why. Nothing was deployed, what ran before goes on; but the database may be half migrated: look at it, mend the migration and start a new run",
    ))
}

/// Whether a note was stored. One that cannot be is no reason to leave a migration that runs to itself, or to call it
/// failed; another portal that has taken over is.
fn stored(noted: Result<(), StepError>) -> Result<bool, StepError> {
    match noted {
        Ok(()) => Ok(true),
        Err(StepError::Lost) => Err(StepError::Lost),
        Err(_) => Ok(false),
    }
}

/// What a migration on the host is called there.
pub(super) fn called(plan: &Plan, component: &ComponentName, key: &str) -> String {
    let Plan {
        project,
        environment,
        ..
    } = plan;
    format!("{project}-{environment}-{component}-{key}")
}

/// What a migration finds in its environment.
fn variables(work: &Work, wanted: &Migrate) -> Vec<(&'static str, String)> {
    let plan = &work.scene.plan;
    let mut variables = vec![
        ("FAIRLEAD_PROJECT", plan.project.to_string()),
        ("FAIRLEAD_ENVIRONMENT", plan.environment.to_string()),
        ("FAIRLEAD_COMMIT", plan.commit.sha.to_string()),
        ("FAIRLEAD_RUN", work.scene.run.to_string()),
    ];
    variables.extend(wanted.dir.clone().map(|dir| (script::DIR, dir)));
    variables
}

/// What an answer was.
enum Asked<T> {
    Answer(T),
    /// There was none, or something else came first; ask again.
    Nothing,
    /// The time limit has passed.
    TooLate,
}

struct Migration<'w> {
    work: &'w Work,
    name: &'w ComponentName,
    component: &'w Component,
    wanted: &'w Migrate,
    record: Record,
    /// It was said that a cancelled run waits.
    told_to_wait: bool,
    /// It was said that the host does not answer.
    away: bool,
}

/// Asks until there is an answer.
macro_rules! ask {
    ($self:ident, $question:expr) => {
        loop {
            match $self.ask($question).await? {
                Asked::Answer(answer) => break answer,
                Asked::Nothing => {}
                Asked::TooLate => return Err(StepError::Halted { undone: None }),
            }
        }
    };
}

impl<'w> Migration<'w> {
    async fn run(&mut self, host: &HostName) -> Result<End, StepError> {
        let Self {
            work,
            name,
            component,
            wanted,
            ..
        } = *self;
        let record = self.record.clone();
        let open = || Place::open(work, name, component, wanted, host, &record);
        let (mut place, seen) = if record.stage == Stage::New {
            let place = work.unless_halted(open()).await?;
            let seen = work.unless_halted(place.look()).await?;
            (place, seen)
        } else {
            let place = ask!(self, open());
            let seen = ask!(self, place.look());
            (place, seen)
        };
        match (seen, self.record.stage) {
            (Seen::There, _) => work.log.say(format!(
                "the migration is there, {}; following it",
                place.described()
            )),
            (Seen::Absent, Stage::Started) => {
                return Err(self.unknown(
                    &place,
                    "nothing is left of it: somebody removed it on the host",
                ));
            }
            (Seen::Absent, Stage::New | Stage::Asked) => {
                self.record.stage = Stage::New;
                self.start(&place).await?;
            }
        }
        if self.record.stage != Stage::Started {
            self.record.stage = Stage::Started;
            self.keep("the migration runs".into()).await?;
        }
        match self.follow(&mut place).await? {
            Ending::Exit { success, status } => self.end(&place, success, status).await,
            Ending::Unknown(why) => Err(self.unknown(&place, &why)),
        }
    }

    /// Starts it, unless somebody wants the run to stop: this is the last moment at which it can.
    async fn start(&mut self, place: &Place<'w>) -> Result<(), StepError> {
        let work = self.work;
        let image = work.unless_halted(place.prepare()).await?;
        work.check()?;
        if work.run.state == RunState::Cancelling {
            return Err(StepError::Halted { undone: None });
        }
        let script = script(self.wanted);
        for line in self.wanted.run.lines() {
            work.log.say(format!("$ {line}"));
        }
        self.record.stage = Stage::Asked;
        let said = format!("starting the migration {}", place.described());
        self.record.keep(work, said).await?;
        // Where the host was away for so long that another portal took the run over, that one has started it, and may
        // have removed what it left.
        ask!(self, async {
            work.still_drives().await?;
            place.start(&image, &script).await
        });
        Ok(())
    }

    /// Moves its lines into the log until it has ended, and terminates it when the time is up.
    async fn follow(&mut self, place: &mut Place<'w>) -> Result<Ending, StepError> {
        loop {
            match self.ask(place.next()).await? {
                Asked::Answer(news) => {
                    if let Some(end) = self.take(place, news).await? {
                        return Ok(end);
                    }
                }
                Asked::Nothing => {}
                Asked::TooLate => return self.terminate(place).await,
            }
        }
    }

    async fn take(
        &mut self,
        place: &Place<'w>,
        News { lines, end }: News,
    ) -> Result<Option<Ending>, StepError> {
        place.note(&mut self.record);
        let mut told = Told::default();
        let lines: Vec<NewLine> = lines
            .into_iter()
            .filter_map(|line| {
                let text = told.take(&line.text)?.to_owned();
                Some(NewLine { text, ..line })
            })
            .collect();
        if !lines.is_empty() {
            stored(self.record.write(self.work, lines).await)?;
        }
        Ok(end)
    }

    async fn keep(&self, said: String) -> Result<bool, StepError> {
        stored(self.record.keep(self.work, said).await)
    }

    async fn terminate(&mut self, place: &mut Place<'w>) -> Result<Ending, StepError> {
        let halted = |undone: &str| StepError::Halted {
            undone: Some(undone.to_owned()),
        };
        // One that was away for too long would terminate what its successor follows.
        let driving = tokio::time::timeout(STOPPING, self.work.still_drives()).await;
        if matches!(driving, Ok(Err(StepError::Lost))) {
            return Err(StepError::Lost);
        }
        self.work
            .log
            .say("the time is up: terminating the migration");
        match tokio::time::timeout(STOPPING, place.terminate()).await {
            Ok(Ok(true)) => {}
            Ok(Err(StepError::Lost)) => return Err(StepError::Lost),
            Ok(Ok(false)) => {
                return Err(halted(
                    "the migration was to be terminated and still runs: end it on the host",
                ));
            }
            Ok(Err(_)) | Err(_) => {
                return Err(halted(
                    "the host could not be asked to terminate the migration: whether it still runs is unknown, look there",
                ));
            }
        }
        let last_words = async {
            loop {
                let news = place.next().await?;
                if let Some(end) = self.take(place, news).await? {
                    return Ok::<_, StepError>(end);
                }
            }
        };
        match tokio::time::timeout(STOPPING, last_words).await {
            // It came to its end in the last moment.
            Ok(Ok(end @ Ending::Exit { success: true, .. })) => return Ok(end),
            // All that it said is in the log. What became of it is noted before its traces go.
            Ok(Ok(_)) => {
                self.record.end = Some(End {
                    status: "SIGTERM, because its time was up".into(),
                    success: false,
                    before: None,
                    after: None,
                });
                if self.keep("the migration was terminated".into()).await? {
                    self.remove(place).await?;
                }
            }
            Ok(Err(StepError::Lost)) => return Err(StepError::Lost),
            Ok(Err(_)) | Err(_) => {}
        }
        Err(halted(
            "the migration was terminated; what it had done by then stays in the database: look at it before you start a new run",
        ))
    }

    /// Notes how it ended, with all that is to be kept of it, and only then removes it.
    async fn end(
        &mut self,
        place: &Place<'w>,
        success: bool,
        status: String,
    ) -> Result<End, StepError> {
        let work = self.work;
        // Read from the beginning: another life of the portal may have read the first lines.
        let mut told = Told::default();
        for line in self.all(place).await {
            if line.stream == Stream::Out {
                told.take(&line.text);
            }
        }
        if self.wanted.plan.is_some() {
            work.leave("migration plan", Content::Text(told.plan.join("\n")))
                .await?;
        }
        let (mut before, mut after) = (told.before, told.after);
        for head in before.iter_mut().chain(&mut after) {
            work.log.clean(head);
        }
        let heads = match (&before, &after) {
            (Some(before), Some(after)) if before == after => {
                format!("; the database was at {after} already")
            }
            (Some(before), Some(after)) => format!("; the database went from {before} to {after}"),
            (None, Some(after)) => format!("; the database is at {after}"),
            (_, None) => String::new(),
        };
        let end = End {
            status,
            success,
            before,
            after,
        };
        self.record.end = Some(end.clone());
        let said = format!("the migration ended with {}{heads}", end.status);
        // What is not noted is found on the host by the portal's next life.
        if self.keep(said).await? {
            self.remove(place).await?;
        }
        Ok(end)
    }

    /// What its whole output tells besides the log. That it has ended is known: what cannot be read any more is done
    /// without.
    async fn all(&mut self, place: &Place<'w>) -> Vec<NewLine> {
        let read = loop {
            match self.ask(place.all()).await {
                Ok(Asked::Answer(lines)) => break Some(lines),
                Ok(Asked::Nothing) => {}
                // It may have ended in the last moment of its time.
                Ok(Asked::TooLate) => {
                    let read = tokio::time::timeout(STOPPING, place.all()).await;
                    break read.ok().and_then(Result::ok);
                }
                Err(_) => break None,
            }
        };
        if read.is_none() {
            let what = "its output cannot be read again: the heads and the plan are not known";
            self.work.log.say(what);
        }
        read.unwrap_or_default()
    }

    async fn remove(&self, place: &Place<'w>) -> Result<(), StepError> {
        let removed = match self.work.still_drives().await {
            Ok(()) => place.remove().await,
            Err(error) => Err(error),
        };
        match removed {
            Err(StepError::Lost) => Err(StepError::Lost),
            // How it ended is noted, and what it left disturbs nobody.
            Err(StepError::Failed { failure, .. }) => {
                let mut what = failure.what;
                self.work.log.clean(&mut what);
                self.work.log.say(format!("{} ({what})", place.traces()));
                Ok(())
            }
            Ok(()) | Err(StepError::Halted { .. }) => Ok(()),
        }
    }

    fn unknown(&self, place: &Place<'w>, why: &str) -> StepError {
        let name = self.name;
        StepError::advised(
            format!("did the migration of {name} come to its end? {why}, so nobody can tell"),
            format!(
                "look at the database which migrations it has ({}); it is not run again by itself, a new run does that",
                place.traces()
            ),
        )
    }

    /// Asks the host. Once the migration was asked for, a host that does not answer is asked again until the time is up:
    /// the migration does not need the connection.
    async fn ask<T>(
        &mut self,
        question: impl Future<Output = Result<T, StepError>>,
    ) -> Result<Asked<T>, StepError> {
        let work = self.work;
        let mut halted = work.halted.clone();
        let cancelled = *halted.borrow() == Halt::Cancel || work.run.state == RunState::Cancelling;
        if cancelled && !self.told_to_wait && self.record.stage == Stage::Started {
            self.told_to_wait = true;
            work.log.say("the run is cancelled; a migration is not stopped half-way, so the run stops when it has ended");
        }
        let wait = self.record.stage != Stage::Started || self.told_to_wait;
        let answer = tokio::select! {
            answer = question => answer,
            // Those who could say so are gone only when this is dropped, too.
            Ok(_) = halted.wait_for(|halt| *halt == Halt::Timeout || (*halt == Halt::Cancel && !wait)) => {
                let late = *work.halted.borrow() == Halt::Timeout;
                return Ok(if late { Asked::TooLate } else { Asked::Nothing });
            }
        };
        match answer {
            Ok(answer) => {
                if self.away {
                    self.away = false;
                    work.log.say("the host answers again");
                }
                Ok(Asked::Answer(answer))
            }
            Err(StepError::Failed {
                failure,
                transient: true,
            }) => {
                if !self.away {
                    self.away = true;
                    let mut what = failure.what;
                    work.log.clean(&mut what);
                    work.log.say(format!(
                        "{what}; the migration does not need the connection, asking again"
                    ));
                }
                tokio::time::sleep(PAUSE).await;
                Ok(Asked::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// An error in words that say what became of the migration.
    fn explained(&self, error: StepError) -> StepError {
        let unclear = "the migration was asked for and may be at work on the host: look there before you start a new run";
        match (self.record.stage, error) {
            (Stage::New, error) => error,
            (_, StepError::Halted { undone: None }) => StepError::Halted {
                undone: Some(unclear.into()),
            },
            (_, StepError::Failed { mut failure, .. }) => {
                if failure.advice.is_empty() {
                    failure.advice = unclear.into();
                }
                StepError::Failed {
                    failure,
                    transient: false,
                }
            }
            (_, error) => error,
        }
    }
}
