//! Runs the programs of the machine (`docker`, `git`, `mmdebstrap`, …) and turns a failure into a message.
use crate::error::LabError;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command};

/// A program with its arguments. Arguments are visible to everybody on the machine, so secrets go in through
/// [`Program::env`], [`Program::input`] or a file.
pub struct Program {
    command: Command,
    line: String,
    input: Option<Vec<u8>>,
    limit: Duration,
}

impl Program {
    /// Prepares `name args…`; nothing is run by a shell.
    pub fn new<A: AsRef<str>>(name: &str, args: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(name);
        let mut line = name.to_owned();
        for arg in args {
            command.arg(arg.as_ref());
            line.push(' ');
            line.push_str(arg.as_ref());
        }
        command.kill_on_drop(true);
        Self {
            command,
            line,
            input: None,
            limit: Duration::from_secs(900),
        }
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs in a folder.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives bytes on stdin; without it stdin is empty.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Stops the program after a while; the default is 15 minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to the end and returns stdout without the last line break.
    pub async fn run(self) -> Result<String, LabError> {
        let Self {
            mut command,
            line,
            input,
            limit,
        } = self;
        let failed = |status: String, stderr: &str| LabError::Failed {
            line: shorten(&line),
            status,
            stderr: last_lines(stderr),
        };
        let stdin = if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|e| failed("did not start".into(), &e.to_string()))?;
        if let (Some(bytes), Some(mut pipe)) = (input, child.stdin.take()) {
            // A program that does not read to the end says why on stderr; its status is what counts.
            tokio::spawn(async move { pipe.write_all(&bytes).await });
        }
        let output = tokio::time::timeout(limit, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("stopped after {} s", limit.as_secs()), ""))?
            .map_err(|e| failed("was lost".into(), &e.to_string()))?;
        if !output.status.success() {
            return Err(failed(
                output.status.to_string(),
                &String::from_utf8_lossy(&output.stderr),
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned())
    }
}

/// `docker args…`
pub fn docker<A: AsRef<str>>(args: impl IntoIterator<Item = A>) -> Program {
    // The classic builder is in every engine; BuildKit's client part is a separate package on Debian.
    Program::new("docker", args)
        .env("DOCKER_BUILDKIT", "0")
        .env("DOCKER_HOST", crate::DOCKER_HOST)
}

/// Whether a program is installed.
pub fn installed(name: &str) -> bool {
    let sbin = ["/usr/sbin", "/sbin", "/usr/local/sbin"]
        .map(Path::new)
        .map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(sbin)
        .any(|folder| folder.join(name).is_file())
}

fn shorten(line: &str) -> String {
    let mut out: String = line.chars().take(160).collect();
    if out.len() < line.len() {
        out.push('…');
    }
    out
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
