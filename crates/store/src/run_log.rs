//! The one way in which an event becomes part of a run, whichever door it came through: lock the run, fold what is
//! stored, ask [`Run::apply`], write the event, and write what follows from it.
use domain::run::{Run, RunEvent, StoredEvent};
use domain::step::{Outcome, StepKind};
use domain::{EnvName, Ms, ProjectName, RunId, StepId};

use crate::db::{Open, on};
use crate::{StoreError, json};

/// A run that nobody else can move until the transaction ends.
pub(crate) struct Locked {
    pub id: RunId,
    pub project: ProjectName,
    pub environment: EnvName,
    run: Run,
    events: Vec<StoredEvent>,
}

impl Locked {
    pub async fn lock(open: &mut Open, id: RunId) -> Result<Self, StoreError> {
        // An update that changes nothing locks the row on PostgreSQL, and the same text works on SQLite.
        let row: Option<(String,)> = on!(open, |conn| {
            sqlx::query_as("UPDATE run SET seq = seq WHERE id = $1 RETURNING plan_json")
                .bind(id.0)
                .fetch_optional(conn)
                .await?
        });
        let Some((plan,)) = row else {
            return Err(StoreError::NotFound("run"));
        };
        let rows: Vec<(i64, i64, String)> = on!(open, |conn| {
            sqlx::query_as(
                "SELECT seq, at_ms, event_json FROM run_event WHERE run = $1 ORDER BY seq",
            )
            .bind(id.0)
            .fetch_all(conn)
            .await?
        });
        let events = rows
            .into_iter()
            .map(stored_event)
            .collect::<Result<Vec<_>, _>>()?;
        let run = replay(&plan, &events)?;
        Ok(Self {
            id,
            project: run.plan.project.clone(),
            environment: run.plan.environment.clone(),
            run,
            events,
        })
    }

    /// The number of the last event.
    pub fn seq(&self) -> i64 {
        self.run.seq
    }

    /// Adds an event, or refuses it.
    pub async fn append(
        &mut self,
        open: &mut Open,
        event: RunEvent,
        at: Ms,
    ) -> Result<StoredEvent, StoreError> {
        self.run.apply(&event, at)?;
        let stored = StoredEvent {
            seq: self.run.seq,
            at,
            event,
        };
        let text = json::to_text(&stored.event)?;
        on!(open, |conn| {
            sqlx::query("INSERT INTO run_event (run, seq, project, at_ms, event_json) VALUES ($1, $2, $3, $4, $5)")
                .bind(self.id.0)
                .bind(stored.seq)
                .bind(self.project.as_str())
                .bind(at.0)
                .bind(text)
                .execute(&mut *conn)
                .await?;
            sqlx::query(
                "UPDATE run SET seq = $2, state = $3, started_ms = $4, ended_ms = $5 WHERE id = $1",
            )
            .bind(self.id.0)
            .bind(stored.seq)
            .bind(self.run.state.as_str())
            .bind(self.run.started.map(|at| at.0))
            .bind(self.run.ended.map(|at| at.0))
            .execute(conn)
            .await?;
        });
        if let RunEvent::StepSucceeded { step, outcome } = &stored.event {
            self.remember(open, *step, outcome, at).await?;
        }
        self.events.push(stored.clone());
        Ok(stored)
    }

    /// Writes what a step's success tells about more than its run.
    async fn remember(
        &self,
        open: &mut Open,
        step: StepId,
        outcome: &Outcome,
        at: Ms,
    ) -> Result<(), StoreError> {
        let Some(planned) = self.run.plan.step(step) else {
            return Ok(());
        };
        // A step that found nothing to do says nothing about how long the work takes.
        if !matches!(outcome, Outcome::Nothing { .. }) {
            self.remember_time(open, step, &planned.step.history_key(), at)
                .await?;
        }
        match (&planned.step, outcome) {
            (
                StepKind::Deploy { component, .. },
                Outcome::Deployed {
                    container, digest, ..
                },
            ) => {
                let commit = json::to_text(&self.run.plan.commit)?;
                on!(open, |conn| {
                    sqlx::query(
                        "INSERT INTO deployed (project, environment, component, run, commit_json, digest, container, since_ms)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                         ON CONFLICT (project, environment, component) DO UPDATE SET run = excluded.run,
                         commit_json = excluded.commit_json, digest = excluded.digest,
                         container = excluded.container, since_ms = excluded.since_ms",
                    )
                    .bind(self.project.as_str())
                    .bind(self.environment.as_str())
                    .bind(component.as_str())
                    .bind(self.id.0)
                    .bind(commit)
                    .bind(digest.as_str())
                    .bind(container)
                    .bind(at.0)
                    .execute(conn)
                    .await?;
                });
            }
            (
                StepKind::Push {
                    component,
                    registry,
                },
                Outcome::Pushed { digest, .. },
            ) => {
                let Some(key) = self.run.plan.key(component) else {
                    return Ok(());
                };
                on!(open, |conn| {
                    sqlx::query(
                        "INSERT INTO built (project, component, tree_key, registry, digest, run)
                         VALUES ($1, $2, $3, $4, $5, $6)
                         ON CONFLICT (project, component, tree_key, registry)
                         DO UPDATE SET digest = excluded.digest, run = excluded.run",
                    )
                    .bind(self.project.as_str())
                    .bind(component.as_str())
                    .bind(&key.0)
                    .bind(registry)
                    .bind(digest.as_str())
                    .bind(self.id.0)
                    .execute(conn)
                    .await?;
                });
            }
            (StepKind::Test { component, key, .. }, Outcome::Tested { .. }) => {
                on!(open, |conn| {
                    sqlx::query(
                        "INSERT INTO tested (project, component, tests_key, run) VALUES ($1, $2, $3, $4)
                         ON CONFLICT (project, component, tests_key) DO UPDATE SET run = excluded.run",
                    )
                    .bind(self.project.as_str())
                    .bind(component.as_str())
                    .bind(&key.0)
                    .bind(self.id.0)
                    .execute(conn)
                    .await?;
                });
            }
            // A tag was planned because the image is known already.
            _ => {}
        }
        Ok(())
    }

    /// How long the try took that succeeded.
    async fn remember_time(
        &self,
        open: &mut Open,
        step: StepId,
        key: &str,
        at: Ms,
    ) -> Result<(), StoreError> {
        let started = |event: &&StoredEvent| matches!(&event.event, RunEvent::StepStarted { step: s, .. } if *s == step);
        let Some(started) = self.events.iter().rev().find(started) else {
            return Ok(());
        };
        on!(open, |conn| {
            sqlx::query(
                "INSERT INTO step_time (run, step, project, environment, history_key, took_ms) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.id.0)
            .bind(i64::from(step.0))
            .bind(self.project.as_str())
            .bind(self.environment.as_str())
            .bind(key)
            .bind(at.since(started.at))
            .execute(conn)
            .await?;
        });
        Ok(())
    }
}

/// An event from its row.
pub(crate) fn stored_event((seq, at, text): (i64, i64, String)) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq,
        at: Ms(at),
        event: json::from_text("an event of a run", &text)?,
    })
}

fn replay(plan: &str, events: &[StoredEvent]) -> Result<Run, StoreError> {
    let plan = json::from_text("the plan of a run", plan)?;
    Run::replay(plan, events).map_err(|error| StoreError::corrupt("the events of a run", error))
}
