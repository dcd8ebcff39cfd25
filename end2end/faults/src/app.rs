//! The project that is deployed: a web server of a few lines that does what its commit says.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::Sha;

/// How the program behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Listens at once.
    Fine,
    /// Writes 400 numbered lines to both streams in about a second, then listens.
    Chatty,
    /// Answers 503 until somebody asks for `/wake`.
    Asleep,
    /// Answers 500 for ever.
    Sick,
    /// Ends with status 3 before it listens.
    Exits,
}

/// An image with Python that this machine's engine has.
pub const PYTHON: &str = "python:3.12-slim";

/// Lines that [`Mode::Chatty`] writes to each stream.
pub const CHATTY_LINES: usize = 200;

/// What a commit holds.
#[derive(Debug, Clone)]
pub struct App {
    /// What the program answers with.
    pub version: &'static str,
    /// How it behaves.
    pub mode: Mode,
    /// What the dockerfile builds on: an image with Python.
    pub base: &'static str,
    /// A line of the dockerfile before the last one; empty for none.
    pub build: &'static str,
    /// The text of `.github/workflows/ci.yml`; absent for no such folder.
    pub workflow: Option<&'static str>,
}

impl App {
    /// A program that works.
    pub fn fine(version: &'static str) -> Self {
        Self::of(version, Mode::Fine)
    }

    /// A program that behaves so.
    pub fn of(version: &'static str, mode: Mode) -> Self {
        Self {
            version,
            mode,
            base: PYTHON,
            build: "",
            workflow: None,
        }
    }

    /// A program that works, in an image with a layer that nobody has yet.
    pub fn big() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let version = Box::leak(format!("v{}", now.as_nanos()).into_boxed_str());
        Self {
            build: "RUN dd if=/dev/urandom of=/app/big bs=1M count=8 2>/dev/null",
            ..Self::fine(version)
        }
    }
}

const SERVER: &str = r#"import http.server, os, pathlib, signal, sys, time
mode, version = (pathlib.Path("/app", name).read_text() for name in ("mode", "version"))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("version", version, "is", mode)
if mode == "Exits":
    print("cannot read the configuration", file=sys.stderr)
    sys.exit(3)
if mode == "Chatty":
    for n in range(1, 201):
        print(f"line {n}")
        print(f"error line {n}", file=sys.stderr)
        time.sleep(0.005)
status = {"Sick": 500, "Asleep": 503}.get(mode, 200)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global status
        if self.path == "/wake": status = 200
        greeting = pathlib.Path("/greeting/text")
        text = greeting.read_text() if self.path == "/greeting" else version
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// Tests that do what the commit's version says.
const CHECKS: &str = r#"import pathlib, time, unittest
version = pathlib.Path(__file__).with_name("version").read_text()
class Checks(unittest.TestCase):
    def test_it_is_not_bad(self): self.assertNotIn("bad", version)
    def test_it_has_an_end(self):
        if "endless" in version: time.sleep(600)
    def test_it_takes_its_time(self):
        if "slow" in version: time.sleep(5)
    @unittest.skip("not yet")
    def test_later(self): pass
if __name__ == "__main__":
    unittest.main(verbosity=2)
"#;

/// A bare repository with one branch, `main`.
#[derive(Debug)]
pub struct Repository {
    bare: PathBuf,
    tree: PathBuf,
}

impl Repository {
    /// An empty one at `<root>/faults/app.git`.
    pub fn create(root: &Path) -> Self {
        let this = Self {
            bare: root.join("faults/app.git"),
            tree: root.join("tree"),
        };
        std::fs::create_dir_all(&this.bare).unwrap();
        std::fs::create_dir_all(&this.tree).unwrap();
        this.git(&["init", "--quiet", "--bare", "--initial-branch", "main"]);
        this
    }

    /// Puts a commit on `main`. Its time makes it one of a kind, because tags in a registry are never moved.
    pub fn commit(&self, app: &App) {
        let App {
            version,
            mode,
            base,
            build,
            workflow,
        } = app;
        let dockerfile = format!(
            "FROM {base}\nCOPY server.py checks.py mode version /app/\n{build}\nCMD [\"python\", \"-u\", \"/app/server.py\"]\n"
        );
        for (name, text) in [
            ("server.py", SERVER.to_owned()),
            ("checks.py", CHECKS.to_owned()),
            ("dockerfile", dockerfile),
            ("version", (*version).to_owned()),
            ("mode", format!("{mode:?}")),
        ] {
            std::fs::write(self.tree.join(name), text).unwrap();
        }
        let folder = self.tree.join(".github/workflows");
        let _ = std::fs::remove_dir_all(&folder);
        if let Some(text) = workflow {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("ci.yml"), text).unwrap();
        }
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let message = format!("{version} is {mode:?}\n\n{}", nanos.as_nanos());
        self.commit_all(&message);
    }

    /// Puts a commit on `main` that changes one file besides the app's.
    pub fn commit_file(&self, name: &str, text: &str) {
        let path = self.tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.commit_all(&format!("Write {name}"));
    }

    /// Puts a commit on `main` that takes a file away.
    pub fn commit_without(&self, name: &str) {
        std::fs::remove_file(self.tree.join(name)).unwrap();
        self.commit_all(&format!("Remove {name}"));
    }

    /// The newest commit.
    pub fn head(&self) -> Sha {
        Sha::parse(self.git(&["rev-parse", "main"]).trim()).unwrap()
    }

    fn commit_all(&self, message: &str) {
        let tree = self.tree.to_str().unwrap();
        self.git(&["--work-tree", tree, "add", "--all", "."]);
        let commit = ["commit", "--quiet", "--allow-empty", "--message", message];
        self.git(&[&["--work-tree", tree][..], &commit].concat());
    }

    fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(&self.bare)
            .args(args)
            .current_dir(&self.tree)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Devon Castillo");
            command.env(format!("GIT_{who}_EMAIL"), "dev@faults.example");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}
