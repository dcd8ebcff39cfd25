//! Values that nobody may read in a log.
use domain::log::Stream;
use faults::world::kind;
use faults::{App, Ended, Spec, World};

const SECRET: &str = "hunter2hunter2";

/// Writes one line of more than a megabyte: the secret, over and over.
const LONG_LINE: &str = "seq 80000 | sed 's/.*/hunter2hunter2/' | tr '\\n' - && echo";

/// The line came in pieces, and nowhere is a part of the secret left.
fn comes_in_pieces_without_the_secret(run: &Ended) {
    run.succeeded();
    let mut lines = run.lines(run.step(kind::migrate), Stream::Out);
    // What comes before it is the pull of the image.
    let first = lines.iter().position(|line| line.contains("[REDACTED]"));
    lines.drain(..first.expect("something is hidden"));
    let mut hidden = 0;
    for line in &lines {
        hidden += line.matches("[REDACTED]").count();
        let left = line.replace("[REDACTED]", "").replace('-', "");
        assert!(left.is_empty(), "{:?} is left", left.get(..100));
    }
    assert_eq!(hidden, 80_000);
    assert!(lines.len() > 1, "nothing was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_hidden_where_a_line_is_too_long_to_be_read_as_one() {
    let spec = Spec {
        container: "env = { WORD = \"secret:HOOK_SECRET\" }",
        ..Spec::new("long-line", 18294)
    };
    let mut world = World::new(spec).await;
    world.write_secrets(&[("HOOK_SECRET", SECRET)]);
    let dir = world.place();
    let mut migrate = async |on: &str, version| {
        let migrate = format!("on = \"{on}\", run = '''\n{LONG_LINE}\n'''");
        world.rewrite(|spec| spec.migrate = migrate).await;
        let portal = world.portal().await;
        let engine = portal.start_engine();
        let run = world.deploy(&portal, &App::fine(version)).await;
        engine.stop().await;
        run
    };
    let on_host = migrate(&format!("host\", dir = \"{dir}"), "v1").await;
    comes_in_pieces_without_the_secret(&on_host);
    let in_container = migrate("container", "v2").await;
    comes_in_pieces_without_the_secret(&in_container);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_too_short_to_be_hidden_is_named_once_in_a_run() {
    let spec = Spec {
        container: "env = { WORD = \"secret:HOOK_SECRET\" }",
        ..Spec::new("short-word", 18295)
    };
    let world = World::new(spec).await;
    world.write_secrets(&[("HOOK_SECRET", "123")]);
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.deploy(&portal, &App::fine("v1")).await;
    run.succeeded();
    let warning = "not hidden in the log because shorter than 4 bytes: HOOK_SECRET";
    let said = run.lines(run.step(kind::checkout), Stream::Portal);
    assert_eq!(said[0], warning, "{}", run.story());
    assert_eq!(run.story().matches("not hidden").count(), 1);
    engine.stop().await;
    world.close().await;
}
