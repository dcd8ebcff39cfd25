//! What steps leave to look at besides their logs: findings, test results, rendered texts. Already redacted.
use domain::report::{Artifact, Content};
use domain::{Ms, RunId, StepId};

use crate::db::{on, rd};
use crate::lease::{Claim, beat};
use crate::{Store, StoreError, json};

impl Store {
    /// Stores what a step of the claimed run leaves; one of the same name is replaced, so that a step that is taken up
    /// again leaves it once. [`StoreError::LostLease`] if another portal drives the run now. It counts as a heartbeat.
    pub async fn put_artifact(
        &self,
        claim: &Claim,
        artifact: &Artifact,
        now: Ms,
    ) -> Result<(), StoreError> {
        let content = json::to_text(&artifact.content)?;
        let mut open = self.main.begin().await?;
        beat(&mut open, claim, now).await?;
        on!(&mut open, |conn| {
            sqlx::query(
                "INSERT INTO artifact (run, step, name, project, kind, content_json) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (run, step, name) DO UPDATE SET kind = excluded.kind, content_json = excluded.content_json",
            )
            .bind(claim.run.0)
            .bind(i64::from(artifact.step.0))
            .bind(&artifact.name)
            .bind(claim.project.as_str())
            .bind(artifact.content.kind())
            .bind(content)
            .execute(conn)
            .await?;
        });
        open.commit().await
    }

    /// All that the steps of a run left, in the plan's order.
    pub async fn artifacts(&self, run: RunId) -> Result<Vec<Artifact>, StoreError> {
        let rows: Vec<(i64, String, String)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT step, name, content_json FROM artifact WHERE run = $1 ORDER BY step, name",
            )
            .bind(run.0)
            .fetch_all(pool)
            .await?
        });
        let artifact = |(step, name, content): (i64, String, String)| {
            let content: Content = json::from_text("an artifact", &content)?;
            let step = u16::try_from(step)
                .map_err(|_| StoreError::corrupt("the step of an artifact", step))?;
            Ok(Artifact {
                step: StepId(step),
                name,
                content,
            })
        };
        rows.into_iter().map(artifact).collect()
    }
}
