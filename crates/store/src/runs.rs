//! Runs: made, superseded and cancelled through door 1, read by everybody.
use domain::audit::Origin;
use domain::plan::{Plan, RunKind};
use domain::run::{Run, RunEvent, StoredEvent, taken_over};
use domain::step::Outcome;
use domain::view::{RunFilter, RunRow};
use domain::{EnvName, Ms, ProjectName, RunId, StepId};
use sqlx::{FromRow, QueryBuilder};

use crate::db::{on, rd};
use crate::run_log::{Locked, stored_event};
use crate::{Store, StoreError, Tx, json};

/// A run to make. Who asks for it is the grant's actor.
#[derive(Debug, Clone)]
pub struct NewRun<'n> {
    /// What it is to do. Its manifest must have been imported.
    pub plan: &'n Plan,
    /// The run that it repeats from its failed step on.
    pub retry_of: Option<RunId>,
    /// Steps whose success it takes over.
    pub reused: &'n [Reused],
}

/// A step whose success is taken over from an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reused {
    /// The step.
    pub step: StepId,
    /// The run that did it.
    pub from: RunId,
    /// What it left.
    pub outcome: Outcome,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// What a list shows of it.
    pub row: RunRow,
    /// What it is to do.
    pub plan: Plan,
    /// All that happened, in order.
    pub events: Vec<StoredEvent>,
    /// From where it was asked for.
    pub origin: Origin,
    /// Why, in the requester's words.
    pub reason: Option<String>,
}

impl StoredRun {
    /// The run as it stands: its plan with its events applied.
    pub fn run(&self) -> Result<Run, StoreError> {
        Run::replay(self.plan.clone(), &self.events)
            .map_err(|error| StoreError::corrupt("the events of a run", error))
    }

    /// The run that really did a step: this one, or the one that it was taken over from.
    pub fn who_did(&self, step: StepId) -> RunId {
        taken_over(&self.events, step).unwrap_or(self.row.id)
    }
}

macro_rules! row_columns {
    () => {
        "id, project, environment, kind, state, commit_json, by_json, requested_ms, started_ms, ended_ms, retry_of"
    };
}
pub(crate) use row_columns;

/// The columns of [`row_columns!`].
#[derive(FromRow)]
pub(crate) struct RawRow {
    id: i64,
    project: String,
    environment: String,
    kind: String,
    state: String,
    commit_json: String,
    by_json: String,
    requested_ms: i64,
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    retry_of: Option<i64>,
}

impl TryFrom<RawRow> for RunRow {
    type Error = StoreError;

    fn try_from(raw: RawRow) -> Result<Self, StoreError> {
        Ok(RunRow {
            id: RunId(raw.id),
            project: json::word("the project of a run", &raw.project)?,
            environment: json::word("the environment of a run", &raw.environment)?,
            kind: json::from_text("the kind of a run", &format!("\"{}\"", raw.kind))?,
            commit: json::from_text("the commit of a run", &raw.commit_json)?,
            state: json::word("the state of a run", &raw.state)?,
            by: json::from_text("the requester of a run", &raw.by_json)?,
            requested: Ms(raw.requested_ms),
            started: raw.started_ms.map(Ms),
            ended: raw.ended_ms.map(Ms),
            retry_of: raw.retry_of.map(RunId),
        })
    }
}

impl Tx {
    /// Makes a run, queued, with the steps that it takes over.
    pub async fn insert_run(&mut self, new: NewRun<'_>) -> Result<RunId, StoreError> {
        let NewRun {
            plan,
            retry_of,
            reused,
        } = new;
        self.covers_run(&plan.project, &plan.environment)?;
        let at = self.note.at;
        let (commit, text) = (json::to_text(&plan.commit)?, json::to_text(plan)?);
        let (by, origin) = (
            json::to_text(self.grant.actor())?,
            json::to_text(&self.note.origin)?,
        );
        let id: (i64,) = on!(&mut self.open, |conn| {
            let known: Option<(i64,)> =
                sqlx::query_as("SELECT first_ms FROM manifest WHERE project = $1 AND hash = $2")
                    .bind(plan.project.as_str())
                    .bind(&plan.manifest)
                    .fetch_optional(&mut *conn)
                    .await?;
            if known.is_none() {
                return Err(StoreError::NotFound(
                    "manifest; import the one that the run was planned from",
                ));
            }
            sqlx::query_as(
                "INSERT INTO run (project, environment, kind, state, seq, manifest, sha, commit_json, plan_json, by_json,
                 origin_json, reason, retry_of, requested_ms)
                 VALUES ($1, $2, $3, 'queued', 0, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
            )
            .bind(plan.project.as_str())
            .bind(plan.environment.as_str())
            .bind(plan.kind.as_str())
            .bind(&plan.manifest)
            .bind(plan.commit.sha.as_str())
            .bind(commit)
            .bind(text)
            .bind(by)
            .bind(origin)
            .bind(without_nul(self.note.reason.as_deref()))
            .bind(retry_of.map(|id| id.0))
            .bind(at.0)
            .fetch_one(conn)
            .await?
        });
        let id = RunId(id.0);
        if !reused.is_empty() {
            let mut run = Locked::lock(&mut self.open, id).await?;
            for Reused {
                step,
                from,
                outcome,
            } in reused
            {
                let event = RunEvent::StepReused {
                    step: *step,
                    from: *from,
                    outcome: outcome.clone(),
                };
                run.append(&mut self.open, event, at).await?;
            }
        }
        Ok(id)
    }

    /// Runs of a kind that wait in an environment, the next one first.
    pub async fn queued_runs(
        &mut self,
        project: &ProjectName,
        place: &EnvName,
        kind: RunKind,
    ) -> Result<Vec<RunId>, StoreError> {
        let rows: Vec<(i64,)> = on!(&mut self.open, |conn| {
            sqlx::query_as(
                "SELECT id FROM run WHERE project = $1 AND environment = $2 AND kind = $3 AND state = 'queued' ORDER BY id",
            )
            .bind(project.as_str())
            .bind(place.as_str())
            .bind(kind.as_str())
            .fetch_all(conn)
            .await?
        });
        Ok(rows.into_iter().map(|(id,)| RunId(id)).collect())
    }

    /// Takes a queued run out of the queue because `by` took its place. [`StoreError::Illegal`] if it started meanwhile.
    pub async fn supersede(&mut self, run: RunId, by: RunId) -> Result<StoredEvent, StoreError> {
        self.tell(run, RunEvent::Superseded { by }).await
    }

    /// Asks a run to stop; one that waits in the queue has ended with that.
    pub async fn request_cancel(&mut self, run: RunId) -> Result<StoredEvent, StoreError> {
        let by = self.grant.actor().to_string();
        self.tell(run, RunEvent::CancelRequested { by }).await
    }

    async fn tell(&mut self, run: RunId, event: RunEvent) -> Result<StoredEvent, StoreError> {
        let mut run = Locked::lock(&mut self.open, run).await?;
        self.covers_run(&run.project, &run.environment)?;
        run.append(&mut self.open, event, self.note.at).await
    }
}

/// PostgreSQL keeps no NUL in text, and nobody means one.
pub(crate) fn without_nul(text: Option<&str>) -> Option<String> {
    text.map(|text| text.replace('\0', ""))
}

impl Store {
    /// A run with all that happened to it.
    pub async fn load_run(&self, id: RunId) -> Result<StoredRun, StoreError> {
        let row: Option<RawRow> = rd!(&self.main, |pool| {
            sqlx::query_as(concat!(
                "SELECT ",
                row_columns!(),
                " FROM run WHERE id = $1"
            ))
            .bind(id.0)
            .fetch_optional(pool)
            .await?
        });
        let Some(row) = row else {
            return Err(StoreError::NotFound("run"));
        };
        let (plan, origin, reason): (String, String, Option<String>) = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT plan_json, origin_json, reason FROM run WHERE id = $1")
                .bind(id.0)
                .fetch_one(pool)
                .await?
        });
        let events = self.events_after(id, 0, i64::MAX).await?;
        let mut stored = StoredRun {
            row: row.try_into()?,
            plan: json::from_text("the plan of a run", &plan)?,
            events,
            origin: json::from_text("the origin of a run", &origin)?,
            reason,
        };
        // An event may have come between the queries; the events are the truth.
        let run = stored.run()?;
        (stored.row.state, stored.row.started, stored.row.ended) =
            (run.state, run.started, run.ended);
        Ok(stored)
    }

    /// The head of a run.
    pub async fn run_row(&self, id: RunId) -> Result<RunRow, StoreError> {
        let row: Option<RawRow> = rd!(&self.main, |pool| {
            sqlx::query_as(concat!(
                "SELECT ",
                row_columns!(),
                " FROM run WHERE id = $1"
            ))
            .bind(id.0)
            .fetch_optional(pool)
            .await?
        });
        row.ok_or(StoreError::NotFound("run"))?.try_into()
    }

    /// A run's events after the number `seq`, in order.
    pub async fn events_after(
        &self,
        id: RunId,
        seq: i64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows: Vec<(i64, i64, String)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT seq, at_ms, event_json FROM run_event WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3")
                .bind(id.0)
                .bind(seq)
                .bind(limit)
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(stored_event).collect()
    }

    /// Runs that match the filter, newest first; of the `visible` projects only, where given.
    pub async fn runs(
        &self,
        filter: &RunFilter,
        visible: Option<&[ProjectName]>,
        limit: i64,
    ) -> Result<Vec<RunRow>, StoreError> {
        let rows: Vec<RawRow> = rd!(&self.main, |pool| {
            let mut query =
                QueryBuilder::new(concat!("SELECT ", row_columns!(), " FROM run WHERE id < "));
            query.push_bind(filter.before.map_or(i64::MAX, |id| id.0));
            if let Some(project) = &filter.project {
                query.push(" AND project = ").push_bind(project.as_str());
            }
            if let Some(environment) = &filter.environment {
                query
                    .push(" AND environment = ")
                    .push_bind(environment.as_str());
            }
            if let Some(commit) = &filter.commit {
                query.push(" AND sha = ").push_bind(commit.as_str());
            }
            if let Some(state) = filter.state {
                query.push(" AND state = ").push_bind(state.as_str());
            }
            if let Some(visible) = visible {
                // Never an empty list, which PostgreSQL refuses.
                query.push(" AND project IN (''");
                for project in visible {
                    query.push(", ").push_bind(project.as_str());
                }
                query.push(")");
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
