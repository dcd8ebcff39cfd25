//! What a browser or an API client may see. No secret has a field here.
use serde::{Deserialize, Serialize};

use crate::log::LogLine;
use crate::manifest::Problem;
use crate::message::MessageRow;
use crate::plan::{Blocker, Commit, Plan, RunKind};
use crate::policy::{ActorName, Role};
use crate::push::DeliveryPage;
use crate::release::TreeKey;
use crate::run::{Failure, Run, RunState, StepRun, StepState, StoredEvent};
use crate::{ComponentName, Digest, EnvName, Login, Ms, ProjectName, RunId, Sha, StepId};

/// The one who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Account.
    pub login: Login,
    /// Name as people say it.
    pub name: String,
    /// The projects they may see, with their role there.
    pub projects: Vec<(ProjectName, Role)>,
}

/// Whether a button can be pressed, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "offer", rename_all = "kebab-case")]
pub enum Offer {
    /// It can.
    Ready,
    /// It cannot.
    Refused {
        /// Why, in a sentence.
        why: String,
    },
}

/// What runs where, of one project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The project.
    pub project: ProjectName,
    /// Its name as people say it.
    pub title: String,
    /// The repository's page.
    pub repository_url: String,
    /// When this was read.
    pub now: Ms,
    /// The environments in promotion order.
    pub lanes: Vec<Lane>,
    /// Whether the manifest's file was taken away, so that nothing is deployed.
    pub manifest_removed: bool,
    /// What is wrong with the manifest file as it is on disk now; the last good one is in force.
    pub manifest_problems: Vec<Problem>,
}

/// One environment on the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The environment.
    pub environment: EnvName,
    /// Its branch.
    pub branch: String,
    /// The environment that releases come from.
    pub follows: Option<EnvName>,
    /// The branch's newest commit that the portal knows of.
    pub head: Option<Commit>,
    /// Why that is not known, or may not be the newest any more.
    pub head_trouble: Option<String>,
    /// How many commits of the branch do not run here yet; absent where that is not known.
    pub behind: Option<u32>,
    /// The newest push to the branch, where it started no run and nobody has asked for one since.
    pub idle_push: Option<IdlePush>,
    /// What runs, component by component.
    pub components: Vec<ComponentRow>,
    /// The run at work here.
    pub active: Option<RunRow>,
    /// How far that one has come.
    pub progress: Option<Progress>,
    /// Runs that wait for their turn, the next one first.
    pub queued: Vec<RunRow>,
    /// The last run that ended here.
    pub last: Option<RunRow>,
    /// Whether the reader may deploy here.
    pub deploy: Offer,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The states of its steps in a word each, in the plan's order.
    pub states: Vec<String>,
    /// How many of them are done with.
    pub done: usize,
    /// What is being done now.
    pub at_work: Vec<String>,
}

impl Progress {
    /// That of a run as it stands.
    pub fn of(run: &Run) -> Self {
        let at_work = run.plan.steps.iter().zip(&run.steps).filter(|(_, step)| {
            matches!(step.state, StepState::Running | StepState::Retrying { .. })
        });
        Self {
            states: run
                .steps
                .iter()
                .map(|step| step.state.as_str().to_owned())
                .collect(),
            done: run
                .steps
                .iter()
                .filter(|step| step.state.is_final())
                .count(),
            at_work: at_work.map(|(planned, _)| planned.step.title()).collect(),
        }
    }
}

/// A push that started no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdlePush {
    /// The commit that was pushed.
    pub commit: Sha,
    /// Why it did not.
    pub why: String,
    /// Whether somebody has to mend something first; else all is as it should be.
    pub blocked: bool,
}

/// A component in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRow {
    /// The component.
    pub component: ComponentName,
    /// What Fairlead put there last; absent before the first deploy.
    pub running: Option<Running>,
}

/// What was deployed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The commit.
    pub commit: Commit,
    /// The image.
    pub digest: Digest,
    /// The run that did it.
    pub run: RunId,
    /// When its container was healthy.
    pub since: Ms,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its number.
    pub id: RunId,
    /// The project.
    pub project: ProjectName,
    /// Where to.
    pub environment: EnvName,
    /// What kind.
    pub kind: RunKind,
    /// What.
    pub commit: Commit,
    /// Where it stands.
    pub state: RunState,
    /// Who asked for it.
    pub by: ActorName,
    /// When it was asked for.
    pub requested: Ms,
    /// When it started to work.
    pub started: Option<Ms>,
    /// When it ended.
    pub ended: Option<Ms>,
    /// The run that it repeats from its failed step on.
    pub retry_of: Option<RunId>,
}

/// A page of runs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// Give this as `before` to get the page after; absent on the last.
    pub next: Option<RunId>,
    /// When this was read.
    pub now: Ms,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunFilter {
    /// Of one project only.
    #[serde(default)]
    pub project: Option<ProjectName>,
    /// To one environment only.
    #[serde(default)]
    pub environment: Option<EnvName>,
    /// Of one commit only.
    #[serde(default)]
    pub commit: Option<Sha>,
    /// In one state only.
    #[serde(default)]
    pub state: Option<RunState>,
    /// Older than this run only.
    #[serde(default)]
    pub before: Option<RunId>,
}

/// A run with everything that its page shows but the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The head of the page.
    pub row: RunRow,
    /// What whoever asked for it gave as the reason.
    pub reason: Option<String>,
    /// What it was to do.
    pub plan: Plan,
    /// Where each step stands, in the plan's order.
    pub steps: Vec<StepRun>,
    /// All that happened, in order; its last number is the websocket's first cursor.
    pub events: Vec<StoredEvent>,
    /// Why it waits, while it is queued.
    pub waiting_for: Option<String>,
    /// Why it failed, where it did.
    pub failure: Option<(StepId, Failure)>,
    /// The commit's page.
    pub commit_url: String,
    /// Whether the reader may stop it.
    pub cancel: Offer,
    /// Whether the reader may start it again from its failed step.
    pub retry: Offer,
    /// Whether the reader may deploy the commit although its tests failed; absent where that was not what stopped it.
    pub deploy_anyway: Option<Offer>,
    /// The queued runs whose place that would take.
    pub retry_supersedes: Vec<RunId>,
    /// Whether the project has another manifest now than the one that the run, and its retry, goes by.
    pub manifest_changed: bool,
    /// How long such a run usually takes in milliseconds.
    pub usual_ms: Option<i64>,
    /// When this was read.
    pub now: Ms,
}

/// Whom a run has told how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMessages {
    /// The messages, each with every try to send it.
    pub messages: Vec<MessageRow>,
    /// Whether the reader may have one sent again.
    pub send_again: Offer,
}

/// A commit as its runs made it into images and brought it to environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseView {
    /// The project.
    pub project: ProjectName,
    /// The commit.
    pub commit: Commit,
    /// The commit's page.
    pub commit_url: String,
    /// What was made of it, component by component.
    pub components: Vec<ReleaseComponent>,
    /// Where it runs or ran, the latest first.
    pub places: Vec<ReleasePlace>,
    /// What its runs did to databases, the latest first.
    pub migrations: Vec<ReleaseMigration>,
    /// Its runs, newest first, at most a hundred.
    pub runs: Vec<RunRow>,
    /// When this was read.
    pub now: Ms,
}

/// A component of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseComponent {
    /// The component.
    pub component: ComponentName,
    /// What identifies the input of its build, where the repository could be asked.
    pub key: Option<TreeKey>,
    /// Where its image is.
    pub images: Vec<ReleaseImage>,
    /// The run in which its tests passed.
    pub tested: Option<ReleaseTests>,
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseImage {
    /// The registry's name in the manifest.
    pub registry: String,
    /// What to pull it by.
    pub digest: Digest,
    /// How many bytes it is to pull as a whole, where the registry could tell.
    pub bytes: Option<u64>,
    /// The tags that point at it.
    pub tags: Vec<String>,
}

/// Tests that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseTests {
    /// In which run.
    pub run: RunId,
    /// How many; absent where their output told no numbers.
    pub passed: Option<u32>,
}

/// A component of a release in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePlace {
    /// The environment.
    pub environment: EnvName,
    /// The component.
    pub component: ComponentName,
    /// The run that brought it there.
    pub run: RunId,
    /// Since when it was healthy there.
    pub since: Ms,
    /// Whether it is what runs there now.
    pub runs_now: bool,
}

/// What a run did to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseMigration {
    /// The environment.
    pub environment: EnvName,
    /// The component whose database it is.
    pub component: ComponentName,
    /// The run.
    pub run: RunId,
    /// The last migration before.
    pub before: Option<String>,
    /// The last migration after.
    pub after: Option<String>,
}

/// A stretch of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The step.
    pub step: StepId,
    /// The lines, in order.
    pub lines: Vec<LogLine>,
    /// How many lines the whole log has by now.
    pub total: i64,
    /// The first line that looks like an error, where one was looked for and found.
    pub first_error: Option<i64>,
}

/// Where a text was found in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMatches {
    /// Line numbers, in order, at most a thousand.
    pub lines: Vec<i64>,
    /// Whether there are more.
    pub more: bool,
}

/// The answer to “what would happen if I pressed Deploy?”.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "proposal", rename_all = "kebab-case")]
pub enum Proposal {
    /// This would.
    Plan {
        /// Shown before the click.
        plan: Box<Plan>,
        /// How long it will take in milliseconds, where that is known.
        usual_ms: Option<i64>,
        /// The run that it would wait for.
        behind_run: Option<RunId>,
        /// The queued runs whose place it would take: they never start.
        supersedes: Vec<RunId>,
        /// When this was read.
        now: Ms,
    },
    /// Nothing, because of these.
    Blocked {
        /// What stands in the way.
        blockers: Vec<Blocker>,
        /// The same in sentences.
        sentences: Vec<String>,
    },
}

/// The settings of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The project.
    pub project: ProjectName,
    /// Its name as people say it.
    pub title: String,
    /// The manifest in force, as its team wrote it.
    pub manifest: String,
    /// SHA-256 in hex of that text.
    pub manifest_hash: String,
    /// When it came into force.
    pub manifest_since: Ms,
    /// What is wrong with the file as it is on disk now.
    pub problems: Vec<Problem>,
    /// Who is signed in.
    pub members: Vec<Member>,
    /// How roles are given, as the server's configuration says it: who, role.
    pub rules: Vec<(String, Role)>,
    /// When this was read.
    pub now: Ms,
}

/// Somebody who is signed in. Roles are asked for at each sign-in, so of nobody else they are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Account.
    pub login: Login,
    /// Name as people say it.
    pub name: String,
    /// Role in the project.
    pub role: Role,
    /// When they were last seen.
    pub seen: Ms,
}

/// What GitHub told of a project's repository, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushes {
    /// The project.
    pub project: ProjectName,
    /// The deliveries, newest first.
    pub page: DeliveryPage,
    /// Whether the reader may have one acted on again.
    pub redeliver: Offer,
    /// The repository's page.
    pub repository_url: String,
    /// Where GitHub is to tell of pushes.
    pub hook_url: String,
    /// When this was read.
    pub now: Ms,
}

/// A session that lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its number, by which it can be ended.
    pub id: i64,
    /// Whose.
    pub login: Login,
    /// When it was opened.
    pub created: Ms,
    /// When it was last used.
    pub seen: Ms,
    /// When it ends in any case.
    pub expires: Ms,
    /// Whether it is the one in which this is asked.
    pub own: bool,
}

/// The sessions that somebody may end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The newest first.
    pub rows: Vec<SessionRow>,
    /// Whether these are everybody's, or only the reader's.
    pub of_all: bool,
    /// When this was read.
    pub now: Ms,
}
