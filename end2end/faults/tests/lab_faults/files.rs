//! Files that are written on the host before the container starts.
use faults::world::kind;
use faults::{App, Mode, Spec, World};

const OPEN: &str =
    "files = [{ path = \"/home/django/faults-modes/text\", template = \"greeting\" }]\n";
const CLOSED: &str = "files = [{ path = \"/home/django/faults-modes/text\", template = \"greeting\", mode = \"0600\" }]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_mode_alone_is_another_gets_it_and_the_one_before_keeps_its_own() {
    let spec = Spec {
        component: OPEN,
        ..Spec::new("modes", 18_353)
    };
    let mut world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let list = format!("cd {} && stat -c '%a %n' *", world.place());
    assert_eq!(world.droplet.shell(&list).await.trim(), "644 text");
    world.rewrite(|spec| spec.component = CLOSED).await;
    let run = world.deploy(&portal, &App::of("v2", Mode::Exits)).await;
    run.failed(kind::deploy, &[]);
    let put_back = world.droplet.shell(&list).await;
    assert_eq!(put_back.trim(), "644 text", "{}", run.story());
    let run = world.deploy(&portal, &App::fine("v3")).await;
    run.succeeded();
    let changed = world.droplet.shell(&list).await;
    assert_eq!(
        changed.trim(),
        "600 text\n644 text.previous",
        "{}",
        run.story()
    );
    engine.stop().await;
    world.close().await;
}
