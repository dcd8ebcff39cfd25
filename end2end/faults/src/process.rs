//! A portal in a process of its own, so that it can be killed. The test binary starts itself for it.
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::RunId;
use domain::run::StepState;
use domain::view::RunView;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::pushed::Pushed;
use crate::world::{config, kind, lead, origin, step};
use portal::DeployRequest;

/// The variable that tells a child what to do.
const ORDERS: &str = "FAIRLEAD_FAULTS_ORDERS";

/// What a child does besides driving what it finds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Orders {
    /// The folder of the world.
    pub folder: PathBuf,
    /// What to ask for, once.
    pub deploy: Option<DeployRequest>,
    /// What GitHub tells, instead of asking for a run: it is stored, the engine works for `lives_on`, and then the
    /// process kills itself.
    pub push: Option<Pushed>,
    /// The run to look at, when none is asked for.
    pub run: Option<i64>,
    /// Kills itself, as `kill -9` does, as soon as this many events are stored.
    pub die_after: Option<i64>,
    /// Or as soon as the log of some step holds this text.
    pub die_said: Option<String>,
    /// Or as soon as the tests have passed.
    pub die_tested: bool,
    /// But not before so many milliseconds have passed since then.
    pub lives_on: u64,
}

/// A portal's process. Dropping it kills it.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one; `test` is the path of the ignored test that calls [`obey`].
    pub fn start(test: &str, orders: &Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                test,
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ORDERS, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for the line `<word> <number>` and gives the number; `None` when the process ended without it.
    pub async fn says(&mut self, word: &str) -> Option<i64> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            // The test's harness writes its own words in front of the first line.
            if let Some((_, number)) = line.split_once(&format!("<{word}> ")) {
                return number.trim().parse().ok();
            }
        }
        None
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end, and says whether it was killed.
    pub async fn wait(mut self) -> bool {
        let ended = tokio::time::timeout(Duration::from_secs(300), self.child.wait()).await;
        let status = ended.expect("the portal's process ends").unwrap();
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        assert!(killed || status.success(), "{status}");
        killed
    }
}

/// What the child does. Returns at once in a process that is none.
pub async fn obey() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let portal = open(&orders.folder).await;
    if let Some(push) = orders.push {
        let taken = portal.take_in_delivery(push.delivery()).await.unwrap();
        say("delivery", taken.0.0);
        if orders.lives_on > 0 {
            let _engine = portal.start_engine();
            tokio::time::sleep(Duration::from_millis(orders.lives_on)).await;
        }
        die();
    }
    let run = match orders.deploy {
        Some(request) => portal.deploy(&lead(), origin(), request).await.unwrap(),
        None => RunId(orders.run.unwrap()),
    };
    say("run", run.0);
    if orders.die_after == Some(0) {
        die();
    }
    let mut bell = portal.bell_of_run(&lead(), run).await.unwrap();
    let _engine = portal.start_engine();
    loop {
        bell.borrow_and_update();
        // Looked at first, so that what it waits for is there when the run has ended.
        let view = portal.run(&lead(), run).await.unwrap();
        let stored = portal.events_after(&lead(), run, 0, 1000).await.unwrap();
        let last = stored.last().map_or(0, |last| last.seq);
        let said = match &orders.die_said {
            Some(text) => is_said(&portal, run, text).await,
            None => false,
        };
        let tested = orders.die_tested && is_tested(&view);
        if said || tested || orders.die_after.is_some_and(|after| last >= after) {
            tokio::time::sleep(Duration::from_millis(orders.lives_on)).await;
            die();
        }
        if view.row.state.is_final() {
            say("events", last);
            return;
        }
        bell.changed().await.unwrap();
    }
}

async fn is_said(portal: &portal::Portal, run: RunId, text: &str) -> bool {
    let steps = portal.run(&lead(), run).await.unwrap().plan.steps;
    for step in steps {
        let found = portal.search_log(&lead(), run, step.id, text).await;
        if !found.unwrap().lines.is_empty() {
            return true;
        }
    }
    false
}

fn is_tested(view: &RunView) -> bool {
    let tests = &view.steps[step(view, kind::test).index()];
    matches!(tests.state, StepState::Succeeded { .. })
}

async fn open(folder: &Path) -> portal::Portal {
    portal::Portal::open(config(folder)).await.unwrap()
}

fn say(word: &str, number: i64) {
    println!("<{word}> {number}");
    std::io::stdout().flush().unwrap();
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("a killed process goes no further")
}
