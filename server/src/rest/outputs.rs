//! What runs leave besides logs: findings, test results and texts, and what a commit became.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::report::Content;
use domain::view::ReleaseView;
use domain::{ProjectName, RunId, Sha};
use serde::Serialize;
use utoipa::ToSchema;

use super::input::{By, Path};
use super::problem::{Answers, Problem};
use super::shapes;
use crate::http::Server;

/// Something that a step left. One of `findings`, `tests` and `text` is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Artifact {
    /// The step's number.
    step: u16,
    /// Its name, one of a kind within the step.
    name: String,
    /// What was found in files.
    findings: Option<Vec<Finding>>,
    /// How tests went.
    tests: Option<TestResults>,
    /// A text, such as a rendered configuration, without secrets.
    text: Option<String>,
}

/// Something that was found in a file of the repository.
#[derive(Serialize, ToSchema)]
struct Finding {
    /// The file, relative to the repository.
    file: String,
    /// From 1.
    line: u32,
    /// From 1.
    column: u32,
    /// The rule's short name.
    rule: String,
    /// `error` or `warning`.
    level: &'static str,
    /// What is wrong, and what was expected.
    message: String,
}

/// How tests went.
#[derive(Serialize, ToSchema)]
struct TestResults {
    /// How many passed.
    passed: u32,
    /// How many failed or broke.
    failed: u32,
    /// How many were left out.
    skipped: u32,
    /// Those that failed, at most 200.
    failures: Vec<TestFailure>,
}

/// A test that failed.
#[derive(Serialize, ToSchema)]
struct TestFailure {
    /// Its name, with what it belongs to.
    name: String,
    /// What it said, shortened.
    message: String,
}

impl From<domain::report::Artifact> for Artifact {
    fn from(artifact: domain::report::Artifact) -> Self {
        let mut shown = Self {
            step: artifact.step.0,
            name: artifact.name,
            findings: None,
            tests: None,
            text: None,
        };
        match artifact.content {
            Content::Findings(findings) => {
                let findings = findings.into_iter().map(|found| Finding {
                    file: found.file,
                    line: found.line,
                    column: found.column,
                    rule: found.rule,
                    level: found.level.as_str(),
                    message: found.message,
                });
                shown.findings = Some(findings.collect());
            }
            Content::Tests(report) => {
                let failures = report.failures.into_iter().map(|test| TestFailure {
                    name: test.name,
                    message: test.message,
                });
                shown.tests = Some(TestResults {
                    passed: report.passed,
                    failed: report.failed,
                    skipped: report.skipped,
                    failures: failures.collect(),
                });
            }
            Content::Text(text) => shown.text = Some(text),
        }
        shown
    }
}

/// What the steps of a run left besides their logs
#[utoipa::path(get, path = "/api/v1/runs/{id}/artifacts", tag = "runs", operation_id = "listArtifacts",
    params(("id" = i64, Path, description = "The run's number")),
    responses(
        (status = 200, description = "The artifacts, in the plan's order", body = Vec<Artifact>),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn artifacts(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
) -> Result<Response, Response> {
    let artifacts = server
        .portal
        .artifacts(&by.actor, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    let artifacts: Vec<_> = artifacts.into_iter().map(Artifact::from).collect();
    Ok(Json(artifacts).into_response())
}

/// What became of a commit.
#[derive(Serialize, ToSchema)]
pub(super) struct Release {
    /// The project.
    project: String,
    /// The commit.
    commit: shapes::Commit,
    /// What was made of it, component by component.
    components: Vec<ReleaseComponent>,
    /// Where it runs or ran, the latest first.
    places: Vec<ReleasePlace>,
    /// What its runs did to databases, the latest first.
    migrations: Vec<ReleaseMigration>,
    /// Its runs, newest first, at most a hundred.
    runs: Vec<shapes::Run>,
}

/// A component of a release.
#[derive(Serialize, ToSchema)]
struct ReleaseComponent {
    /// The component.
    component: String,
    /// What identifies the input of its build, where the repository could be asked.
    key: Option<String>,
    /// Where its image is.
    images: Vec<ReleaseImage>,
    /// The run in which its tests passed.
    tested_in: Option<i64>,
    /// How many passed there, where their output told numbers.
    tests_passed: Option<u32>,
}

/// An image in a registry.
#[derive(Serialize, ToSchema)]
struct ReleaseImage {
    /// The registry's name in the manifest.
    registry: String,
    /// What to pull it by.
    digest: String,
    /// The tags that point at it.
    tags: Vec<String>,
    /// How many bytes it is to pull as a whole, where the registry could tell.
    bytes: Option<u64>,
}

/// A component of a release in an environment.
#[derive(Serialize, ToSchema)]
struct ReleasePlace {
    /// The environment.
    environment: String,
    /// The component.
    component: String,
    /// The run that brought it there.
    run: i64,
    /// When its container was healthy.
    since: String,
    /// Whether it is what runs there now.
    runs_now: bool,
}

/// What a run did to a database.
#[derive(Serialize, ToSchema)]
struct ReleaseMigration {
    /// The environment.
    environment: String,
    /// The component whose database it is.
    component: String,
    /// The run.
    run: i64,
    /// The last migration before, where the manifest's `head` tells it.
    before: Option<String>,
    /// The last migration after.
    after: Option<String>,
}

impl From<ReleaseView> for Release {
    fn from(view: ReleaseView) -> Self {
        let components = view.components.into_iter().map(|made| ReleaseComponent {
            component: made.component.into(),
            key: made.key.map(|key| key.0),
            images: made
                .images
                .into_iter()
                .map(|image| ReleaseImage {
                    registry: image.registry,
                    digest: image.digest.into(),
                    tags: image.tags,
                    bytes: image.bytes,
                })
                .collect(),
            tested_in: made.tested.map(|tests| tests.run.0),
            tests_passed: made.tested.and_then(|tests| tests.passed),
        });
        let places = view.places.into_iter().map(|place| ReleasePlace {
            environment: place.environment.into(),
            component: place.component.into(),
            run: place.run.0,
            since: place.since.rfc3339(),
            runs_now: place.runs_now,
        });
        let migrations = view.migrations.into_iter().map(|done| ReleaseMigration {
            environment: done.environment.into(),
            component: done.component.into(),
            run: done.run.0,
            before: done.before,
            after: done.after,
        });
        Self {
            project: view.project.into(),
            commit: view.commit.into(),
            components: components.collect(),
            places: places.collect(),
            migrations: migrations.collect(),
            runs: view.runs.into_iter().map(shapes::Run::from).collect(),
        }
    }
}

/// What became of a commit: its images, tests and migrations, and where it runs or ran
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases/{commit}", tag = "projects", operation_id = "getRelease",
    params(("project" = String, Path, description = "The project's name"), ("commit" = String, Path, description = "The commit's full id")),
    responses(
        (status = 200, description = "The release", body = Release),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such project for the caller, or no run was about this commit", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn release(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path((project, commit)): Path<(ProjectName, Sha)>,
) -> Result<Response, Response> {
    let release = server
        .portal
        .release(&by.actor, &project, &commit)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(Json(Release::from(release)).into_response())
}
