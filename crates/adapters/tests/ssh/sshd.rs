//! A real sshd on a free loopback port, with keys of its own; it ends with the value.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use adapters::ssh::{Auth, Fingerprint, Target};

pub struct Sshd {
    pub folder: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Sshd {
    /// Starts it. It takes keys and passwords, for the account that runs the tests and, as root, for every other.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts it with more lines of configuration.
    pub fn with(config: &str) -> Self {
        assert!(
            Path::new("/usr/sbin/sshd").exists(),
            "these tests need sshd: run `apt-get install openssh-server`"
        );
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        keygen(&at("host_key"), "");
        keygen(&at("client_key"), "");
        keygen(&at("locked_key"), "open sesame");
        let allowed = [at("client_key.pub"), at("locked_key.pub")]
            .map(|path| fs::read_to_string(path).unwrap());
        fs::write(at("authorized_keys"), allowed.concat()).unwrap();
        let port = free_port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             SetEnv HOME={}\nUsePAM no\nPasswordAuthentication yes\nPermitRootLogin yes\nLogLevel ERROR\n{config}\n",
            at("host_key").display(),
            at("authorized_keys").display(),
            at("home").display(),
        );
        fs::create_dir(at("home")).unwrap();
        fs::write(at("sshd_config"), text).unwrap();
        // Where sshd was never started by the system, its empty folder is missing.
        let _ = fs::create_dir_all("/run/sshd");
        let mut sshd = Self {
            folder,
            port,
            child: None,
        };
        sshd.start_again();
        sshd
    }

    pub fn start_again(&mut self) {
        let config = self.folder.path().join("sshd_config");
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(config)
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "sshd does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the server and the processes of its connections, without a goodbye.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // The listener first, so that it cannot fork another one meanwhile.
        let family = descendants(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        for pid in family {
            let _ = Command::new("kill")
                .args(["-9", &pid.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// How many processes serve connections.
    pub fn serving(&self) -> usize {
        self.child
            .as_ref()
            .map_or(0, |child| descendants(child.id()).len())
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn key(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let out = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.path("host_key.pub"))
            .output()
            .unwrap();
        String::from_utf8(out.stdout)
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// This server, with the account that runs the tests.
    pub fn target(&self) -> Target {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        Target {
            address: "127.0.0.1".into(),
            port: self.port,
            user: String::from_utf8(user).unwrap().trim().to_owned(),
            auth: Auth::Key {
                pem: self.key("client_key").into(),
                passphrase: None,
            },
            host_key: Some(self.fingerprint()),
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn keygen(path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"])
        .arg(path)
        .status();
    assert!(made.unwrap().success());
}

/// A throw-away account of this machine.
pub struct Account(String);

impl Account {
    pub fn new(name: &str, password: &str) -> Self {
        Self::with_shell(name, password, "/bin/sh")
    }

    pub fn with_shell(name: &str, password: &str, shell: &str) -> Self {
        let hash = Command::new("openssl")
            .args(["passwd", "-6", password])
            .output()
            .unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        let made = Command::new("useradd")
            .args(["-M", "-d", "/", "-s", shell, "-p", hash.trim(), name])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(
            made.status.success(),
            "this test makes an account, for which it must run as root: {words}"
        );
        Self(name.to_owned())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg("-f").arg(&self.0).output();
    }
}

/// A port that nobody takes until sshd has it: below those that the kernel gives away, and another one in each process.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(8).wrapping_add(turn) % 10_000;
        let port = 20_000 + u16::try_from(place).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|child: u32| {
            let stat = fs::read_to_string(PathBuf::from(format!("/proc/{child}/stat"))).ok()?;
            let parent = stat
                .rsplit(')')
                .next()?
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()?;
            Some((child, parent))
        })
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(child, _)| *child),
        );
        next += 1;
    }
    family.split_off(1)
}
