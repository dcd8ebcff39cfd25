//! Runs the `git` program: never through a shell, in a clean environment, and never longer than somebody waits for it.
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use url::Url;

use super::error::{GitError, last_lines};

/// The only variables that git inherits: where programs are, the way out, and whom to trust.
/// A `GIT_DIR` or a person's own configuration would change what it does.
const INHERITED: [&str; 12] = [
    "PATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "TMPDIR",
];

/// Settings of every call.
const SETTINGS: [(&str, &str); 6] = [
    // A redirect would carry the token to another host.
    ("http.followRedirects", "false"),
    // Less than 1 kB/s for 30 s is a connection that is dead.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    // Housekeeping in the background would outlive the lock on the mirror.
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
    // A commit that was released stays readable after a force push.
    ("gc.pruneExpire", "never"),
];

/// A call of git, to be run.
pub(super) struct Git {
    command: Command,
    name: String,
    settings: Vec<(String, String)>,
}

/// A program that ran to its end.
pub(super) struct Finished {
    pub ok: bool,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Git {
    /// `git --git-dir=<mirror> <subcommand>`.
    pub fn new(mirror: &Path, subcommand: &str) -> Self {
        let mut command = Command::new("git");
        command.env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "file:http:https")
            .env("GIT_DIR", mirror)
            .arg(subcommand)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let settings = SETTINGS
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec();
        Self {
            command,
            name: subcommand.to_owned(),
            settings,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Sends a token to this server and to no other. It goes through the environment, which only the same user can
    /// see: not into the process list, the address or a file.
    pub fn token(mut self, url: &Url, token: &SecretString) -> Self {
        let server = format!("http.{}/.extraHeader", url.origin().ascii_serialization());
        let login = BASE64_STANDARD.encode(format!("x-access-token:{}", token.expose_secret()));
        self.settings
            .push((server, format!("Authorization: Basic {login}")));
        self
    }

    /// Starts it. It is stopped when the result is dropped.
    pub fn spawn(mut self) -> Result<Running, GitError> {
        self.command
            .env("GIT_CONFIG_COUNT", self.settings.len().to_string());
        for (index, (key, value)) in self.settings.iter().enumerate() {
            self.command.env(format!("GIT_CONFIG_KEY_{index}"), key);
            self.command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        let child = self.command.spawn().map_err(GitError::NoGit)?;
        Ok(Running { child })
    }

    /// Runs it to its end, whatever the end is.
    pub async fn finish(self, input: &[u8]) -> Result<Finished, GitError> {
        let piped = !input.is_empty();
        let mut running = if piped {
            self.stdin(Stdio::piped())
        } else {
            self
        }
        .spawn()?;
        let stdin = running.child.stdin.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that ends early says why itself.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), finished) = tokio::join!(write, running.end());
        finished.map_err(GitError::NoGit)
    }

    /// Runs it and gives what it printed; a failure is an error.
    pub async fn output(self, input: &[u8], mirror: &Path) -> Result<Vec<u8>, GitError> {
        let command = self.name.clone();
        let finished = self.finish(input).await?;
        if finished.ok {
            return Ok(finished.stdout);
        }
        if finished.stderr.contains("No space left on device") {
            return Err(GitError::DiskFull {
                path: mirror.to_owned(),
            });
        }
        Err(GitError::Failed {
            command,
            path: mirror.to_owned(),
            said: last_lines(&finished.stderr, 4),
        })
    }
}

/// A started program and all that it started itself. Dropping it before its end stops them.
pub(super) struct Running {
    pub child: Child,
}

impl Running {
    /// Waits for the end and collects what was printed.
    pub async fn end(mut self) -> io::Result<Finished> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (mut out, mut err) = (self.child.stdout.take(), self.child.stderr.take());
        tokio::try_join!(read(&mut out, &mut stdout), read(&mut err, &mut stderr))?;
        let status = self.child.wait().await?;
        Ok(Finished {
            ok: status.success(),
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

async fn read(from: &mut Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(from) = from {
        from.read_to_end(into).await?;
    }
    Ok(())
}

impl Drop for Running {
    /// Stops the whole process group: git leaves the talking to a child, which would wait on.
    ///
    /// The signal is TERM, on which git removes its lock files; tokio collects the ended process.
    fn drop(&mut self) {
        // There is no id any more once the end was seen, so nobody else's process can be meant.
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = id {
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}
