//! Workflow files that are checked before anything is built.
use domain::RunId;
use domain::log::Stream;
use domain::report::{Content, Finding, Level};
use domain::run::StepState;
use domain::step::Outcome;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Spec, World};
use store::{Store, StoreUrl};

/// One warning: it reads from a job that it does not need.
const WARNED: &str = "---
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ needs.lint.result }}
";

/// A job that is not there in line 7, a slip in line 8, and so no steps.
const BROKEN: &str = "---
on: push
jobs:
  # Everything.
  build:
    runs-on: ubuntu-latest
    needs: [lint]
    stepz:
      - run: make
";

async fn findings(world: &World, run: RunId) -> Vec<Finding> {
    let database = world.folder().join("portal/fairlead.db");
    let store = Store::open_beside(&StoreUrl::Sqlite(database))
        .await
        .unwrap();
    let artifacts = store.artifacts(run).await.unwrap();
    let [artifact] = &artifacts[..] else {
        panic!("{artifacts:?}");
    };
    match &artifact.content {
        Content::Findings(findings) => findings.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_workflow_fails_the_run_before_anything_is_built_and_says_where() {
    let spec = Spec {
        lint: true,
        ..Spec::new("lint", 18240)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let warned = App {
        workflow: Some(WARNED),
        ..App::fine("v1")
    };
    let first = world.deploy(&portal, &warned).await;
    first.succeeded();
    let StepState::Succeeded { outcome } = &first.view.steps[first.step(kind::lint).index()].state
    else {
        panic!("{}", first.story());
    };
    assert_eq!(*outcome, Outcome::Linted { warnings: 1 });
    let told = findings(&world, first.view.row.id).await;
    assert_eq!((told.len(), told[0].level), (1, Level::Warning));

    let watch = world.watch();
    // Below the folder stands no workflow, and still nothing that is no YAML.
    let below = ".github/workflows/shared/rules.yml";
    world.repository.commit_file(below, "---\na: 1\na: 2\n");
    let request = world.request();
    let run = portal.deploy(&lead(), origin(), request).await.unwrap();
    let says = "1 error in the workflow files in .github/workflows: .github/workflows/shared/rules.yml:3:1 error key-duplicates";
    ended(&portal, run).await.failed(kind::lint, &[says]);

    let broken = App {
        workflow: Some(BROKEN),
        ..App::fine("v2")
    };
    let run = world.deploy(&portal, &broken).await;
    let says = [
        "3 errors in the workflow files in .github/workflows",
        ".github/workflows/ci.yml:5:3 error missing-key: job `build` needs `steps`",
        "nothing was built",
    ];
    run.failed(kind::lint, &says);
    let built = &run.view.steps[run.step(kind::build).index()].state;
    assert_eq!(built.as_str(), "skipped", "{}", run.story());

    let told: Vec<(u32, u32, String)> = findings(&world, run.view.row.id)
        .await
        .into_iter()
        .map(|found| {
            assert_eq!(found.file, ".github/workflows/ci.yml");
            (found.line, found.column, found.rule)
        })
        .collect();
    let expected = [
        (5, 3, "missing-key"),
        (7, 13, "needs"),
        (8, 5, "unknown-key"),
    ];
    assert_eq!(
        told,
        expected.map(|(line, column, rule)| (line, column, rule.to_owned()))
    );
    let log = run.lines(run.step(kind::lint), Stream::Portal);
    let line = ".github/workflows/ci.yml:8:5 error unknown-key: unknown key `stepz` in job `build`; did you mean `steps`?";
    assert!(log.contains(&line), "{}", run.story());
    watch.saw_nothing_but("v1").await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_the_workflows_folder_fails_and_says_which_one() {
    let spec = Spec {
        lint: true,
        ..Spec::new("lint-none", 18241)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.deploy(&portal, &App::fine("v1")).await;
    let says = [
        "holds no folder `.github/workflows`",
        "correct `workflows` under `[lint]` in the manifest",
    ];
    run.failed(kind::lint, &says);
    assert_eq!(world.containers().await, []);
    engine.stop().await;
    world.close().await;
}
