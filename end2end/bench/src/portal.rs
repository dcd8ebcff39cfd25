//! The portal under measurement: the real program as a process of its own, spoken to as any other program would.
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapters::http::Client;
use anyhow::{Context, Result, bail, ensure};
use domain::{RunId, StepId};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::site::{LISTEN, Project, Site};

/// A portal at work. Killed when dropped.
pub struct Portal {
    /// An API token of a lead.
    pub token: SecretString,
    child: Child,
    http: Client,
}

/// A run, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct Run {
    state: String,
    steps: Vec<Step>,
    failure: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Step {
    id: u16,
    title: String,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Failure {
    what: String,
    advice: String,
}

/// A line of a log.
#[derive(Debug, Deserialize)]
pub struct LogLine {
    /// Where it came from.
    pub stream: String,
    /// The text.
    pub text: String,
}

/// Something that happened to a run.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// When it was stored, RFC 3339.
    at: String,
    /// The step that it is of, where it is of one.
    step: Option<usize>,
    /// What the step left, where it succeeded.
    #[serde(default)]
    outcome: Value,
}

/// What became of a run.
pub struct Done {
    /// The titles of its steps.
    pub steps: Vec<String>,
    /// All that happened.
    pub events: Vec<Event>,
}

/// What became of a deploy.
pub struct Deployed {
    /// The new container's id.
    pub container: String,
    /// When it was found healthy, in milliseconds since 1970.
    pub at_ms: f64,
}

impl Portal {
    /// Starts the program on the site's database, and waits until it is ready.
    pub async fn start(site: &Site, program: &Path, files: &Path) -> Result<Self> {
        let config = site.dir.join("fairlead.toml");
        let name = format!(
            "bench-{}",
            OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000
        );
        let made = Command::new(program)
            .args([
                "token", "create", &name, "--role", "lead", "--days", "1", "--config",
            ])
            .arg(&config)
            .output()
            .with_context(|| format!("{} cannot be started; build it first", program.display()))?;
        ensure!(
            made.status.success(),
            "fairlead token create: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        );
        let token = SecretString::from(String::from_utf8(made.stdout)?.trim().to_owned());
        let log = std::fs::File::create(site.dir.join("portal.log"))?;
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&config)
            // What cargo-leptos tells the program of where it put the site.
            .envs([
                ("LEPTOS_OUTPUT_NAME", "fairlead"),
                ("LEPTOS_SITE_PKG_DIR", "pkg"),
                ("LEPTOS_HASH_FILES", "true"),
            ])
            .env("LEPTOS_SITE_ROOT", std::path::absolute(files)?)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut portal = Self {
            token,
            child,
            http: adapters::http::client()?,
        };
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = portal.child.try_wait()? {
                bail!(
                    "the portal ended with {status}; {} says why",
                    site.dir.join("portal.log").display()
                );
            }
            let ready = portal.http.get(url("/readyz")).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(portal);
            }
            ensure!(
                Instant::now() < limit,
                "the portal was not ready after 30 s"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self
            .http
            .get(url(path))
            .bearer_auth(self.token.expose_secret())
            .send()
            .await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "{path} answers {status}: {}",
            answer.text().await?
        );
        Ok(answer.json().await?)
    }

    /// Presses the button.
    pub async fn deploy(&self, project: Project) -> Result<RunId> {
        self.deploy_to(project.name, "prod").await
    }

    /// The same in any environment.
    pub async fn deploy_to(&self, project: &str, environment: &str) -> Result<RunId> {
        let wanted = json!({ "project": project, "environment": environment });
        let asked = self
            .http
            .post(url("/api/v1/runs"))
            .bearer_auth(self.token.expose_secret())
            .json(&wanted);
        let answer = asked.send().await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "the deploy is refused with {status}: {}",
            answer.text().await?
        );
        let made: Value = answer.json().await?;
        Ok(RunId(
            made["id"].as_i64().context("a run without a number")?,
        ))
    }

    /// The run as it stands.
    pub async fn run(&self, run: RunId) -> Result<Run> {
        let found: Run = self.get(&format!("/api/v1/runs/{run}")).await?;
        if let Some(Failure { what, advice }) = &found.failure {
            bail!("run #{run} failed: {what}; {advice}");
        }
        Ok(found)
    }

    /// Waits until somebody's push of a commit has become a run.
    pub async fn run_of(&self, project: &str, commit: &str) -> Result<RunId> {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let page: Value = self.get(&format!("/api/v1/runs?project={project}")).await?;
            let mut runs = page["runs"].as_array().into_iter().flatten();
            let found = runs.rfind(|run| run["commit"]["sha"] == commit);
            if let Some(number) = found.and_then(|run| run["id"].as_i64()) {
                return Ok(RunId(number));
            }
            ensure!(
                Instant::now() < limit,
                "the push of {commit} has started no run after 30 s"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the run has succeeded.
    pub async fn done(&self, run: RunId) -> Result<Done> {
        let limit = Instant::now() + Duration::from_secs(300);
        let steps = loop {
            let Run { state, steps, .. } = self.run(run).await?;
            if state == "succeeded" {
                break steps;
            }
            ensure!(
                Instant::now() < limit,
                "run #{run} has not succeeded after 300 s"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        Ok(Done {
            steps: steps.into_iter().map(|step| step.title).collect(),
            events: self.get(&format!("/api/v1/runs/{run}/events")).await?,
        })
    }

    /// The same, and tells when its container was found healthy.
    pub async fn deployed(&self, run: RunId) -> Result<Deployed> {
        let first = self.done(run).await?.deployed()?.into_iter().next();
        first.with_context(|| format!("run #{run} has deployed nothing"))
    }

    /// Waits until the step that deploys is at work.
    pub async fn deploying(&self, run: RunId) -> Result<StepId> {
        self.at_work(run, "Deploy").await
    }

    /// Waits until a step whose title begins so is at work.
    pub async fn at_work(&self, run: RunId, title: &str) -> Result<StepId> {
        let limit = Instant::now() + Duration::from_secs(300);
        loop {
            let steps = self.run(run).await?.steps;
            if let Some(step) = steps
                .iter()
                .find(|step| step.title.starts_with(title) && step.state == "running")
            {
                return Ok(StepId(step.id));
            }
            ensure!(
                Instant::now() < limit,
                "run #{run} has no step `{title}` at work after 300 s"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lines of a step's log after the number `after`, all there are by now.
    pub async fn lines(&self, run: RunId, step: StepId, after: i64) -> Result<Vec<LogLine>> {
        let path = format!("/api/v1/runs/{run}/steps/{step}/log?format=jsonl&after={after}");
        let text = self
            .http
            .get(url(&path))
            .bearer_auth(self.token.expose_secret())
            .send()
            .await?;
        let text = text.error_for_status()?.text().await?;
        text.lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// Resident memory in megabytes.
    pub fn memory_mb(&self) -> Result<f64> {
        self.status_mb("VmRSS:")
    }

    /// The most that it ever was.
    pub fn most_memory_mb(&self) -> Result<f64> {
        self.status_mb("VmHWM:")
    }

    fn status_mb(&self, field: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let line = line.with_context(|| format!("no {field}"))?;
        let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb / 1024.0)
    }

    /// Seconds that its threads have spent on processors so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The second field is the program's name in parentheses and may hold anything; `utime` and `stime` are the
        // 14th and the 15th.
        let (_, rest) = stat.rsplit_once(')').context("no name")?;
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Event {
    /// When it was stored, in milliseconds since 1970.
    pub fn at_ms(&self) -> Result<f64> {
        let at = OffsetDateTime::parse(&self.at, &Rfc3339)?;
        Ok(at.unix_timestamp_nanos() as f64 / 1e6)
    }
}

impl Done {
    /// Its containers, in the order in which they were healthy.
    pub fn deployed(&self) -> Result<Vec<Deployed>> {
        let mut deployed = Vec::new();
        for event in &self.events {
            if let Some(container) = event.outcome["container"].as_str() {
                deployed.push(Deployed {
                    container: container.to_owned(),
                    at_ms: event.at_ms()?,
                });
            }
        }
        Ok(deployed)
    }

    /// How many seconds after `since`, in milliseconds since 1970, each step began and ended.
    pub fn story(&self, since: f64) -> Result<String> {
        let mut told = Vec::new();
        for (number, title) in self.steps.iter().enumerate() {
            let of_it = self
                .events
                .iter()
                .filter(|event| event.step == Some(number));
            let times = of_it.map(Event::at_ms).collect::<Result<Vec<_>>>()?;
            if let (Some(first), Some(last)) = (times.first(), times.last()) {
                let seconds = |at: f64| (at - since) / 1000.0;
                let (first, last) = (seconds(*first), seconds(*last));
                told.push(format!("{title} {first:.1}–{last:.1}"));
            }
        }
        Ok(told.join(", "))
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of the portal.
pub fn url(path: &str) -> String {
    format!("http://{LISTEN}{path}")
}
