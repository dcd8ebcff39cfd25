//! Commands that outlive their connection.
use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use adapters::redact::Redactor;
use adapters::ssh::{Cursor, Detached, Following, Host, Hosts, Phase, Source, SshError};
use futures::future::join_all;

use super::host;
use super::sshd::Sshd;

/// Reads on until it does not run any more.
async fn rest(following: &mut Following) -> (Vec<(Source, String)>, Phase) {
    let limit = Instant::now() + Duration::from_secs(60);
    let mut lines = Vec::new();
    loop {
        let news = following.next().await.unwrap();
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        lines.extend(
            news.lines
                .iter()
                .map(|(source, line)| (*source, text(line))),
        );
        if news.phase != Phase::Running {
            return (lines, news.phase);
        }
        assert!(Instant::now() < limit, "it does not end: {lines:?}");
    }
}

async fn started(host: &Host, key: &str, script: &str) -> Detached {
    let command = host.detached(key);
    let phase = command.start(&[], script).await.unwrap();
    assert!(
        matches!(phase, Phase::Running | Phase::Ended(_)),
        "{phase:?}"
    );
    command
}

/// A script that notes that it runs, and goes on once `go` is there.
fn counting(sshd: &Sshd) -> String {
    format!(
        "echo x >>{0}/count\necho before\nwhile ! [ -e {0}/go ]; do sleep 0.05; done\necho after\nexit 7\n",
        sshd.folder.path().display()
    )
}

fn count(sshd: &Sshd) -> usize {
    fs::read_to_string(sshd.path("count")).map_or(0, |text| text.lines().count())
}

async fn until(mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < limit, "it does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn pid(sshd: &Sshd, key: &str) -> String {
    let path = sshd.path(&format!("home/.fairlead/{key}/pid"));
    fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test]
async fn its_lines_come_by_stream_and_its_status_is_told() {
    let (sshd, host) = host().await;
    let command = host.detached("shop-dev-1");
    assert_eq!(command.look().await.unwrap(), Phase::Absent);
    let env = [("WHO", "it's $HOME; \"you\"".to_owned())];
    let script = "echo \"$WHO\"\npwd >&2\necho \"${LC_ALL-unset}\"\nprintf 'no end'\nexit 3";
    command.start(&env, script).await.unwrap();
    let (mut lines, phase) =
        rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
    lines.sort_by_key(|(source, _)| *source as usize);
    let home = sshd.path("home");
    let want = [
        (Source::Stdout, "it's $HOME; \"you\""),
        (Source::Stdout, "unset"),
        (Source::Stdout, "no end"),
        (Source::Stderr, &home),
    ];
    assert_eq!(lines, want.map(|(source, text)| (source, text.to_owned())));
    assert_eq!(phase, Phase::Ended(3));
    assert_eq!(command.look().await.unwrap(), Phase::Ended(3));
    // Started again, it only tells how it went.
    assert_eq!(command.start(&env, script).await.unwrap(), Phase::Ended(3));
    let folder = sshd.path("home/.fairlead");
    let mode = fs::metadata(&folder).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o700
    );
    command.forget().await.unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(command.look().await.unwrap(), Phase::Absent);
}

#[tokio::test]
async fn a_lost_connection_neither_ends_it_nor_starts_it_again() {
    let (mut sshd, host) = host().await;
    let script = counting(&sshd);
    let command = started(&host, "lost", &script).await;
    let mut following = command.follow(Cursor::default(), Redactor::default());
    let mut seen = following.next().await.unwrap().lines;
    while seen.is_empty() {
        seen = following.next().await.unwrap().lines;
    }
    assert_eq!(seen, [(Source::Stdout, "before".into())]);
    sshd.kill();
    let error = following.next().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    sshd.start_again();
    // Somebody else, who only knows the key and how far the lines were read.
    let again = Hosts::new().connect("test", &sshd.target()).await.unwrap();
    let again = again.detached("lost");
    assert_eq!(again.start(&[], &script).await.unwrap(), Phase::Running);
    fs::write(sshd.path("go"), "").unwrap();
    let (lines, phase) = rest(&mut again.follow(following.cursor(), Redactor::default())).await;
    assert_eq!(lines, [(Source::Stdout, "after".to_owned())]);
    assert_eq!((phase, count(&sshd)), (Phase::Ended(7), 1));
}

#[tokio::test]
async fn started_by_many_at_once_it_runs_once() {
    let (sshd, host) = host().await;
    let script = counting(&sshd);
    let all = join_all((0..6).map(|_| started(&host, "many", &script))).await;
    fs::write(sshd.path("go"), "").unwrap();
    for command in all {
        let (lines, phase) =
            rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
        assert_eq!((lines.len(), phase), (2, Phase::Ended(7)));
    }
    assert_eq!(count(&sshd), 1);
}

#[tokio::test]
async fn a_start_that_broke_off_before_it_ran_is_made_up_for() {
    let (sshd, host) = host().await;
    // What a connection leaves that broke while the script was sent, and one that broke right after.
    let folder = sshd.path("home/.fairlead");
    for name in [".new.a1b2c3d4", "early"] {
        fs::create_dir_all(format!("{folder}/{name}")).unwrap();
    }
    for name in ["out", "err", "lock"] {
        fs::write(format!("{folder}/early/{name}"), "").unwrap();
    }
    fs::write(format!("{folder}/early/script"), counting(&sshd)).unwrap();
    let command = host.detached("early");
    assert_eq!(command.look().await.unwrap(), Phase::Absent);
    let command = started(&host, "early", "echo another script").await;
    fs::write(sshd.path("go"), "").unwrap();
    let (lines, phase) = rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
    assert_eq!((lines.len(), phase), (2, Phase::Ended(7)));
    assert_eq!(count(&sshd), 1);
}

#[tokio::test]
async fn one_that_was_killed_from_outside_has_an_unknown_outcome_and_is_not_repeated() {
    let (sshd, host) = host().await;
    let script = counting(&sshd);
    let command = started(&host, "killed", &script).await;
    until(|| count(&sshd) == 1).await;
    // As a restart of the host does: the whole group at once.
    let group = format!("-{}", pid(&sshd, "killed"));
    Process::new("kill")
        .args(["-9", "--", &group])
        .status()
        .unwrap();
    let (lines, phase) = rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
    assert_eq!((lines.len(), phase), (1, Phase::Unknown));
    assert_eq!(command.start(&[], &script).await.unwrap(), Phase::Unknown);
    assert_eq!(count(&sshd), 1);
}

#[tokio::test]
async fn it_runs_for_as_long_as_a_process_of_it_lives() {
    let (sshd, host) = host().await;
    let script = counting(&sshd);
    let command = started(&host, "orphan", &script).await;
    until(|| count(&sshd) == 1).await;
    Process::new("kill")
        .args(["-9", &pid(&sshd, "orphan")])
        .status()
        .unwrap();
    assert_eq!(command.look().await.unwrap(), Phase::Running);
    fs::write(sshd.path("go"), "").unwrap();
    let (lines, phase) = rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
    assert_eq!((lines.len(), phase), (2, Phase::Unknown));
}

#[tokio::test]
async fn it_is_asked_to_end_and_killed_when_it_does_not_listen() {
    let (sshd, host) = host().await;
    // One that listens has all the time that it needs.
    let (patient, short) = (Duration::from_secs(60), Duration::from_millis(500));
    let waits = "echo started\nsleep 600\n";
    for (key, script, grace, status) in [
        ("listens", waits.to_owned(), patient, 143),
        ("does-not", format!("trap '' TERM\n{waits}"), short, 137),
    ] {
        let command = started(&host, key, &script).await;
        let mut following = command.follow(Cursor::default(), Redactor::default());
        while following.next().await.unwrap().lines.is_empty() {}
        let pid = pid(&sshd, key);
        assert_eq!(
            command.terminate(grace).await.unwrap(),
            Phase::Ended(status),
            "{key}"
        );
        // Where nobody collects it, it stays as a zombie.
        let stat = Path::new("/proc").join(pid).join("stat");
        until(|| fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
        assert_eq!(
            command.terminate(grace).await.unwrap(),
            Phase::Ended(status)
        );
    }
    let absent = host.detached("never");
    assert_eq!(absent.terminate(short).await.unwrap(), Phase::Absent);
}

#[tokio::test]
async fn much_output_comes_whole_and_once_however_often_it_is_taken_up_again() {
    let (_sshd, host) = host().await;
    let script = "for n in $(seq 1 60000); do echo \"line $n\"; [ $((n % 3)) -ne 0 ] || echo \"error $n\" >&2; done";
    let command = started(&host, "much", script).await;
    let mut cursor = Cursor::default();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        let mut following = command.follow(cursor, Redactor::default());
        let news = following.next().await.unwrap();
        for (source, line) in news.lines {
            let line = String::from_utf8_lossy(&line).into_owned();
            match source {
                Source::Stdout => out.push(line),
                Source::Stderr => err.push(line),
            }
        }
        cursor = following.cursor();
        if news.phase != Phase::Running {
            assert_eq!(news.phase, Phase::Ended(0));
            break;
        }
    }
    assert!(
        out.iter().eq((1..=60000)
            .map(|n| format!("line {n}"))
            .collect::<Vec<_>>()
            .iter())
    );
    assert!(
        err.iter().eq((1..=20000)
            .map(|n| format!("error {}", n * 3))
            .collect::<Vec<_>>()
            .iter())
    );
}

#[tokio::test]
async fn another_one_of_its_group_is_told_for_as_long_as_it_runs() {
    let (sshd, host) = host().await;
    let group = "shop/dev/web";
    let later = host.detached("shop-dev-web-2").in_group(group);
    assert_eq!(later.other().await.unwrap(), None);
    let earlier = host.detached("shop-dev-web-1").in_group(group);
    earlier.start(&[], &counting(&sshd)).await.unwrap();
    let folder = earlier.folder();
    assert_eq!(later.other().await.unwrap(), Some(folder.clone()));
    // It is not beside itself, and others are none of its business.
    assert_eq!(earlier.other().await.unwrap(), None);
    for group in ["shop/dev/web-2", "shop/dev", "shop/dev/*"] {
        let stranger = host.detached("shop-dev-web-2").in_group(group);
        assert_eq!(stranger.other().await.unwrap(), None, "{group}");
    }
    // The shell is gone, and something that it began is not.
    Process::new("kill")
        .args(["-9", &pid(&sshd, "shop-dev-web-1")])
        .status()
        .unwrap();
    assert_eq!(later.other().await.unwrap(), Some(folder));
    fs::write(sshd.path("go"), "").unwrap();
    rest(&mut earlier.follow(Cursor::default(), Redactor::default())).await;
    assert_eq!(later.other().await.unwrap(), None);
}

#[tokio::test]
async fn its_script_is_not_in_any_command_line() {
    let (sshd, host) = host().await;
    let script = format!("marked_text=1234567890abc\n{}", counting(&sshd));
    let command = started(&host, "argv", &script).await;
    until(|| count(&sshd) == 1).await;
    let all = Process::new("ps")
        .args(["-eww", "-o", "args"])
        .output()
        .unwrap();
    let all = String::from_utf8_lossy(&all.stdout);
    assert!(all.contains(".fairlead/argv/script"), "{all}");
    assert!(!all.contains("marked_text"), "{all}");
    fs::write(sshd.path("go"), "").unwrap();
    rest(&mut command.follow(Cursor::default(), Redactor::default())).await;
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_told() {
    let (sshd, host) = host().await;
    fs::write(sshd.path("home/.fairlead"), "a file").unwrap();
    let error = host.detached("x").start(&[], "true").await.unwrap_err();
    assert!(
        matches!(&error, SshError::File { path, .. } if path == "~/.fairlead/x"),
        "{error:?}"
    );
}
