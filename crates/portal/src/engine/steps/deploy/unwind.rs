//! Puts a host back to what it was before a run, however far that run had come.
use std::sync::atomic::Ordering;
use std::time::Duration;

use adapters::docker::{Container, RestartPolicy, State};
use domain::run::{Failure, StepState};
use domain::step::StepKind;

use super::super::{StepError, UNDO};
use super::front::Restored;
use super::left::Left;
use super::{BEFORE, NEXT, Site, described, is_of, label};
use crate::engine::scene::run_of;

impl Site<'_> {
    /// What becomes of a try that did not succeed. A failure that may pass is left to the next try, which looks at the
    /// host first; after any other one the host is put back, and where that fails too, people are told how it stands.
    pub(super) async fn settle(&self, error: StepError) -> StepError {
        let again = self.work.may_try_again();
        if matches!(error, StepError::Lost) || error.is_transient() && again {
            return error;
        }
        let unwinding = self.unwind(&self.work.scene.key);
        let unwound = tokio::time::timeout(UNDO, unwinding)
            .await
            .unwrap_or_else(|_| {
                let limit = UNDO.as_secs();
                Err(StepError::fatal(format!("it took longer than {limit} s")))
            });
        let undo = match unwound {
            Ok(done) => return error.after_undo(done),
            Err(StepError::Lost) => return StepError::Lost,
            Err(undo) => undo,
        };
        // What went wrong first stays in front: it is what people have to mend.
        let mut failure = match error {
            StepError::Failed { failure, .. } => failure,
            other => Failure {
                what: other.to_string(),
                advice: String::new(),
                undone: None,
                counts_always: false,
            },
        };
        failure.what = format!(
            "{}; then the host could not be put back: {undo}",
            failure.what
        );
        let transient = undo.is_transient() && again;
        if !transient {
            failure.undone = Some(self.left());
        }
        StepError::Failed { failure, transient }
    }

    /// How the host had to be left, for people.
    fn left(&self) -> String {
        let left = Left {
            host: self.host.name(),
            component: self.name,
            serving: &self.serving,
            key: &self.work.scene.key,
        };
        match self.may_have_begun() {
            true => left.half_done(),
            false => left.untouched(),
        }
    }

    /// Takes away what the run of this key has put on the host, returns what it has set aside, and tells what that was.
    /// It looks before each action, so it can be repeated after any interruption.
    async fn unwind(&self, key: &str) -> Result<String, StepError> {
        let Self {
            serving, engine, ..
        } = self;
        let (next, before) = (
            format!("{serving}{NEXT}{key}"),
            format!("{serving}{BEFORE}{key}"),
        );
        let mut removed = false;
        if let Some(new) = engine.inspect(serving).await?.filter(|new| is_of(new, key)) {
            let grace = self.component.container.stop_timeout.duration();
            self.work.still_drives().await?;
            engine
                .stop(&new.id, grace.min(Duration::from_secs(10)))
                .await?;
            engine.remove(&new.id).await?;
            removed = true;
        }
        if let Some(new) = engine.inspect(&next).await? {
            self.work.still_drives().await?;
            engine.remove(&new.id).await?;
            removed = true;
        }
        // Before the old container starts, which may mount them; and whether or not it works, it starts.
        let files = self.files.restore(&self.host, key).await;
        let aside = engine.inspect(&before).await?;
        let done = match (aside, engine.inspect(serving).await?) {
            (Some(old), None) => {
                self.work.still_drives().await?;
                engine.rename(&old.id, serving).await?;
                self.revive(&old, key).await?
            }
            (None, Some(old)) if self.stepped_aside(&old, key).await? => {
                self.revive(&old, key).await?
            }
            (None, Some(old)) => format!(
                "the container that ran before is as it was ({})",
                described(&old)
            ),
            (Some(old), Some(_)) => format!(
                "the container that ran before is stopped and kept as {}: somebody else has put another one in its place",
                old.name
            ),
            (None, None) if removed => "the new container was removed; none ran before".to_owned(),
            (None, None) => "nothing had been changed on the host".to_owned(),
        };
        // It leads to the old container, so that comes first.
        let front = match &self.front {
            Some(front) => front.restore(self, key).await,
            None => Ok(Restored::Nothing),
        };
        let mut done = done;
        match front {
            Ok(Restored::Nothing) => {}
            Ok(Restored::Loaded) => done.push_str(", and so is the web server's configuration"),
            Ok(Restored::NotLoaded(error)) => done.push_str(&format!(
                "; the web server's configuration is put back too, but not loaded: {error}"
            )),
            Err(error) if matches!(error, StepError::Lost) || error.is_transient() => {
                return Err(error);
            }
            Err(error) => done.push_str(&format!(
                "; but the web server's configuration could not be put back: {error}"
            )),
        }
        Ok(match files {
            Ok(()) => done,
            Err(StepError::Lost) => return Err(StepError::Lost),
            Err(error) => format!("{done}; but a file could not be put back: {error}"),
        })
    }

    /// Starts the old container under its name again and gives it its restart policy back.
    async fn revive(&self, old: &Container, key: &str) -> Result<String, StepError> {
        let policy = self.policy_of(old, key).await?;
        let started = self.engine.start(&self.serving).await;
        // The next try knows it by the policy that it lacks. One that cannot start has it back: whoever mends the cause
        // then only has to start it.
        let again = matches!(&started, Err(error) if error.is_transient());
        if !again
            && old.restart != policy
            && let Err(error) = self.engine.set_restart(&self.serving, policy).await
        {
            self.say(format!(
                "its restart policy, {policy}, could not be returned: {error}"
            ));
        }
        started?;
        Ok(format!(
            "the container that ran before is back ({})",
            described(old)
        ))
    }

    /// Whether this step, in this try or an earlier one, may have begun to put the old container aside.
    fn may_have_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed) || !self.work.first
    }

    /// Whether the container under the serving name is an old one that this step has begun to put aside, or has not
    /// quite returned. What it cannot have touched stays as people left it.
    async fn stepped_aside(&self, old: &Container, key: &str) -> Result<bool, StepError> {
        Ok(self.may_have_begun() && self.is_set_aside(old, key).await?)
    }

    /// Whether a container is as one that the run of this key put aside: without a restart policy, and stopped or once
    /// with one.
    async fn is_set_aside(&self, container: &Container, key: &str) -> Result<bool, StepError> {
        if container.restart != RestartPolicy::NO || self.is_foreign(container) {
            return Ok(false);
        }
        let runs = matches!(container.state, State::Running | State::Restarting);
        Ok(!runs || self.policy_of(container, key).await? != RestartPolicy::NO)
    }

    /// Whether an earlier life of this step had begun to put the host back: nothing is left of the new container, and
    /// the old one is not quite back. Only that leaves things so.
    pub(super) async fn undo_was_interrupted(&self) -> Result<bool, StepError> {
        if self.work.first || self.engine.inspect(&self.next).await?.is_some() {
            return Ok(false);
        }
        let aside = self.engine.inspect(&self.before).await?.is_some();
        let key = &self.work.scene.key;
        Ok(match self.engine.inspect(&self.serving).await? {
            None => aside,
            Some(standing) if aside || is_of(&standing, key) => false,
            Some(standing) => self.is_set_aside(&standing, key).await?,
        })
    }

    /// Puts back what an earlier run had to leave half done, because its host was away for too long. Its predecessor
    /// is what this run replaces, and what comes back when this one fails too.
    pub(super) async fn put_right(&self) -> Result<(), StepError> {
        if self.engine.inspect(&self.before).await?.is_some() {
            // This run is past that point.
            return Ok(());
        }
        let left = match self.standing().await? {
            Some(standing) => match standing.labels.get(label::RUN) {
                Some(key) if self.ended_badly(key).await? => Some(key.clone()),
                _ => None,
            },
            None => self.newest_aside().await?,
        };
        if let Some(key) = left {
            self.say("an earlier run left this host half done; putting that right first");
            match self.unwind(&key).await {
                Ok(done) => self.say(done),
                Err(error) if matches!(error, StepError::Lost) || error.is_transient() => {
                    return Err(error);
                }
                Err(error) => self.say(format!("that failed: {error}; going on all the same")),
            }
        }
        let start = format!("{}{NEXT}", self.serving);
        for orphan in self.engine.named(&start).await? {
            let unused = orphan.state == State::Created && orphan.name != self.next;
            if unused && self.is_related(&orphan) {
                self.work.still_drives().await?;
                self.engine.remove(&orphan.id).await?;
                self.say(format!(
                    "removed {}, which an earlier run left",
                    orphan.name
                ));
            }
        }
        Ok(())
    }

    /// The run whose predecessor was put aside last.
    async fn newest_aside(&self) -> Result<Option<String>, StepError> {
        let start = format!("{}{BEFORE}", self.serving);
        let mut aside = self.engine.named(&start).await?;
        aside.retain(|container| !self.is_foreign(container));
        aside.sort_by_key(|container| container.created_ms);
        let newest = aside.pop();
        Ok(newest.and_then(|newest| newest.name.strip_prefix(&start).map(str::to_owned)))
    }

    /// Whether the run of this key deployed this component and did not succeed with it.
    async fn ended_badly(&self, key: &str) -> Result<bool, StepError> {
        let store = &self.work.scene.portal.parts().store;
        let stored = self.work.patiently(|| run_of(store, key)).await?;
        let Some(stored) = stored else {
            return Ok(false);
        };
        let run = stored.run()?;
        let mut steps = run.plan.steps.iter().zip(&run.steps);
        Ok(steps.any(|(planned, step)| {
            let here = matches!(&planned.step, StepKind::Deploy { component, .. } if component == self.name);
            here && matches!(step.state, StepState::Failed { .. } | StepState::Cancelled)
        }))
    }
}
