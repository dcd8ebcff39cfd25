//! The plan: the ordered, pure description of what a run will do, shown before the click.
//!
//! [`deploy`] turns (manifest, environment, facts) into a graph of steps, or into the blockers that stand in the way.
mod blocker;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::manifest::{Branch, Component, Environment, Manifest, Required, SecretName, Span};
use crate::release::{TreeKey, tag};
use crate::step::{PlannedStep, Retry, StepKind};
use crate::{ComponentName, Digest, EnvName, HostName, Ms, ProjectName, RunId, Sha, StepId};

pub use blocker::Blocker;

/// What kind of run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// A commit is built and deployed.
    Deploy,
}

impl RunKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            RunKind::Deploy => "deploy",
        }
    }
}

/// A commit as git tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// When it was committed.
    pub at: Ms,
}

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The project.
    pub project: ProjectName,
    /// Where to.
    pub environment: EnvName,
    /// What kind of run.
    pub kind: RunKind,
    /// The branch that the commit is on.
    pub branch: Branch,
    /// The commit.
    pub commit: Commit,
    /// SHA-256 in hex of the manifest that it was planned from.
    pub manifest: String,
    /// Somebody wants every image built anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuild: bool,
    /// The graph, in an order in which every step comes after what it needs.
    pub steps: Vec<PlannedStep>,
    /// What the reader should know although it does not stand in the way.
    pub notices: Vec<String>,
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: StepId) -> Option<&PlannedStep> {
        self.steps.get(id.index())
    }

    /// What identifies a component's image.
    pub fn key(&self, of: &ComponentName) -> Option<&TreeKey> {
        self.steps.iter().find_map(|planned| match &planned.step {
            StepKind::Build { component, key }
            | StepKind::Tag {
                component,
                key: Some(key),
                ..
            } if component == of => Some(key),
            _ => None,
        })
    }

    /// The tag that this run gives a component's image in each registry.
    pub fn tag(&self, of: &ComponentName) -> String {
        tag(&self.environment, &self.commit.sha, self.key(of))
    }

    /// Whether tests that fail do not hold up the run.
    pub fn overrides_tests(&self) -> bool {
        self.steps
            .iter()
            .any(|planned| planned.optional && matches!(planned.step, StepKind::Test { .. }))
    }

    /// How long the run will take, in milliseconds, along the longest path of steps whose usual duration is known.
    pub fn usual_ms(&self) -> Option<i64> {
        let mut ends: Vec<i64> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let start = step
                .needs
                .iter()
                .filter_map(|need| ends.get(need.index()))
                .max()
                .copied()
                .unwrap_or(0);
            ends.push(start + step.usual_ms.unwrap_or(0));
        }
        let known = self.steps.iter().any(|step| step.usual_ms.is_some());
        ends.into_iter().max().filter(|_| known)
    }
}

/// What must be known before a deploy can be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployFacts {
    /// The commit to deploy.
    pub commit: Commit,
    /// SHA-256 in hex of the manifest's text.
    pub manifest: String,
    /// What identifies each component's image at that commit.
    pub keys: BTreeMap<ComponentName, TreeKey>,
    /// Images that were built from the same input before and are in every registry.
    pub built: BTreeMap<ComponentName, Digest>,
    /// What is known of each component's tests, where it has some.
    pub tests: BTreeMap<ComponentName, TestFacts>,
    /// Somebody who may has decided that failing tests do not hold up this run.
    pub tests_overridden: bool,
    /// Somebody wants every image built anew.
    pub rebuild: bool,
    /// Secrets that the run needs and that resolve to nothing, with the names that were tried.
    pub missing_secrets: BTreeMap<SecretName, Vec<String>>,
    /// Median durations in milliseconds by [`StepKind::history_key`].
    pub usual: BTreeMap<String, i64>,
    /// The commits that run there now.
    pub running: BTreeMap<ComponentName, Sha>,
}

impl DeployFacts {
    /// The image of a component that need not be built.
    fn reused(&self, component: &ComponentName) -> Option<&Digest> {
        self.built.get(component).filter(|_| !self.rebuild)
    }
}

/// What is known of a component's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFacts {
    /// What identifies their input: the source and how it is tested.
    pub key: TreeKey,
    /// The run in which they passed on the same input.
    pub passed: Option<RunId>,
}

/// Plans a deploy of `facts.commit` to `environment`, or says everything that stands in the way.
pub fn deploy(
    manifest: &Manifest,
    environment: &EnvName,
    facts: &DeployFacts,
) -> Result<Plan, Vec<Blocker>> {
    let Some(place) = manifest.environments.get(environment) else {
        return Err(vec![Blocker::NoSuchEnvironment {
            environment: environment.clone(),
        }]);
    };
    let mut blockers = Vec::new();
    for (name, tried) in &facts.missing_secrets {
        blockers.push(Blocker::MissingSecret {
            name: name.clone(),
            tried: tried.clone(),
        });
    }
    let used: BTreeSet<HostName> = manifest
        .components
        .iter()
        .map(|(name, c)| c.host_or(name))
        .collect();
    for (host, described) in &place.hosts {
        if used.contains(host) && described.host_key.is_none() {
            blockers.push(Blocker::UnpinnedHost {
                environment: environment.clone(),
                host: host.clone(),
            });
        }
    }
    for (component, described) in &manifest.components {
        if !facts.keys.contains_key(component) {
            blockers.push(Blocker::NoBuildInput {
                commit: facts.commit.sha.clone(),
                component: component.clone(),
                path: described.build.dockerfile.clone(),
            });
        } else if let Some(test) = &described.test
            && !facts.tests.contains_key(component)
        {
            blockers.push(Blocker::NoTestInput {
                commit: facts.commit.sha.clone(),
                component: component.clone(),
                path: test.dir.clone().unwrap_or_default(),
            });
        }
    }
    if !blockers.is_empty() {
        return Err(blockers);
    }

    let mut graph = Graph {
        manifest,
        facts,
        steps: Vec::new(),
    };
    let mut source = graph.add(
        StepKind::Checkout,
        vec![],
        Span::seconds(600),
        Retry {
            attempts: 3,
            pause: Span::seconds(2),
        },
    );
    if let Some(lint) = &manifest.lint {
        let lint = StepKind::Lint {
            workflows: lint.workflows.clone(),
        };
        source = graph.add(lint, vec![source], Span::seconds(120), Retry::NONE);
    }
    let mut images = Vec::new();
    for (component, described) in &manifest.components {
        images.push(graph.images(source, component, described));
    }
    // What the hosts are touched for: every image is there, and every test has passed.
    let mut ready: Vec<StepId> = images.iter().flatten().copied().collect();
    for ((component, described), images) in manifest.components.iter().zip(&images) {
        ready.extend(graph.tests(source, component, described, images));
    }
    for component in deploy_order(manifest) {
        if let Some(migrate) = &manifest.components[component].migrate {
            let step = StepKind::Migrate {
                component: component.clone(),
                host: manifest.components[component].host_or(component),
            };
            // A try that lost its connection finds the migration where it left it.
            let retry = Retry {
                attempts: 3,
                pause: Span::seconds(2),
            };
            let migrated = graph.add(step, ready.clone(), migrate.timeout, retry);
            ready.push(migrated);
        }
    }
    let mut deployed: BTreeMap<&ComponentName, StepId> = BTreeMap::new();
    for component in deploy_order(manifest) {
        let described = &manifest.components[component];
        let mut needs = ready.clone();
        needs.extend(
            described
                .after
                .iter()
                .filter_map(|before| deployed.get(before)),
        );
        let health = described
            .health
            .as_ref()
            .map_or(Span::seconds(60), |health| health.deadline());
        let timeout = Span(health.0 + described.container.stop_timeout.0 + 900_000);
        let step = StepKind::Deploy {
            component: component.clone(),
            host: described.host_or(component),
        };
        // It converges: whatever a broken connection left half-done, the next try looks first and goes on from there.
        // Its tries span a minute, in which a host that reboots is back.
        let retry = Retry {
            attempts: 5,
            pause: Span::seconds(4),
        };
        deployed.insert(component, graph.add(step, needs, timeout, retry));
    }
    if manifest.notify_of(environment).is_some() {
        let all = (0..graph.steps.len())
            .filter_map(|id| u16::try_from(id).ok().map(StepId))
            .collect();
        graph.add(
            StepKind::Notify,
            all,
            Span::seconds(120),
            Retry {
                attempts: 4,
                pause: Span::seconds(2),
            },
        );
        if let Some(notify) = graph.steps.last_mut() {
            notify.always = true;
        }
    }
    Ok(Plan {
        project: manifest.name.clone(),
        environment: environment.clone(),
        kind: RunKind::Deploy,
        branch: place.branch.clone(),
        commit: facts.commit.clone(),
        manifest: facts.manifest.clone(),
        rebuild: facts.rebuild,
        steps: graph.steps,
        notices: notices(manifest, place, facts),
    })
}

struct Graph<'f> {
    manifest: &'f Manifest,
    facts: &'f DeployFacts,
    steps: Vec<PlannedStep>,
}

impl Graph<'_> {
    /// The steps that bring a component's image to every registry; gives the last of each.
    fn images(
        &mut self,
        source: StepId,
        component: &ComponentName,
        described: &Component,
    ) -> Vec<StepId> {
        let Some(key) = self.facts.keys.get(component) else {
            return Vec::new();
        };
        let pushing = Retry {
            attempts: 4,
            pause: Span::seconds(2),
        };
        let reused = self.facts.reused(component);
        let (needs, limit) = match reused {
            Some(_) => (vec![source], Span::seconds(120)),
            None => {
                let build = StepKind::Build {
                    component: component.clone(),
                    key: key.clone(),
                };
                let built = self.add(build, vec![source], described.build.timeout, Retry::NONE);
                (vec![built], Span::seconds(1800))
            }
        };
        let mut ends = Vec::new();
        for registry in &self.manifest.registries {
            let (component, registry) = (component.clone(), registry.name.clone());
            let step = match reused {
                Some(digest) => StepKind::Tag {
                    component,
                    registry,
                    digest: digest.clone(),
                    key: Some(key.clone()),
                },
                None => StepKind::Push {
                    component,
                    registry,
                },
            };
            let end = self.add(step, needs.clone(), limit, pushing);
            self.steps[end.index()].optional = self.manifest.registries_required == Required::Any;
            ends.push(end);
        }
        ends
    }

    /// The step that tests a component, where it has tests.
    fn tests(
        &mut self,
        source: StepId,
        component: &ComponentName,
        described: &Component,
        images: &[StepId],
    ) -> Option<StepId> {
        let test = described.test.as_ref()?;
        let facts = self.facts.tests.get(component)?;
        let step = StepKind::Test {
            component: component.clone(),
            key: facts.key.clone(),
            passed: facts.passed,
        };
        let needs = match (test.is_in_built_image(), images.first()) {
            // An image that was built is on the builder before it is in a registry; a reused one comes from there.
            (true, Some(image)) if self.facts.reused(component).is_some() => vec![*image],
            (true, Some(image)) => self.steps[image.index()].needs.clone(),
            _ => vec![source],
        };
        let end = self.add(step, needs, test.timeout, Retry::NONE);
        let planned = &mut self.steps[end.index()];
        planned.optional = self.facts.tests_overridden;
        // Tests that passed before are not run again, and what they usually take is not spent.
        planned.usual_ms = planned.usual_ms.filter(|_| facts.passed.is_none());
        Some(end)
    }

    fn add(&mut self, step: StepKind, needs: Vec<StepId>, timeout: Span, retry: Retry) -> StepId {
        // A plan has a handful of steps per component; 65,536 would take a manifest of many megabytes.
        let id = StepId(u16::try_from(self.steps.len()).unwrap_or(u16::MAX));
        let usual_ms = self.facts.usual.get(&step.history_key()).copied();
        self.steps.push(PlannedStep {
            id,
            step,
            needs,
            always: false,
            optional: false,
            timeout,
            retry,
            usual_ms,
        });
        id
    }
}

/// Components, each after those that it comes `after`; the manifest's check has refused cycles.
fn deploy_order(manifest: &Manifest) -> Vec<&ComponentName> {
    let mut order: Vec<&ComponentName> = Vec::with_capacity(manifest.components.len());
    while order.len() < manifest.components.len() {
        let before = order.len();
        for (name, component) in &manifest.components {
            if !order.contains(&name) && component.after.iter().all(|a| order.contains(&a)) {
                order.push(name);
            }
        }
        if order.len() == before {
            break;
        }
    }
    order
}

fn notices(manifest: &Manifest, place: &Environment, facts: &DeployFacts) -> Vec<String> {
    let mut notices = Vec::new();
    let same = |component: &ComponentName| facts.running.get(component) == Some(&facts.commit.sha);
    if manifest.components.keys().all(same) {
        notices.push(format!(
            "commit {} already runs here; its containers will be replaced by fresh ones",
            facts.commit.sha.short()
        ));
    }
    if facts.rebuild {
        notices.push(
            "every image is built anew, without the cache and on base images as they are now: that was asked for"
                .into(),
        );
    }
    if facts.tests_overridden {
        notices.push("tests that fail do not hold up this run: that was asked for".into());
    }
    if place.approvals.is_some() {
        notices.push(
            "the environment asks for approvals, which this version of Fairlead does not heed yet"
                .into(),
        );
    }
    notices
}
