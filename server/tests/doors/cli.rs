//! The command line, as a process.
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::world::{World, fixed, write};

fn fairlead(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .current_dir(dir)
        .args(args)
        .env_remove("FAIRLEAD_CONFIG")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_prints_every_problem_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let broken = r#"name = "shop"
repository = "meats-central/shop"
colour = "red"
[components.backend]
image = "shop-backend"
after = ["frontend"]
container = { name = "shop-backend", restart = "sometimes" }
[environments.dev]
branch = "development"
"#;
    write(&dir.path().join("shop.toml"), broken);
    let checked = fairlead(dir.path(), &["check", "shop.toml"]);
    let printed = out(&checked);
    assert_eq!(checked.status.code(), Some(1), "{printed}");
    let expected = include_str!("golden/check.txt");
    assert_eq!(
        printed, expected,
        "\n--- printed\n{printed}\n--- expected\n{expected}"
    );
    assert_eq!(
        err(&checked),
        format!("fairlead: {} problems found\n", expected.lines().count())
    );
}

#[test]
fn check_is_content_with_the_documented_example() {
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/example/projectmeats.toml"
    );
    let checked = fairlead(Path::new("/"), &["check", example]);
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(
        out(&checked),
        format!("{example}: well: project projectmeats, 2 components, 3 environments\n")
    );
}

#[test]
fn a_wrong_command_line_or_configuration_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let missing = fairlead(dir.path(), &["check", "none.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        err(&missing).starts_with("fairlead: none.toml cannot be read: No such file"),
        "{}",
        err(&missing)
    );
    assert_eq!(fairlead(dir.path(), &["deploy"]).status.code(), Some(2));
    write(&dir.path().join("fairlead.toml"), "listen = 3000\n");
    for command in [
        &["serve"][..],
        &["audit", "verify"],
        &["token", "list"],
        &["plan", "shop", "dev"],
    ] {
        let args: Vec<&str> = command
            .iter()
            .copied()
            .chain(["--config", "fairlead.toml"])
            .collect();
        let failed = fairlead(dir.path(), &args);
        assert_eq!(failed.status.code(), Some(2), "{args:?}");
        assert!(
            err(&failed).contains("fairlead.toml:1:10: invalid type: integer `3000`, expected"),
            "{}",
            err(&failed)
        );
    }
}

/// A folder that `fairlead serve` starts in, without any project.
fn portal_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("projects")).unwrap();
    write(&dir.path().join("secrets.env"), "X=y\n");
    write(
        &dir.path().join("fairlead.toml"),
        &fixed("http://localhost:3000", "http://127.0.0.1:9"),
    );
    dir
}

#[tokio::test]
async fn serve_on_a_database_that_it_must_not_use_says_why_and_ends_with_1() {
    let dir = portal_folder();
    let run = |args: &[&str]| {
        let config = ["--config", "fairlead.toml"];
        fairlead(dir.path(), &[args, &config].concat())
    };
    assert_eq!(run(&["token", "list"]).status.code(), Some(0));
    let database = dir.path().join("portal/fairlead.db");

    std::fs::set_permissions(&database, PermissionsExt::from_mode(0o400)).unwrap();
    let read_only = run(&["serve"]);
    assert_eq!(read_only.status.code(), Some(1), "{}", err(&read_only));
    assert!(
        err(&read_only).contains("fairlead.db is read-only; give the account"),
        "{}",
        err(&read_only)
    );
    std::fs::set_permissions(&database, PermissionsExt::from_mode(0o600)).unwrap();

    let url = format!("sqlite://{}", database.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let newer = run(&["serve"]);
    assert_eq!(newer.status.code(), Some(1), "{}", err(&newer));
    assert!(
        err(&newer).contains("is at version 9999") && err(&newer).contains("start the newer"),
        "{}",
        err(&newer)
    );
}

#[test]
fn tokens_are_made_listed_and_revoked_and_the_trail_tells_it() {
    let dir = portal_folder();
    let run = |args: &[&str]| {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--config", "fairlead.toml"])
            .collect();
        fairlead(dir.path(), &args)
    };
    let made = run(&[
        "token",
        "create",
        "ci",
        "--role",
        "developer",
        "--project",
        "shop",
        "--days",
        "7",
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    let token = out(&made);
    assert!(
        token.starts_with("fl_") && token.trim_end().len() == 67 && token.ends_with('\n'),
        "{token}"
    );
    let twice = run(&["token", "create", "ci", "--role", "viewer"]);
    assert_eq!(twice.status.code(), Some(1));
    let listed = out(&run(&["token", "list"]));
    assert!(
        listed.starts_with("ci: developer in shop, good until "),
        "{listed}"
    );
    assert!(!listed.contains("fl_"));
    assert_eq!(
        run(&["token", "create", "x", "--role", "boss"])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(out(&run(&["token", "revoke", "ci"])), "ci is revoked\n");
    assert!(out(&run(&["token", "list"])).contains("revoked 20"));
    let verified = run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", err(&verified));
    let told = out(&verified);
    assert!(
        told.starts_with("project:shop: 2 events, unbroken, ends with "),
        "{told}"
    );
}

#[test]
fn enrol_says_what_it_cannot_reach() {
    let refused = fairlead(Path::new("/"), &["host", "enrol", "127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("127.0.0.1:1"), "{}", err(&refused));
    assert_eq!(
        fairlead(Path::new("/"), &["host", "enrol", "a:b"])
            .status
            .code(),
        Some(2)
    );
}

#[tokio::test]
async fn a_trail_that_was_changed_ends_the_verification_with_1() {
    let dir = portal_folder();
    let run = |args: &[&str]| {
        let config = ["--config", "fairlead.toml"];
        fairlead(dir.path(), &[args, &config].concat())
    };
    // Another folder than the portal's: nothing to verify, and nothing is made.
    let nowhere = run(&["audit", "verify"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert_eq!(out(&nowhere), "");
    let words = err(&nowhere);
    assert!(
        words.contains("there is no database at ") && words.contains("`data_dir`"),
        "{words}"
    );
    assert!(!dir.path().join("portal").exists());

    assert_eq!(run(&["token", "list"]).status.code(), Some(0));
    let empty = run(&["audit", "verify"]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(
        err(&empty).contains("fairlead.db is empty"),
        "{}",
        err(&empty)
    );

    for name in ["one", "two"] {
        let made = run(&["token", "create", name, "--role", "viewer"]);
        assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    }
    let whole = run(&["audit", "verify"]);
    assert_eq!(whole.status.code(), Some(0), "{}", err(&whole));
    let told = out(&whole);
    assert!(told.starts_with("portal: 2 events, unbroken"), "{told}");

    let url = format!("sqlite://{}/portal/fairlead.db", dir.path().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let forget = "DROP TRIGGER audit_is_not_deleted; DELETE FROM audit WHERE seq = 2";
    sqlx::raw_sql(forget).execute(&pool).await.unwrap();
    pool.close().await;
    let broken = run(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(
        out(&broken),
        "portal: the audit trail is broken at event 2: it is missing\n"
    );
    assert!(
        err(&broken).contains("changed from outside"),
        "{}",
        err(&broken)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_prints_the_steps_or_what_stands_in_the_way() {
    let world = World::new().await;
    let plan_with = |environment, more: &[&str]| {
        let args = ["plan", "shop", environment, "--config", "fairlead.toml"];
        let args = [&args[..], more].concat();
        tokio::task::block_in_place(|| fairlead(world.dir.path(), &args))
    };
    let plan = |environment| plan_with(environment, &[]);
    let dev = plan("dev");
    let printed = out(&dev);
    assert_eq!(dev.status.code(), Some(0), "{printed}{}", err(&dev));
    let mut lines = printed.lines();
    assert_eq!(
        lines.next(),
        Some("Deploy of shop to dev, branch development")
    );
    let commit = lines.next().unwrap();
    assert!(
        commit.starts_with("commit ") && commit.contains(" Begin (Dev, "),
        "{printed}"
    );
    for (n, line) in lines.clone().take(4).enumerate() {
        assert!(
            line.trim_start().starts_with(&format!("{n}  ")),
            "{printed}"
        );
    }
    assert!(printed.contains("(after "), "{printed}");

    let prod = plan("prod");
    assert_eq!(prod.status.code(), Some(1));
    let blocked = out(&prod);
    assert!(
        blocked.starts_with("blocked: ") && blocked.contains("NO_SUCH_SECRET"),
        "{blocked}"
    );
    assert_eq!(err(&prod), "fairlead: a deploy cannot start now\n");
    // Nothing was asked for.
    assert_eq!(plan("nowhere").status.code(), Some(1));
    let again = out(&plan("dev"));
    assert!(!again.contains("It would wait"), "{again}");
    let anew = out(&plan_with("dev", &["--rebuild"]));
    for said in [
        "build the image of backend anew",
        "note: every image is built anew",
    ] {
        assert!(anew.contains(said) && !again.contains(said), "{anew}");
    }
}

#[test]
fn serve_warns_of_an_open_data_folder_and_stops_when_it_is_told_to() {
    let dir = portal_folder();
    let folder = dir.path().join("portal");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let mut serving = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .current_dir(dir.path())
        .args(["serve", "--config", "fairlead.toml"])
        .env_remove("FAIRLEAD_CONFIG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(serving.stderr.take().unwrap()).lines();
    let mut warned = false;
    let ready = loop {
        let line = said.next().expect("it gets ready").unwrap();
        warned |= line.contains(&format!("chmod 700 {}", folder.display()));
        if line.contains("Fairlead is ready") {
            break line;
        }
    };
    assert!(warned, "nothing is said of the folder");
    let listen = ready.split("listen=").nth(1).expect("the address");
    let listen = listen.split_whitespace().next().unwrap();
    // A browser keeps its connection open.
    let idle = TcpStream::connect(listen).unwrap();

    let pid = serving.id().to_string();
    let begun = Instant::now();
    let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(told.success());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    let ended = serving.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{rest:?}");
    assert_eq!(ended.code(), Some(0), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("SIGTERM: stopping")),
        "{rest:?}"
    );
    drop(idle);
}
