//! A release: what the runs of one commit made of it, and where they brought it.
use std::collections::BTreeMap;

use domain::policy::Actor;
use domain::release::TreeKey;
use domain::step::{Outcome, StepKind};
use domain::view::{
    ReleaseComponent, ReleaseImage, ReleaseMigration, ReleasePlace, ReleaseTests, ReleaseView,
    RunFilter,
};
use domain::{ComponentName, Ms, ProjectName, Sha};
use store::StoredRun;

use crate::{Error, Portal, now};

/// Of how many runs a release is told.
const RUNS: i64 = 100;

impl Portal {
    /// What became of a commit, if any run was about it.
    pub async fn release(
        &self,
        actor: &Actor,
        project: &ProjectName,
        commit: &Sha,
    ) -> Result<ReleaseView, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let store = &self.parts().store;
        let filter = RunFilter {
            project: Some(project.clone()),
            commit: Some(commit.clone()),
            ..RunFilter::default()
        };
        let rows = store.runs(&filter, None, RUNS).await?;
        let Some(first) = rows.first() else {
            return Err(Error::NotFound(format!(
                "no run of `{project}` was about commit {commit}; the board shows what can be deployed"
            )));
        };
        let mut told = Told::default();
        for row in &rows {
            told.take(&store.load_run(row.id).await?)?;
        }
        let running = store.running(project).await?;
        let runs_now = |place: &ReleasePlace| {
            let there = running.get(&place.environment);
            there
                .and_then(|there| there.get(&place.component))
                .is_some_and(|there| there.run == place.run)
        };
        for place in &mut told.places {
            place.runs_now = runs_now(place);
        }
        told.places
            .sort_by_key(|place| std::cmp::Reverse(place.since));
        let keys = self.known_keys(&in_force.manifest, commit).await;
        let described = &in_force.manifest.components;
        // Those that the manifest does not describe any more come last.
        let made = told.components.keys();
        let gone: Vec<ComponentName> = made
            .filter(|name| !described.contains_key(*name))
            .cloned()
            .collect();
        let components = described.keys().cloned().chain(gone).map(|name| {
            let (images, tested) = told.components.remove(&name).unwrap_or_default();
            ReleaseComponent {
                key: keys.get(&name).cloned(),
                component: name,
                images,
                tested,
            }
        });
        Ok(ReleaseView {
            project: project.clone(),
            commit: first.commit.clone(),
            commit_url: self.commit_url(&in_force.manifest, commit),
            components: components.collect(),
            places: told.places,
            migrations: told.migrations,
            runs: rows,
            now: now(),
        })
    }
}

/// What runs tell of a release.
#[derive(Default)]
struct Told {
    components: BTreeMap<ComponentName, (Vec<ReleaseImage>, Option<ReleaseTests>)>,
    places: Vec<ReleasePlace>,
    migrations: Vec<ReleaseMigration>,
}

impl Told {
    fn take(&mut self, stored: &StoredRun) -> Result<(), Error> {
        let (row, run) = (&stored.row, stored.run()?);
        for (planned, step) in run.plan.steps.iter().zip(&run.steps) {
            let Some(outcome) = run.outcome(planned.id) else {
                continue;
            };
            // A run that repeats another one takes over what that has done.
            let did = stored.who_did(planned.id);
            match (&planned.step, outcome) {
                (
                    StepKind::Push {
                        component,
                        registry,
                    }
                    | StepKind::Tag {
                        component,
                        registry,
                        ..
                    },
                    Outcome::Pushed { digest, bytes },
                ) => {
                    let (images, _) = self.components.entry(component.clone()).or_default();
                    let tag = run.plan.tag(component);
                    let known = images
                        .iter_mut()
                        .find(|image| image.registry == *registry && image.digest == *digest);
                    match known {
                        Some(image) if image.tags.contains(&tag) => {}
                        Some(image) => image.tags.push(tag),
                        None => images.push(ReleaseImage {
                            registry: registry.clone(),
                            digest: digest.clone(),
                            bytes: *bytes,
                            tags: vec![tag],
                        }),
                    }
                }
                (StepKind::Test { component, .. }, Outcome::Tested { passed, .. }) => {
                    let (_, tested) = self.components.entry(component.clone()).or_default();
                    tested.get_or_insert(ReleaseTests {
                        run: did,
                        passed: *passed,
                    });
                }
                (
                    StepKind::Test {
                        component,
                        passed: Some(run),
                        ..
                    },
                    Outcome::Nothing { .. },
                ) => {
                    let (_, tested) = self.components.entry(component.clone()).or_default();
                    tested.get_or_insert(ReleaseTests {
                        run: *run,
                        passed: None,
                    });
                }
                (StepKind::Migrate { component, .. }, Outcome::Migrated { before, after })
                    if did == row.id =>
                {
                    self.migrations.push(ReleaseMigration {
                        environment: row.environment.clone(),
                        component: component.clone(),
                        run: row.id,
                        before: before.clone(),
                        after: after.clone(),
                    });
                }
                (StepKind::Deploy { component, .. }, Outcome::Deployed { .. }) => {
                    self.places.push(ReleasePlace {
                        environment: row.environment.clone(),
                        component: component.clone(),
                        run: row.id,
                        since: step.ended.unwrap_or(Ms(0)),
                        runs_now: false,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The keys of a release by component.
pub(crate) type Keys = BTreeMap<ComponentName, TreeKey>;
