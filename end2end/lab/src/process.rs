//! Processes that go on after the lab command has ended: the Docker engine and the stand-ins.
use crate::{
    error::LabError,
    folder::{make_folder, write_file},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A process known by its pid file, next to its log.
#[derive(Debug)]
pub struct Detached {
    /// What its executable is called; a recycled pid of another program is not taken for ours.
    pub program: &'static str,
    /// Holds its process id.
    pub pid_file: PathBuf,
    /// Its stdout and stderr.
    pub log: PathBuf,
}

impl Detached {
    /// Starts `program` in a process group of its own, which Ctrl-C in this terminal does not reach.
    pub async fn start(&self, program: &str, args: &[String]) -> Result<(), LabError> {
        if let Some(folder) = self.log.parent() {
            make_folder(folder, 0o755)?;
        }
        let log = File::create(&self.log).map_err(LabError::io("create", &self.log))?;
        let errors = log.try_clone().map_err(LabError::io("open", &self.log))?;
        let mut child = Command::new(program)
            .args(args)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(LabError::io("start", program))?;
        write_file(&self.pid_file, 0o644, child.id().to_string().as_bytes())?;
        let started = Instant::now();
        // For a moment it may still have the name of this program.
        while self.pid().is_none() {
            let ended = child.try_wait().map_err(LabError::io("watch", program))?;
            if ended.is_some() || started.elapsed() > Duration::from_secs(5) {
                return Err(LabError::Silent {
                    what: program.into(),
                    seconds: started.elapsed().as_secs(),
                    log: self.log.display().to_string(),
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Its pid, if it runs.
    pub fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let pid = Pid::from_raw(text.trim().parse().ok()?)?;
        let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).ok()?;
        let alive = !fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
            .ok()?
            .contains(") Z ");
        (alive && name.trim() == self.program).then_some(pid)
    }

    /// Whether it still is the program on disk; after a rebuild it is not.
    pub fn is_current(&self, pid: Pid) -> bool {
        fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()))
            .is_ok_and(|path| !path.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Asks it to stop, waits, and after `grace` stops it for good. Says whether there was one.
    pub async fn stop(&self, grace: Duration) -> Result<bool, LabError> {
        let Some(pid) = self.pid() else {
            let _ = fs::remove_file(&self.pid_file);
            return Ok(false);
        };
        let refused = |e: rustix::io::Errno| LabError::Io {
            action: "stop",
            path: self.pid_file.clone(),
            source: e.into(),
        };
        kill_process(pid, Signal::TERM).map_err(refused)?;
        let started = Instant::now();
        while self.pid().is_some() && test_kill_process(pid).is_ok() {
            if started.elapsed() > grace {
                kill_process(pid, Signal::KILL).map_err(refused)?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = fs::remove_file(&self.pid_file);
        Ok(true)
    }
}
