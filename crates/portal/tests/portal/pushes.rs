//! What pushes start, and what they do not.
use domain::audit::{Change, Door};
use domain::policy::ActorName;
use domain::push::{Came, DeliveryId, Push, Told};
use domain::run::RunState;
use domain::view::IdlePush;
use domain::{EnvName, RunId, Sha};
use portal::{NewDelivery, OpenDelivery};

use crate::support::{
    MANIFEST, SECRETS, TestPortal, env, git, lead, login, now, origin, project, write_secrets,
};

/// A push of `dev` to a branch of `acme/shop`.
pub fn push(guid: &str, branch: &str, before: Option<&Sha>, after: Option<&Sha>) -> NewDelivery {
    NewDelivery {
        guid: guid.into(),
        event: "push".into(),
        repository: "Acme/Shop".into(),
        told: Told::Push(Push {
            reference: format!("refs/heads/{branch}"),
            before: before.cloned(),
            after: after.cloned(),
            commits: None,
            title: "Weigh cuts".into(),
            by: login("dev"),
        }),
    }
}

/// GitHub tells, and the portal acts on it as far as it can.
async fn told(world: &TestPortal, new: NewDelivery) -> DeliveryId {
    let (id, _) = world.portal.take_in_delivery(new).await.unwrap();
    act(world).await;
    id
}

async fn open(world: &TestPortal) -> Vec<OpenDelivery> {
    world.store.open_deliveries(now()).await.unwrap()
}

async fn act(world: &TestPortal) {
    for delivery in open(world).await {
        world.portal.act_on(&delivery).await.unwrap();
    }
}

async fn came(world: &TestPortal, id: DeliveryId) -> Vec<(Option<EnvName>, Came)> {
    let page = world
        .portal
        .deliveries(&lead(), &project("shop"), None, 50)
        .await;
    let mut rows = page.unwrap().deliveries.into_iter();
    rows.find(|row| row.id == id).unwrap().came
}

/// The run of `dev` that a delivery led to.
async fn run_of(world: &TestPortal, id: DeliveryId) -> RunId {
    match &came(world, id).await[..] {
        [(Some(place), Came::Run { run })] if *place == env("dev") => *run,
        other => panic!("{other:?}"),
    }
}

/// Why a delivery led to nothing.
async fn why(world: &TestPortal, id: DeliveryId) -> String {
    match &came(world, id).await[..] {
        [(_, Came::Ignored { why })] => why.clone(),
        other => panic!("{other:?}"),
    }
}

/// What the board says of a push to `dev` that started no run.
async fn idle_push(world: &TestPortal) -> Option<IdlePush> {
    let board = world.portal.board(&lead(), &project("shop")).await;
    let mut lanes = board.unwrap().lanes.into_iter();
    lanes.find(|lane| lane.environment == env("dev"))?.idle_push
}

/// A portal whose mirror is at the first commit, which is given.
async fn world_with(manifest: &str) -> (TestPortal, Sha) {
    let world = TestPortal::with(&[("shop", manifest)]).await;
    let first = Sha::parse(git(&world.work(), &["rev-parse", "HEAD"])).unwrap();
    (world, first)
}

#[tokio::test]
async fn a_push_starts_a_run_in_the_pusher_s_name() {
    let (world, first) = world_with(MANIFEST).await;
    let head = world.commit("Second", &[("a", "1")]);
    let delivery = told(
        &world,
        push("guid-1", "development", Some(&first), Some(&head)),
    )
    .await;
    let run = run_of(&world, delivery).await;
    let stored = world.store.load_run(run).await.unwrap();
    let dev = ActorName::Push {
        login: login("dev"),
    };
    assert_eq!((&stored.row.by, &stored.row.commit.sha), (&dev, &head));
    assert_eq!(stored.row.state, RunState::Queued);
    let trail = world.trail_of("shop").await;
    assert_eq!(
        (&trail[0].actor, trail[0].origin.door),
        (&dev, Door::Webhook)
    );
    assert_eq!(trail[0].origin.request.as_deref(), Some("guid-1"));
    assert!(open(&world).await.is_empty());
}

#[tokio::test]
async fn a_portal_that_dies_before_it_closes_a_delivery_starts_no_second_run() {
    let (world, first) = world_with(MANIFEST).await;
    let head = world.commit("Second", &[("a", "1")]);
    let new = push("guid-1", "development", Some(&first), Some(&head));
    let (id, _) = world.portal.take_in_delivery(new.clone()).await.unwrap();
    let delivery = open(&world).await.remove(0);
    for _ in 0..3 {
        world.portal.act_on(&delivery).await.unwrap();
    }
    // GitHub tells it again, too.
    assert_eq!(told(&world, new).await, id);
    run_of(&world, id).await;
    let runs = world
        .store
        .runs(&Default::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(runs.len(), 1);
}

#[tokio::test]
async fn a_push_goes_where_the_branch_leads_and_needs_no_role_there() {
    let (world, first) = world_with(MANIFEST).await;
    let head = world.commit("Second", &[("a", "1")]);
    world.push("development:main");
    // Leads only may press Deploy there.
    let main = told(&world, push("1", "main", Some(&first), Some(&head))).await;
    assert!(
        matches!(&came(&world, main).await[..], [(Some(place), Came::Run { .. })] if *place == env("prod"))
    );
    let other = told(&world, push("2", "feature", Some(&first), Some(&head))).await;
    assert_eq!(
        why(&world, other).await,
        "no environment follows the branch `feature`"
    );
    let gone = told(&world, push("3", "development", Some(&first), None)).await;
    assert_eq!(
        why(&world, gone).await,
        "the branch `development` was deleted"
    );
    let elsewhere = NewDelivery {
        repository: "acme/other".into(),
        ..push("4", "development", Some(&first), Some(&head))
    };
    told(&world, elsewhere).await;
    assert!(open(&world).await.is_empty());
    let runs = world
        .store
        .runs(&Default::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(runs.len(), 1);
}

#[tokio::test]
async fn an_environment_that_is_not_deployed_on_push_says_so() {
    let manifest = MANIFEST.replace(
        "branch = \"development\"\n",
        "branch = \"development\"\ndeploy_on_push = false\n",
    );
    let (world, first) = world_with(&manifest).await;
    let head = world.commit("Second", &[("a", "1")]);
    let delivery = told(&world, push("1", "development", Some(&first), Some(&head))).await;
    assert!(
        why(&world, delivery)
            .await
            .contains("`deploy_on_push` of dev is off")
    );
}

#[tokio::test]
async fn a_push_of_documents_alone_starts_nothing() {
    let manifest = format!("{MANIFEST}\n[on_push]\nignore = [\"**.md\"]\n");
    let (world, first) = world_with(&manifest).await;
    let docs = world.commit("Docs", &[("README.md", "1")]);
    let delivery = told(&world, push("1", "development", Some(&first), Some(&docs))).await;
    assert_eq!(
        why(&world, delivery).await,
        "only `README.md` was changed, which `[on_push] ignore` covers"
    );
    let idle = idle_push(&world).await.unwrap();
    assert_eq!((&idle.commit, idle.blocked), (&docs, false));
    assert!(idle.why.contains("README.md"), "{}", idle.why);
    // Of several commits, all count.
    world.commit("Code", &[("a", "1")]);
    let docs_again = world.commit("Docs again", &[("README.md", "2")]);
    let mixed = told(
        &world,
        push("2", "development", Some(&docs), Some(&docs_again)),
    )
    .await;
    run_of(&world, mixed).await;
    assert_eq!(idle_push(&world).await, None);
    // Back to the documents: what the branch had before and has no more was code.
    git(
        &world.work(),
        &["reset", "--quiet", "--hard", docs.as_str()],
    );
    world.push("development");
    let back = push("3", "development", Some(&docs_again), Some(&docs));
    let back = told(&world, back).await;
    let run = run_of(&world, back).await;
    assert_eq!(world.store.run_row(run).await.unwrap().commit.sha, docs);
}

#[tokio::test]
async fn of_a_new_branch_its_own_commits_count_and_what_is_not_known_starts_a_run() {
    let manifest = format!("{MANIFEST}\n[on_push]\nignore = [\"**.md\"]\n");
    let (world, _) = world_with(&manifest).await;
    let docs = world.commit("Docs", &[("README.md", "1")]);
    let new = |guid: &str, commits: Option<Vec<Sha>>| {
        let mut new = push(guid, "development", None, Some(&docs));
        if let Told::Push(push) = &mut new.told {
            push.commits = commits;
        }
        new
    };
    let own = told(&world, new("1", Some(vec![docs.clone()]))).await;
    assert!(why(&world, own).await.contains("README.md"));
    let cut_off = told(&world, new("2", None)).await;
    run_of(&world, cut_off).await;
    // A branch made of commits that were there before brings none.
    let none = told(&world, new("3", Some(vec![]))).await;
    run_of(&world, none).await;
    // The commit before was pushed over before anybody looked.
    let unknown = Sha::parse("a".repeat(40)).unwrap();
    let over = told(
        &world,
        push("4", "development", Some(&unknown), Some(&docs)),
    )
    .await;
    run_of(&world, over).await;
}

#[tokio::test]
async fn a_newer_push_takes_the_place_of_the_run_that_waits_and_an_older_one_comes_too_late() {
    let (world, first) = world_with(MANIFEST).await;
    let second = world.commit("Second", &[("a", "1")]);
    let older = told(
        &world,
        push("1", "development", Some(&first), Some(&second)),
    )
    .await;
    let older = run_of(&world, older).await;
    let third = world.commit("Third", &[("a", "2")]);
    let newer = told(
        &world,
        push("2", "development", Some(&second), Some(&third)),
    )
    .await;
    let newer = run_of(&world, newer).await;
    assert_eq!(world.state(older).await, RunState::Superseded);
    assert_eq!(world.state(newer).await, RunState::Queued);
    let late = told(
        &world,
        push("3", "development", Some(&first), Some(&second)),
    )
    .await;
    let (third, second) = (third.short(), second.short());
    assert_eq!(
        why(&world, late).await,
        format!("run #{newer} is about {third}, which comes after {second}")
    );
    assert_eq!(world.state(newer).await, RunState::Queued);
}

#[tokio::test]
async fn a_commit_that_was_pushed_over_is_not_deployed() {
    let (world, first) = world_with(MANIFEST).await;
    let lost = world.commit("Lost", &[("a", "1")]);
    // The mirror has seen it, as that of a portal at work has.
    world.deploy().await;
    git(
        &world.work(),
        &["reset", "--quiet", "--hard", first.as_str()],
    );
    let head = world.commit("Instead", &[("b", "1")]);
    let over = told(&world, push("1", "development", Some(&first), Some(&lost))).await;
    let expected = format!(
        "a later push took {} off the branch `development`",
        lost.short()
    );
    assert_eq!(why(&world, over).await, expected);
    let forced = told(&world, push("2", "development", Some(&lost), Some(&head))).await;
    run_of(&world, forced).await;
}

#[tokio::test]
async fn what_stands_in_the_way_does_not_lose_the_push() {
    let (world, first) = world_with(MANIFEST).await;
    write_secrets(world.root.path(), &SECRETS.replace("SSH_PASSWORD", "OTHER"));
    let head = world.commit("Second", &[("a", "1")]);
    let delivery = told(
        &world,
        push("guid", "development", Some(&first), Some(&head)),
    )
    .await;
    match &came(&world, delivery).await[..] {
        [(Some(place), Came::Blocked { why })] => {
            assert_eq!(*place, env("dev"));
            assert!(why.contains("SSH_PASSWORD"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let idle = idle_push(&world).await.unwrap();
    assert_eq!((&idle.commit, idle.blocked), (&head, true));
    assert!(open(&world).await.is_empty());

    write_secrets(world.root.path(), SECRETS);
    let shop = project("shop");
    let again = world
        .portal
        .redeliver(&lead(), origin(), &shop, delivery)
        .await;
    let again = again.unwrap();
    act(&world).await;
    let run = run_of(&world, again).await;
    let row = world.store.run_row(run).await.unwrap();
    assert_eq!(
        row.by,
        ActorName::Push {
            login: login("dev")
        }
    );
    let trail = world.trail_of("shop").await;
    assert_eq!(trail[0].origin.request.as_deref(), Some("guid/shop.1"));
    assert_eq!(trail[1].what, Change::DeliveryRepeated { delivery, again });
    assert_eq!(trail[1].actor, lead().name);
}

#[tokio::test]
async fn a_push_waits_for_a_repository_that_cannot_be_read_and_says_so_in_the_end() {
    let (world, first) = world_with(MANIFEST).await;
    let head = world.commit("Second", &[("a", "1")]);
    let repository = world.root.path().join("repositories/acme/shop.git");
    let away = repository.with_extension("away");
    std::fs::rename(&repository, &away).unwrap();
    let new = |guid: &str| push(guid, "development", Some(&first), Some(&head));
    let (id, _) = world.portal.take_in_delivery(new("1")).await.unwrap();
    let mut delivery = open(&world).await.remove(0);
    assert!(world.portal.act_on(&delivery).await.is_err());
    assert_eq!(open(&world).await.len(), 1, "it stays open");
    assert!(came(&world, id).await.is_empty());

    delivery.tries = 7;
    world.portal.act_on(&delivery).await.unwrap();
    assert!(
        matches!(&came(&world, id).await[..], [(_, Came::Blocked { why })] if why.contains("tried 8 times"))
    );
    std::fs::rename(&away, &repository).unwrap();
    let later = told(&world, new("2")).await;
    run_of(&world, later).await;
}
