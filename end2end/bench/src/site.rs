//! The projects that are deployed while the clock runs: a repository, manifests and a configuration of their own in
//! `target/lab/bench`, so that the sample project is left alone.
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lab::Lab;
use lab::description::Droplet;

/// In the GitHub stand-in.
const REPOSITORY: &str = "meats-central/bench";
/// The server that everything is deployed to.
const DROPLET: &str = "prod-frontend";

/// A project of ours: the same app, told to behave differently.
#[derive(Debug, Clone, Copy)]
pub struct Project {
    /// Its name, its container's and its image's.
    pub name: &'static str,
    /// Where the app answers on the droplet.
    pub port: u16,
    /// What `app.py` is told.
    pub args: &'static [&'static str],
    /// What its image is built by.
    pub dockerfile: &'static str,
}

const DOCKERFILE: &str = "dockerfile";

/// Where the portal under measurement listens.
pub const LISTEN: &str = "127.0.0.1:3190";

/// Is up in a little under two seconds, as an app with a few dozen modules is.
pub const QUICK_START: Project = Project {
    name: "bench-quick",
    port: 18201,
    args: &["--start", "1.3"],
    dockerfile: DOCKERFILE,
};
/// Is up in a little under five seconds: just before somebody looks who looks every five seconds.
pub const SLOW_START: Project = Project {
    name: "bench-slow",
    port: 18204,
    args: &["--start", "4.3"],
    dockerfile: DOCKERFILE,
};
/// Prints 1,000 lines a second when told to.
pub const STEADY: Project = Project {
    name: "bench-steady",
    port: 18202,
    args: &["--lines", "20000", "--rate", "1000", "--wait", "--hold"],
    dockerfile: DOCKERFILE,
};
/// Prints 200,000 lines as fast as it can.
pub const FLOOD: Project = Project {
    name: "bench-flood",
    port: 18203,
    args: &["--lines", "200000", "--hold"],
    dockerfile: DOCKERFILE,
};
/// Its build prints 5,000 lines a second for twenty seconds.
pub const CHATTY: Project = Project {
    name: "bench-chatty",
    port: 18205,
    args: &[],
    dockerfile: "chatty",
};

/// Ten that are deployed at once.
pub const CROWD: [Project; 10] = [
    one_of_many("bench-crowd-0", 18220),
    one_of_many("bench-crowd-1", 18221),
    one_of_many("bench-crowd-2", 18222),
    one_of_many("bench-crowd-3", 18223),
    one_of_many("bench-crowd-4", 18224),
    one_of_many("bench-crowd-5", 18225),
    one_of_many("bench-crowd-6", 18226),
    one_of_many("bench-crowd-7", 18227),
    one_of_many("bench-crowd-8", 18228),
    one_of_many("bench-crowd-9", 18229),
];

const fn one_of_many(name: &'static str, port: u16) -> Project {
    Project {
        name,
        port,
        ..QUICK_START
    }
}

const PROJECTS: [Project; 5] = [QUICK_START, SLOW_START, STEADY, FLOOD, CHATTY];

/// Where all of it is.
pub struct Site {
    /// The running lab.
    pub lab: Lab,
    /// `target/lab`.
    pub lab_dir: PathBuf,
    /// `target/lab/bench`.
    pub dir: PathBuf,
    /// The commit that is deployed.
    pub commit: String,
}

impl Site {
    /// Writes everything anew: a new commit, so that no tag of an earlier bench is in the way, and an empty database.
    pub fn prepare() -> Result<Self> {
        let lab = Lab::load()?;
        let lab_dir = root().join("target/lab");
        let dir = lab_dir.join("bench");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("projects"))?;
        let commit = make_repository(&lab_dir.join("git").join(format!("{REPOSITORY}.git")), &dir)?;
        let site = Self {
            lab,
            lab_dir,
            dir,
            commit,
        };
        for project in PROJECTS.into_iter().chain(CROWD) {
            let path = site.dir.join(format!("projects/{}.toml", project.name));
            std::fs::write(path, site.manifest(project)?)?;
        }
        std::fs::write(site.dir.join("fairlead.toml"), site.configuration())?;
        Ok(site)
    }

    /// Takes away what a portal has left.
    pub fn empty(&self) -> Result<()> {
        let data = self.dir.join("portal");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        Ok(std::fs::create_dir_all(data)?)
    }

    /// Where the history is written that portals begin with.
    pub fn history(&self) -> PathBuf {
        self.dir.join("history")
    }

    /// Gives the next portal a copy of it.
    pub fn take_history(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.history())? {
            let entry = entry?;
            std::fs::copy(
                entry.path(),
                self.dir.join("portal").join(entry.file_name()),
            )?;
        }
        Ok(())
    }

    /// The droplet that everything is deployed to.
    pub fn droplet(&self) -> Result<&Droplet> {
        self.lab
            .droplets
            .get(DROPLET)
            .with_context(|| format!("the lab has no droplet {DROPLET}"))
    }

    /// The image of a project as the first registry names it, with the tag of the deployed commit.
    pub fn image(&self, project: Project) -> String {
        format!(
            "{}/bench/{}:prod-{}",
            self.lab.registries[0].address, project.name, self.commit
        )
    }

    fn configuration(&self) -> String {
        let github = &self.lab.github;
        format!(
            r#"listen = "{LISTEN}"
public_url = "http://{LISTEN}"
data_dir = "portal"
projects_dir = "projects"
builder = "unix://{socket}"

[log]
filter = "warn"

[github]
url = "{url}"
api_url = "{api_url}"
client_id = "{client_id}"
client_secret = "secret:GITHUB_CLIENT_SECRET"
token = "secret:GITHUB_TOKEN"
webhook_secret = "secret:GITHUB_WEBHOOK_SECRET"

[secrets]
files = ["../secrets.env"]

[[members]]
project = "*"
role = "lead"
team = "meats-central/leads"
"#,
            socket = self.lab.docker_socket,
            url = github.url,
            api_url = github.api_url,
            client_id = github.client_id,
        )
    }

    fn manifest(&self, project: Project) -> Result<String> {
        let Project {
            name,
            port,
            args,
            dockerfile,
        } = project;
        let [docr, ghcr] = &self.lab.registries[..] else {
            anyhow::bail!("the lab should have two registries")
        };
        let host_key = &self.droplet()?.host_key;
        let args: Vec<String> = ["python", "-u", "/app.py"]
            .iter()
            .chain(args)
            .map(|arg| format!("{arg:?}"))
            .collect();
        Ok(format!(
            r#"name = "{name}"
title = "{name}"
repository = "{REPOSITORY}"

[[registries]]
name = "docr"
prefix = "{docr}/bench"
username = "secret:DO_ACCESS_TOKEN"
password = "secret:DO_ACCESS_TOKEN"
[[registries]]
name = "ghcr"
prefix = "{ghcr}/bench"
username = "secret:GHCR_USER"
password = "secret:GHCR_TOKEN"

[components.app]
host = "frontend"
image = "{name}"
build = {{ context = ".", dockerfile = "{dockerfile}", args = {{ COMMIT = "{commit}" }} }}
container = {{ name = "{name}", ports = ["{port}:8000"], command = [{args}] }}
health = {{ url = "http://localhost:{port}/", attempts = 60, every = "5s" }}

[environments.prod]
branch = "main"
secrets = "PROD_"
hosts.frontend = {{ address = "secret:FRONTEND_HOST", user = "secret:FRONTEND_USER", key = "secret:FRONTEND_SSH_KEY", host_key = "{host_key}" }}
"#,
            docr = docr.address,
            ghcr = ghcr.address,
            args = args.join(", "),
            commit = self.commit,
        ))
    }
}

/// The checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// One commit with the app in it. Gives its id.
fn make_repository(bare: &Path, dir: &Path) -> Result<String> {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("app");
    new_repository(bare, dir, &app, "main")
}

/// A bare repository with one branch of one commit, which has all files of a folder. Gives the commit's id.
pub fn new_repository(bare: &Path, dir: &Path, files: &Path, branch: &str) -> Result<String> {
    let _ = std::fs::remove_dir_all(bare);
    std::fs::create_dir_all(bare)?;
    let (bare, files) = (bare.to_string_lossy(), files.to_string_lossy());
    let git = |args: &[&str]| git(dir, &[&["--git-dir", &bare], args].concat());
    git(&["init", "--quiet", "--bare", "--initial-branch", branch])?;
    git(&["--work-tree", &files, "add", "--all", &files])?;
    git(&[
        "--work-tree",
        &files,
        "commit",
        "--quiet",
        "--message",
        "Add the app of the bench",
    ])?;
    git(&["rev-parse", "HEAD"])
}

/// Runs git in a folder, and gives what it printed.
pub fn git(folder: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Bench")
            .env(format!("GIT_{who}_EMAIL"), "bench@example.com");
    }
    let done = command.output().context("git cannot be started")?;
    ensure!(
        done.status.success(),
        "git {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
