//! Door 2: the engine's. A lease says who drives an environment; its fence grows each time it changes hands, and
//! whatever the holder writes carries the fence, so a portal that was away too long cannot write any more.
//!
//! Expiry compares the clocks of the portals that share a PostgreSQL server; they must agree within a fraction of
//! the lease's length.
use std::collections::HashSet;

use domain::run::{RunEvent, StoredEvent};
use domain::{ComponentName, Digest, EnvName, Ms, ProjectName, RunId};

use crate::db::{Open, on, rd};
use crate::run_log::Locked;
use crate::{Store, StoreError, json};

/// The right to move one run until the lease is lost or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run to drive.
    pub run: RunId,
    /// Its project.
    pub project: ProjectName,
    /// Its environment.
    pub environment: EnvName,
    /// Grows each time the environment's lease changes hands.
    pub fence: i64,
}

/// Who drives what in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvName,
    /// The portal that drives.
    pub owner: String,
    /// The run that it drives.
    pub run: RunId,
    /// Since when.
    pub since: Ms,
    /// When it was last heard of.
    pub heartbeat: Ms,
}

/// A run that has not ended: id, project, environment, and its environment's lease (fence, owner, run, heartbeat).
type Candidate = (
    i64,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl Store {
    /// The next run to drive, if any: one that was left unfinished, else the oldest queued one of an environment
    /// where no run is at work.
    ///
    /// An environment is free when nobody holds its lease, the holder was not heard of for `lease_ms`, or the
    /// holder is `owner` itself in an earlier life, that is, its run is not among those `held` by this process.
    pub async fn claim(
        &self,
        owner: &str,
        now: Ms,
        lease_ms: i64,
        held: &HashSet<RunId>,
    ) -> Result<Option<Claim>, StoreError> {
        // Most ticks find nothing; they need no write lock.
        let candidates: Vec<Candidate> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT r.id, r.project, r.environment, l.fence, l.owner, l.run, l.heartbeat_ms
                 FROM run r LEFT JOIN lease l ON l.project = r.project AND l.environment = r.environment
                 WHERE r.ended_ms IS NULL ORDER BY CASE r.state WHEN 'queued' THEN 1 ELSE 0 END, r.id",
            )
            .fetch_all(pool)
            .await?
        });
        let mut seen = HashSet::new();
        for (run, project, environment, fence, holder, driven, heartbeat) in candidates {
            // Only the first one of an environment: the one at work, else the one that has waited longest.
            if !seen.insert((project.clone(), environment.clone())) {
                continue;
            }
            let free = match (driven, holder) {
                (Some(driven), Some(holder)) => {
                    let expired = now.since(Ms(heartbeat.unwrap_or_default())) > lease_ms;
                    let earlier_life = holder == owner && !held.contains(&RunId(driven));
                    expired || earlier_life
                }
                _ => true,
            };
            if !free || held.contains(&RunId(run)) {
                continue;
            }
            let claim = Claim {
                run: RunId(run),
                project: json::word("the project of a run", &project)?,
                environment: json::word("the environment of a run", &environment)?,
                fence: fence.unwrap_or_default() + 1,
            };
            if self.take(&claim, owner, now).await? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    /// Takes the lease if it still has the fence that was seen, and the run has not ended meanwhile.
    async fn take(&self, claim: &Claim, owner: &str, now: Ms) -> Result<bool, StoreError> {
        let mut open = self.main.begin().await?;
        let taken = on!(&mut open, |conn| {
            let rows = sqlx::query(
                "INSERT INTO lease (project, environment, owner, fence, run, since_ms, heartbeat_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 ON CONFLICT (project, environment) DO UPDATE SET owner = excluded.owner, fence = excluded.fence,
                 run = excluded.run, since_ms = excluded.since_ms, heartbeat_ms = excluded.heartbeat_ms
                 WHERE lease.fence = excluded.fence - 1",
            )
            .bind(claim.project.as_str())
            .bind(claim.environment.as_str())
            .bind(owner)
            .bind(claim.fence)
            .bind(claim.run.0)
            .bind(now.0)
            .execute(&mut *conn)
            .await?
            .rows_affected();
            let (open_runs,): (i64,) =
                sqlx::query_as("SELECT COUNT(*) FROM run WHERE id = $1 AND ended_ms IS NULL")
                    .bind(claim.run.0)
                    .fetch_one(conn)
                    .await?;
            rows == 1 && open_runs == 1
        });
        if taken {
            open.commit().await?;
        }
        Ok(taken)
    }

    /// Adds an event to the claimed run. `expected_seq` is the number of the last event that the caller knows of:
    /// [`StoreError::Conflict`] if there is a newer one (somebody asked to cancel), [`StoreError::LostLease`] if
    /// another portal drives the run now, [`StoreError::Illegal`] if the event does not fit. It counts as a heartbeat.
    ///
    /// [`RunEvent::Finished`] gives the lease back, so the last lines of the log must be stored before it.
    pub async fn append(
        &self,
        claim: &Claim,
        expected_seq: i64,
        event: &RunEvent,
        at: Ms,
    ) -> Result<StoredEvent, StoreError> {
        let mut open = self.main.begin().await?;
        beat(&mut open, claim, at).await?;
        let mut run = Locked::lock(&mut open, claim.run).await?;
        if run.seq() != expected_seq {
            return Err(StoreError::Conflict("the run has moved on"));
        }
        let stored = run.append(&mut open, event.clone(), at).await?;
        if stored.event == RunEvent::Finished {
            give_back(&mut open, claim).await?;
        }
        open.commit().await?;
        Ok(stored)
    }

    /// Forgets that a registry has an image, because it was not found there: the next plan builds it again.
    /// [`StoreError::LostLease`] if another portal drives the run now. It counts as a heartbeat.
    pub async fn forget_built(
        &self,
        claim: &Claim,
        component: &ComponentName,
        registry: &str,
        digest: &Digest,
        now: Ms,
    ) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        beat(&mut open, claim, now).await?;
        on!(&mut open, |conn| {
            sqlx::query(
                "DELETE FROM built WHERE project = $1 AND component = $2 AND registry = $3 AND digest = $4",
            )
            .bind(claim.project.as_str())
            .bind(component.as_str())
            .bind(registry)
            .bind(digest.as_str())
            .execute(conn)
            .await?;
        });
        open.commit().await
    }

    /// Tells that the holder lives. [`StoreError::LostLease`] if another portal took over.
    pub async fn heartbeat(&self, claim: &Claim, now: Ms) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        beat(&mut open, claim, now).await?;
        open.commit().await
    }

    /// Gives the lease back; the run stays as it is, for the next one who claims it. Nothing happens if it is lost.
    pub async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        give_back(&mut open, claim).await?;
        open.commit().await
    }

    /// The leases that are held, of one project.
    pub async fn leases(&self, project: &ProjectName) -> Result<Vec<Lease>, StoreError> {
        let rows: Vec<(String, String, i64, i64, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT environment, owner, run, since_ms, heartbeat_ms FROM lease
                 WHERE project = $1 AND run IS NOT NULL ORDER BY environment",
            )
            .bind(project.as_str())
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(environment, owner, run, since, heartbeat)| {
                Ok(Lease {
                    project: project.clone(),
                    environment: json::word("the environment of a lease", &environment)?,
                    owner,
                    run: RunId(run),
                    since: Ms(since),
                    heartbeat: Ms(heartbeat),
                })
            })
            .collect()
    }

    /// Refuses if the claim is lost. On SQLite logs are in another file than leases, but only one portal may write there.
    pub(crate) async fn check_claim(
        &self,
        open: &mut Open,
        claim: &Claim,
    ) -> Result<(), StoreError> {
        const HELD: &str = "SELECT fence FROM lease WHERE project = $1 AND environment = $2 AND fence = $3 AND run = $4";
        // The lock makes a portal that takes over wait until these lines are stored, so that it sees them.
        const HELD_AND_LOCKED: &str = "SELECT fence FROM lease WHERE project = $1 AND environment = $2 AND fence = $3 AND run = $4 FOR SHARE";
        let (project, environment) = (claim.project.as_str(), claim.environment.as_str());
        let held: Option<(i64,)> = match open {
            Open::Lite(_) => rd!(&self.main, |pool| {
                sqlx::query_as(HELD)
                    .bind(project)
                    .bind(environment)
                    .bind(claim.fence)
                    .bind(claim.run.0)
                    .fetch_optional(pool)
                    .await?
            }),
            Open::Pg(conn) => {
                sqlx::query_as(HELD_AND_LOCKED)
                    .bind(project)
                    .bind(environment)
                    .bind(claim.fence)
                    .bind(claim.run.0)
                    .fetch_optional(&mut **conn)
                    .await?
            }
        };
        held.map(|_| ())
            .ok_or(StoreError::LostLease { run: claim.run })
    }
}

pub(crate) async fn beat(open: &mut Open, claim: &Claim, now: Ms) -> Result<(), StoreError> {
    let rows = on!(open, |conn| {
        sqlx::query(
            "UPDATE lease SET heartbeat_ms = CASE WHEN heartbeat_ms < $5 THEN $5 ELSE heartbeat_ms END
             WHERE project = $1 AND environment = $2 AND fence = $3 AND run = $4",
        )
        .bind(claim.project.as_str())
        .bind(claim.environment.as_str())
        .bind(claim.fence)
        .bind(claim.run.0)
        .bind(now.0)
        .execute(conn)
        .await?
        .rows_affected()
    });
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::LostLease { run: claim.run })
    }
}

async fn give_back(open: &mut Open, claim: &Claim) -> Result<(), StoreError> {
    on!(open, |conn| {
        sqlx::query("UPDATE lease SET run = NULL WHERE project = $1 AND environment = $2 AND fence = $3 AND run = $4")
            .bind(claim.project.as_str())
            .bind(claim.environment.as_str())
            .bind(claim.fence)
            .bind(claim.run.0)
            .execute(conn)
            .await?;
    });
    Ok(())
}
