//! A portal's history, written through the store before the portal starts: a thousand runs of the sample project, one
//! of them with a log of a million lines. Each run has all the events that a real one leaves.
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result};
use domain::audit::{Change, Door, Origin};
use domain::log::Stream;
use domain::manifest::Manifest;
use domain::plan::{Commit, DeployFacts, Plan, TestFacts, deploy};
use domain::policy::{Action, Actor, ActorName, Membership, Role, allow};
use domain::release::TreeKey;
use domain::run::RunEvent;
use domain::step::{Outcome, StepKind};
use domain::{Digest, EnvName, Login, Ms, RunId, Sha, StepId};
use sha2::{Digest as _, Sha256};
use store::{Claim, NewLine, NewRun, Note, Store};

use crate::droplet::now_ms;
use crate::site::Site;

/// How many runs there are.
pub const RUNS: i64 = 1_000;
/// How many lines the long log has.
pub const LINES: i64 = 1_000_000;
/// Between two runs.
const HOUR_MS: i64 = 3_600_000;

/// Where the long log is.
pub struct Long {
    pub run: RunId,
    pub step: StepId,
}

/// Writes it into the site's folder for it.
pub async fn history(site: &Site) -> Result<Long> {
    let data = site.history();
    std::fs::create_dir_all(&data)?;
    let store =
        Store::open(&format!("sqlite://{}", data.join("fairlead.db").display()).parse()?).await?;
    let source = std::fs::read_to_string(site.lab_dir.join("projects/projectmeats.toml"))?;
    std::fs::write(site.dir.join("projects/projectmeats.toml"), &source)?;
    let manifest = Manifest::parse(&source).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let hash = hex(&source);
    let writer = Writer {
        store,
        manifest,
        origin: Origin {
            door: Door::Engine,
            address: None,
            request: None,
        },
    };
    writer.import(&hash, &source).await?;
    let environments: Vec<EnvName> = writer.manifest.environments.keys().cloned().collect();
    let commit = head(
        &site
            .lab_dir
            .join("git/meats-central/projectmeats-sample.git"),
    )?;
    let mut at = now_ms() as i64 - RUNS * HOUR_MS;
    let mut long = None;
    for number in 0..RUNS {
        at += HOUR_MS;
        let environment = &environments[number as usize % environments.len()];
        let plan = writer.plan(environment, &commit, &hash)?;
        // A little before the end, so that it is not the first one that a board shows.
        let with_log = number == RUNS - 10;
        let run = writer.run(&plan, Ms(at), with_log).await?;
        if with_log {
            let step = plan
                .steps
                .iter()
                .find(|planned| matches!(planned.step, StepKind::Deploy { .. }));
            long = step.map(|planned| Long {
                run,
                step: planned.id,
            });
        }
    }
    writer.store.close().await;
    long.context("no step deploys")
}

struct Writer {
    store: Store,
    manifest: Manifest,
    origin: Origin,
}

impl Writer {
    fn note(&self, at: Ms) -> Note {
        Note {
            origin: self.origin.clone(),
            reason: None,
            at,
        }
    }

    async fn import(&self, hash: &str, source: &str) -> Result<()> {
        let admin = Actor {
            name: ActorName::Operator {
                account: "bench".into(),
            },
            memberships: vec![Membership {
                project: None,
                role: Role::Admin,
            }],
        };
        let project = &self.manifest.name;
        let grant = allow(&admin, Some(project), Action::ImportManifest)?;
        let mut tx = self
            .store
            .audited(&grant, self.note(Ms(now_ms() as i64)))
            .await?;
        let previous = tx.import_manifest(project, hash, source).await?;
        tx.commit(Change::ManifestImported {
            manifest: hash.to_owned(),
            previous,
        })
        .await?;
        Ok(())
    }

    fn plan(&self, environment: &EnvName, commit: &Commit, hash: &str) -> Result<Plan> {
        let components = || self.manifest.components.keys().cloned();
        let key = TreeKey("a".repeat(64));
        let tests = TestFacts {
            key: key.clone(),
            passed: None,
        };
        let facts = DeployFacts {
            commit: commit.clone(),
            manifest: hash.to_owned(),
            keys: components().map(|name| (name, key.clone())).collect(),
            tests: components().map(|name| (name, tests.clone())).collect(),
            tests_overridden: false,
            rebuild: false,
            built: components()
                .map(|name| Ok((name, digest()?)))
                .collect::<Result<_>>()?,
            missing_secrets: BTreeMap::new(),
            usual: BTreeMap::new(),
            running: BTreeMap::new(),
        };
        deploy(&self.manifest, environment, &facts)
            .map_err(|blockers| anyhow::anyhow!("{blockers:?}"))
    }

    async fn run(&self, plan: &Plan, at: Ms, with_log: bool) -> Result<RunId> {
        let lead = Actor {
            name: ActorName::Person {
                login: Login::parse("lena")?,
            },
            memberships: vec![Membership {
                project: None,
                role: Role::Lead,
            }],
        };
        let least = self.manifest.environments[&plan.environment].deploy;
        let action = Action::Deploy {
            environment: plan.environment.clone(),
            least,
        };
        let grant = allow(&lead, Some(&plan.project), action)?;
        let mut tx = self.store.audited(&grant, self.note(at)).await?;
        let run = tx
            .insert_run(NewRun {
                plan,
                retry_of: None,
                reused: &[],
            })
            .await?;
        let change = Change::RunRequested {
            run,
            kind: plan.kind,
            environment: plan.environment.clone(),
            commit: plan.commit.sha.clone(),
            retry_of: None,
            supersedes: Vec::new(),
            tests_overridden: false,
            rebuild: false,
        };
        tx.commit(change).await?;
        let claim = self
            .store
            .claim("portal", at, 1, &HashSet::new())
            .await?
            .context("nothing to claim")?;
        let mut events = vec![RunEvent::Started];
        for planned in &plan.steps {
            let step = planned.id;
            let outcome = match &planned.step {
                StepKind::Deploy { .. } => Outcome::Deployed {
                    container: "c".repeat(64),
                    digest: digest()?,
                    replaced: None,
                },
                StepKind::Tag { digest, .. } => Outcome::Pushed {
                    digest: digest.clone(),
                    bytes: None,
                },
                _ => Outcome::Done,
            };
            events.push(RunEvent::StepStarted { step, attempt: 1 });
            events.push(RunEvent::StepSucceeded { step, outcome });
        }
        let mut seq = self
            .store
            .load_run(run)
            .await?
            .events
            .last()
            .map_or(0, |event| event.seq);
        for (passed, event) in (1..).zip(events) {
            if with_log
                && matches!(
                    event,
                    RunEvent::StepSucceeded {
                        outcome: Outcome::Deployed { .. },
                        ..
                    }
                )
            {
                self.fill(&claim, plan, at).await?;
            }
            seq = self
                .store
                .append(&claim, seq, &event, Ms(at.0 + passed * 1_000))
                .await?
                .seq;
        }
        self.store
            .append(&claim, seq, &RunEvent::Finished, Ms(at.0 + 60_000))
            .await?;
        Ok(run)
    }

    /// The long log, as a web server would write it.
    async fn fill(&self, claim: &Claim, plan: &Plan, at: Ms) -> Result<()> {
        let mut deploys = plan
            .steps
            .iter()
            .filter(|planned| matches!(planned.step, StepKind::Deploy { .. }));
        let step = deploys.next().context("no step deploys")?.id;
        if self.store.line_count(claim.run, step).await? > 0 {
            return Ok(());
        }
        for first in (1..=LINES).step_by(5_000) {
            let line = |n: i64| NewLine {
                at: Ms(at.0 + n),
                stream: Stream::Out,
                text: format!(
                    "{n:>7} 10.17.0.13 - \"GET /api/v1/orders/{}/?page={} HTTP/1.1\" 200 {} \"Mozilla/5.0\"",
                    n % 977,
                    n % 31,
                    n % 5_003
                ),
            };
            let lines: Vec<NewLine> = (first..first + 5_000).map(line).collect();
            self.store
                .append_lines(claim, step, &lines, None, None)
                .await?;
        }
        Ok(())
    }
}

fn digest() -> Result<Digest> {
    Ok(Digest::parse(format!("sha256:{}", "d".repeat(64)))?)
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The newest commit of the sample project that runs everywhere.
fn head(repository: &Path) -> Result<Commit> {
    let git = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["rev-parse", "main"])
        .output()?;
    let sha = Sha::parse(String::from_utf8_lossy(&git.stdout).trim())?;
    Ok(Commit {
        sha,
        title: "Add the web frontend".into(),
        author: "Lena Brandt".into(),
        at: Ms(0),
    })
}
