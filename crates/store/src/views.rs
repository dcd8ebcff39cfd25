//! Reads for pages and plans: what runs where, which runs an environment has, how long steps take, what is built.
use std::collections::BTreeMap;

use domain::release::TreeKey;
use domain::view::{RunRow, Running};
use domain::{ComponentName, Digest, EnvName, Ms, ProjectName, RunId};

use crate::db::{on, rd};
use crate::runs::{RawRow, row_columns};
use crate::{Store, StoreError, Tx, json};

/// The runs of an environment that its lane shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneRuns {
    /// The run at work.
    pub active: Option<RunRow>,
    /// Runs that wait, the next one first.
    pub queued: Vec<RunRow>,
    /// The last run that was at work and has ended.
    pub last: Option<RunRow>,
}

/// How many of a step's last successes its usual time is taken from.
const USUAL_OF: i64 = 10;

/// The run that has overtaken another one: the project, the environment and the number of the other are bound to it.
const OVERTAKING: &str = concat!(
    "SELECT ",
    row_columns!(),
    " FROM run WHERE project = $1 AND environment = $2 AND id > $3
     AND state IN ('running', 'cancelling', 'succeeded') ORDER BY id DESC LIMIT 1"
);

impl Tx {
    /// What [`Store::overtaken_by`] says, as the last look before the transaction writes.
    pub async fn overtaken_by(&mut self, run: &RunRow) -> Result<Option<RunRow>, StoreError> {
        let newer: Option<RawRow> = on!(&mut self.open, |conn| {
            sqlx::query_as(OVERTAKING)
                .bind(run.project.as_str())
                .bind(run.environment.as_str())
                .bind(run.id.0)
                .fetch_optional(conn)
                .await?
        });
        newer.map(TryInto::try_into).transpose()
    }
}

impl Store {
    /// What was deployed last in each environment of a project, component by component.
    pub async fn running(
        &self,
        project: &ProjectName,
    ) -> Result<BTreeMap<EnvName, BTreeMap<ComponentName, Running>>, StoreError> {
        let rows: Vec<(String, String, String, String, i64, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT environment, component, commit_json, digest, run, since_ms FROM deployed WHERE project = $1")
                .bind(project.as_str())
                .fetch_all(pool)
                .await?
        });
        let mut running: BTreeMap<EnvName, BTreeMap<ComponentName, Running>> = BTreeMap::new();
        for (environment, component, commit, digest, run, since) in rows {
            running
                .entry(json::word("an environment", &environment)?)
                .or_default()
                .insert(
                    json::word("a component", &component)?,
                    Running {
                        commit: json::from_text("a deployed commit", &commit)?,
                        digest: json::word("a deployed image", &digest)?,
                        run: RunId(run),
                        since: Ms(since),
                    },
                );
        }
        Ok(running)
    }

    /// The runs of each environment of a project that its lane shows. Environments without a run are absent.
    pub async fn lanes(
        &self,
        project: &ProjectName,
    ) -> Result<BTreeMap<EnvName, LaneRuns>, StoreError> {
        let unfinished: Vec<RawRow> = rd!(&self.main, |pool| {
            sqlx::query_as(concat!(
                "SELECT ",
                row_columns!(),
                " FROM run WHERE project = $1 AND ended_ms IS NULL ORDER BY id"
            ))
            .bind(project.as_str())
            .fetch_all(pool)
            .await?
        });
        let last: Vec<RawRow> = rd!(&self.main, |pool| {
            sqlx::query_as(concat!(
                "SELECT ",
                row_columns!(),
                " FROM run WHERE id IN (SELECT MAX(id) FROM run WHERE project = $1 AND started_ms IS NOT NULL
                 AND ended_ms IS NOT NULL GROUP BY environment)"
            ))
            .bind(project.as_str())
            .fetch_all(pool)
            .await?
        });
        let mut lanes: BTreeMap<EnvName, LaneRuns> = BTreeMap::new();
        for raw in unfinished.into_iter().chain(last) {
            let row = RunRow::try_from(raw)?;
            let lane = lanes.entry(row.environment.clone()).or_default();
            match row.state {
                state if state.is_final() => lane.last = Some(row),
                domain::run::RunState::Queued => lane.queued.push(row),
                _ => lane.active = Some(row),
            }
        }
        Ok(lanes)
    }

    /// The newest run of the same environment after this one that is at work or has succeeded, if there is one.
    pub async fn overtaken_by(&self, run: &RunRow) -> Result<Option<RunRow>, StoreError> {
        let newer: Option<RawRow> = rd!(&self.main, |pool| {
            sqlx::query_as(OVERTAKING)
                .bind(run.project.as_str())
                .bind(run.environment.as_str())
                .bind(run.id.0)
                .fetch_optional(pool)
                .await?
        });
        newer.map(TryInto::try_into).transpose()
    }

    /// The runs of the same environment after this one that have started.
    pub async fn started_after(&self, run: &RunRow) -> Result<Vec<RunId>, StoreError> {
        let rows: Vec<(i64,)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT id FROM run WHERE project = $1 AND environment = $2 AND id > $3 AND started_ms IS NOT NULL",
            )
            .bind(run.project.as_str())
            .bind(run.environment.as_str())
            .bind(run.id.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(id,)| RunId(id)).collect())
    }

    /// The usual time of each kind of step in milliseconds, by its history key: the median of its last ten successes.
    pub async fn usual(
        &self,
        project: &ProjectName,
        environment: &EnvName,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows: Vec<(String, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT history_key, took_ms FROM (
                     SELECT history_key, took_ms,
                         ROW_NUMBER() OVER (PARTITION BY history_key ORDER BY run DESC, step DESC) AS place
                     FROM step_time WHERE project = $1 AND environment = $2) AS times
                 WHERE place <= $3 ORDER BY history_key, took_ms",
            )
            .bind(project.as_str())
            .bind(environment.as_str())
            .bind(USUAL_OF)
            .fetch_all(pool)
            .await?
        });
        let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (key, took) in rows {
            times.entry(key).or_default().push(took);
        }
        Ok(times
            .into_iter()
            .filter_map(|(key, sorted)| Some((key, median(&sorted)?)))
            .collect())
    }

    /// The run in which a component's tests passed on this input.
    pub async fn tested(
        &self,
        project: &ProjectName,
        component: &ComponentName,
        key: &TreeKey,
    ) -> Result<Option<RunId>, StoreError> {
        let row: Option<(i64,)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT run FROM tested WHERE project = $1 AND component = $2 AND tests_key = $3",
            )
            .bind(project.as_str())
            .bind(component.as_str())
            .bind(&key.0)
            .fetch_optional(pool)
            .await?
        });
        Ok(row.map(|(run,)| RunId(run)))
    }

    /// The key of the newest image that was built anew from this input and has come to a registry, if there is one.
    pub async fn built_anew(
        &self,
        project: &ProjectName,
        component: &ComponentName,
        key: &TreeKey,
    ) -> Result<Option<TreeKey>, StoreError> {
        let (newest,): (Option<String>,) = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT MAX(tree_key) FROM built WHERE project = $1 AND component = $2 AND tree_key LIKE $3",
            )
            .bind(project.as_str())
            .bind(component.as_str())
            .bind(format!("{}{}%", key.input(), TreeKey::ANEW))
            .fetch_one(pool)
            .await?
        });
        Ok(newest.map(TreeKey))
    }

    /// The image of this key, if every one of the `registries` has the same.
    pub async fn built(
        &self,
        project: &ProjectName,
        component: &ComponentName,
        key: &TreeKey,
        registries: &[&str],
    ) -> Result<Option<Digest>, StoreError> {
        let rows: Vec<(String, String)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT registry, digest FROM built WHERE project = $1 AND component = $2 AND tree_key = $3")
                .bind(project.as_str())
                .bind(component.as_str())
                .bind(&key.0)
                .fetch_all(pool)
                .await?
        });
        let there: BTreeMap<String, String> = rows.into_iter().collect();
        let digests: Option<Vec<&String>> = registries
            .iter()
            .map(|registry| there.get(*registry))
            .collect();
        match digests.as_deref() {
            Some([first, rest @ ..]) if rest.iter().all(|digest| digest == first) => {
                json::word("a built image", first).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// The middle one of sorted numbers, or the mean of the middle two.
fn median(sorted: &[i64]) -> Option<i64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(lower.midpoint(*upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(7));
        assert_eq!(median(&[1, 3]), Some(2));
        assert_eq!(median(&[1, 3, 100]), Some(3));
    }
}
