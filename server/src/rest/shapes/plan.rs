//! What a deploy would do.
use domain::RunId;
use domain::step::PlannedStep;
use serde::Serialize;
use utoipa::ToSchema;

use super::Commit;

/// What a deploy would do.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Plan {
    /// The project.
    project: String,
    /// Where to.
    environment: String,
    /// The branch.
    branch: String,
    /// The commit.
    commit: Commit,
    /// SHA-256 of the manifest that it is planned from.
    manifest: String,
    /// Whether every image is built anew.
    rebuild: bool,
    /// What will be done; each step comes after what it needs.
    steps: Vec<PlanStep>,
    /// What to know although it does not stand in the way.
    notices: Vec<String>,
    /// How long it will take, where that is known.
    usual_ms: Option<i64>,
    /// The run that it would wait for.
    behind_run: Option<i64>,
    /// The queued runs whose place it would take: they never start.
    supersedes: Vec<i64>,
}

/// A step of a plan.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct PlanStep {
    /// Its place, from 0.
    id: u16,
    /// What it does, in few words.
    title: String,
    /// What it does, in a sentence.
    sentence: String,
    /// The steps that come before it.
    needs: Vec<u16>,
    /// Whether it runs whatever became of the steps before it.
    always: bool,
    /// Whether the run goes on where it fails.
    optional: bool,
    /// How long it usually takes.
    usual_ms: Option<i64>,
}

impl Plan {
    pub(in crate::rest) fn of(
        plan: domain::plan::Plan,
        usual_ms: Option<i64>,
        behind_run: Option<RunId>,
        supersedes: &[RunId],
    ) -> Self {
        let step = |planned: PlannedStep| PlanStep {
            id: planned.id.0,
            title: planned.step.title(),
            sentence: planned.step.sentence(),
            needs: planned.needs.iter().map(|need| need.0).collect(),
            always: planned.always,
            optional: planned.optional,
            usual_ms: planned.usual_ms,
        };
        Self {
            project: plan.project.into(),
            environment: plan.environment.into(),
            branch: plan.branch.to_string(),
            commit: plan.commit.into(),
            manifest: plan.manifest,
            rebuild: plan.rebuild,
            steps: plan.steps.into_iter().map(step).collect(),
            notices: plan.notices,
            usual_ms,
            behind_run: behind_run.map(|run| run.0),
            supersedes: supersedes.iter().map(|run| run.0).collect(),
        }
    }
}
