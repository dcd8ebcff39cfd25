use std::time::Duration;

use adapters::ssh::{Auth, Command, Exit, Hosts, Source, SshError, Target};
use bytes::Bytes;
use futures::future::join_all;

use super::{
    host,
    sshd::{Account, Sshd},
};

#[tokio::test]
async fn a_command_gives_its_streams_apart_and_its_status() {
    let (_sshd, host) = host().await;
    let out = host
        .exec(&Command::script("echo out; echo err >&2; exit 3"), None)
        .await
        .unwrap();
    assert_eq!(
        (out.stdout.as_slice(), out.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!(out.status, Exit::Code(3));
    let out = host
        .exec(&Command::script("kill -KILL $$"), None)
        .await
        .unwrap();
    assert!(
        matches!(&out.status, Exit::Signal(name) if name == "KILL")
            || out.status == Exit::Code(137),
        "{:?}",
        out.status
    );
    let out = host
        .exec(&Command::new("no-such-program"), None)
        .await
        .unwrap();
    assert_eq!(out.status, Exit::Code(127));
}

#[tokio::test]
async fn input_reaches_the_command_and_may_be_left_unread() {
    let (_sshd, host) = host().await;
    let data = Bytes::from(vec![b'x'; 20 << 20]);
    let out = host
        .exec(&Command::new("wc").arg("-c"), Some(data.clone()))
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout).trim(),
        (20 << 20).to_string()
    );
    let reads_nothing = Command::new("true");
    let unread = host.exec(&reads_nothing, Some(data));
    let out = tokio::time::timeout(Duration::from_secs(20), unread)
        .await
        .expect("it hangs")
        .unwrap();
    assert!(out.status.success());
    let out = host.exec(&Command::new("cat"), None).await.unwrap();
    assert!(out.status.success() && out.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_on_each_stream_arrive_whole() {
    let (_sshd, host) = host().await;
    let both = Command::script(
        "yes 0123456789 | head -c 50000000 & yes abcdefghij | head -c 50000000 >&2; wait",
    );
    let out = host.exec(&both, None).await.unwrap();
    assert_eq!(
        (out.stdout.len(), out.stderr.len()),
        (50_000_000, 50_000_000)
    );
    assert!(
        out.stdout
            .chunks_exact(11)
            .all(|line| line == b"0123456789\n")
    );
    assert!(
        out.stderr
            .chunks_exact(11)
            .all(|line| line == b"abcdefghij\n")
    );
}

#[tokio::test]
async fn lines_come_while_the_command_runs() {
    let (sshd, host) = host().await;
    let gate = sshd.path("gate");
    // It only goes on after its first line was seen.
    let command = Command::script(
        r#"echo first; while ! [ -e "$1" ]; do sleep 0.02; done; echo second >&2; printf third"#,
    )
    .arg(&gate);
    let mut lines = Vec::new();
    let exit = host
        .exec_lines(&command, None, |source, line| {
            lines.push((source, String::from_utf8_lossy(line).into_owned()));
            if lines.len() == 1 {
                std::fs::write(&gate, "").unwrap();
            }
        })
        .await
        .unwrap();
    assert!(exit.success());
    lines.sort_by_key(|(_, text)| text.clone());
    let want = [
        (Source::Stdout, "first"),
        (Source::Stderr, "second"),
        (Source::Stdout, "third"),
    ];
    assert_eq!(lines, want.map(|(source, text)| (source, text.to_owned())));
}

#[tokio::test]
async fn a_command_ends_when_nobody_waits_for_it_any_more() {
    let sshd = Sshd::start();
    // OpenSSH passes signals on for every account but root.
    let user = format!("fl{}", sshd.port);
    let _account = Account::new(&user, "pw");
    let target = Target {
        user,
        auth: Auth::Password("pw".into()),
        ..sshd.target()
    };
    let host = Hosts::new().connect("test", &target).await.unwrap();
    let (pid, told) = tokio::sync::oneshot::channel();
    let mut pid = Some(pid);
    let command = Command::script("echo $$; sleep 600; :");
    let running = host.exec_lines(&command, None, |_, line| {
        let _ = pid
            .take()
            .unwrap()
            .send(String::from_utf8_lossy(line).into_owned());
    });
    let pid = tokio::select! {
        _ = running => panic!("it ended by itself"),
        pid = told => pid.unwrap(),
    };
    let process = std::path::Path::new("/proc").join(&pid);
    for _ in 0..200 {
        if !process.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {pid} still runs");
}

#[tokio::test]
async fn a_lost_connection_is_no_status_and_the_next_command_gets_a_new_connection() {
    let (mut sshd, host) = host().await;
    let begun = sshd.path("begun");
    let sleep = Command::script("touch \"$1\"; sleep 600").arg(&begun);
    let slow = host.exec(&sleep, None);
    let (out, ()) = tokio::join!(slow, async {
        while !std::path::Path::new(&begun).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sshd.kill();
    });
    assert_eq!(
        out.unwrap_err(),
        SshError::Lost {
            host: "test".into()
        }
    );
    sshd.start_again();
    let out = host
        .exec(&Command::new("echo").arg("back"), None)
        .await
        .unwrap();
    assert_eq!(out.stdout, b"back\n");
}

#[tokio::test]
async fn more_commands_than_the_server_allows_sessions_run_in_turn() {
    let (_sshd, host) = host().await;
    let all = join_all((0..30).map(|n| {
        let host = host.clone();
        async move {
            host.exec(
                &Command::script(r#"sleep 0.1; echo "$1""#).arg(n.to_string()),
                None,
            )
            .await
            .unwrap()
            .stdout
        }
    }));
    for (n, out) in all.await.into_iter().enumerate() {
        assert_eq!(out, format!("{n}\n").into_bytes());
    }
}

#[tokio::test]
async fn a_command_line_with_a_nul_byte_is_refused() {
    let (_sshd, host) = host().await;
    let error = host
        .exec(&Command::new("echo").arg("a\0b"), None)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        SshError::BadCommand {
            host: "test".into()
        }
    );
}
