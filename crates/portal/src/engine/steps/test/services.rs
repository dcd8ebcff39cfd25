//! The containers beside the tests: started together, and waited for until they can be used.
use std::collections::VecDeque;
use std::time::Duration;

use adapters::docker::{DockerError, LogCursor, State};
use domain::log::Stream;
use tokio::time::{Instant, sleep, timeout};

use super::super::StepError;
use super::bench::Bench;
use super::image;

/// How long a service may take until it can be used.
const LIMIT: Duration = Duration::from_secs(60);
/// How long one look at it may take.
const LOOK: Duration = Duration::from_secs(10);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How many of its last lines are shown when it cannot be used, and how many the failure repeats.
const TAIL: usize = 20;
const QUOTED: usize = 3;

/// Makes the network and starts the services on it; returns once each can be used.
pub(super) async fn start(bench: &Bench<'_>) -> Result<(), StepError> {
    for service in bench.test.services.values() {
        image::named(bench, &service.image).await?;
    }
    // What is being made is not cut off half-way: the engine would go on with it after the clearing.
    bench.work.check()?;
    bench.doing("the services were being started");
    bench
        .engine
        .create_network(&bench.network(), &bench.labels())
        .await?;
    let mut started = Vec::new();
    for (name, service) in &bench.test.services {
        bench.work.check()?;
        bench.say(format!("starting {name} from {}", service.image));
        let mut spec = bench.container(&service.image, &service.env)?;
        spec.aliases = vec![name.clone()];
        let called = format!("{}-{name}", bench.network());
        let id = bench.engine.create(&called, &spec).await?;
        bench.engine.start(&id).await?;
        started.push((name, service, id));
    }
    for (name, service, id) in started {
        if let Some(ready) = &service.ready {
            bench.doing(format!("service `{name}` was not ready yet"));
            let waiting = until_ready(bench, name, &id, ready);
            bench.work.unless_halted(waiting).await?;
            bench.say(format!("{name} is ready"));
        }
    }
    Ok(())
}

async fn until_ready(
    bench: &Bench<'_>,
    name: &str,
    id: &str,
    ready: &str,
) -> Result<(), StepError> {
    let give_up = Instant::now() + LIMIT;
    let mut answer = String::new();
    loop {
        let found = bench.engine.inspect(id).await?;
        let state = found.as_ref().map(|found| found.state);
        if let Some(State::Exited { code }) = state {
            let what = format!("service `{name}` ended with status {code} before it was ready");
            return Err(unusable(bench, name, id, what).await);
        }
        match bench.engine.exec(id, &["sh", "-c", ready], LOOK).await {
            Ok(done) if done.code == 0 => {
                let ports = found.map(|found| found.ports).unwrap_or_default();
                if ports.is_empty() || serves(bench, id, &ports).await? {
                    return Ok(());
                }
                answer = format!("nothing listens on port {} yet", ports[0]);
            }
            Ok(done) => {
                let last = done.lines.last().map(|line| String::from_utf8_lossy(line));
                answer = last.map_or(format!("status {}", done.code), |last| last.into_owned());
            }
            // It has ended since the look at it; the next one tells.
            Err(DockerError::Conflict { .. }) => {}
            Err(DockerError::Timeout { .. }) => {
                answer = format!("no answer within {} s", LOOK.as_secs());
            }
            Err(error) => return Err(error.into()),
        }
        if Instant::now() > give_up {
            let limit = LIMIT.as_secs();
            let what = format!(
                "service `{name}` was not ready within {limit} s (`{ready}` says: {answer})"
            );
            return Err(unusable(bench, name, id, what).await);
        }
        sleep(PAUSE).await;
    }
}

/// Whether the service listens where others reach it. Databases start once without a network to set themselves up;
/// `pg_isready` succeeds then, and a moment later nothing is there.
async fn serves(bench: &Bench<'_>, id: &str, ports: &[u16]) -> Result<bool, StepError> {
    let tables = ["cat", "/proc/net/tcp", "/proc/net/tcp6"];
    let done = bench.engine.exec(id, &tables, LOOK).await?;
    // Without IPv6 the second is missing; without `cat` its word must do.
    let rows = done.lines.iter().map(|line| String::from_utf8_lossy(line));
    let rows: Vec<String> = rows.map(|row| row.into_owned()).collect();
    let seen = rows.iter().any(|row| row.contains("local_address"));
    Ok(!seen || rows.iter().any(|row| listens(row, ports)))
}

/// A row of `/proc/net/tcp`: `  0: 00000000:1538 00000000:0000 0A …`, where 0A is a listener.
fn listens(row: &str, ports: &[u16]) -> bool {
    let mut words = row.split_whitespace().skip(1);
    let (Some(local), Some(_), Some("0A")) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let Some((address, port)) = local.split_once(':') else {
        return false;
    };
    // 127.x and ::1, with their bytes as the machine has them.
    let inside = address.ends_with("7F") || address == "00000000000000000000000001000000";
    let port = u16::from_str_radix(port, 16);
    !inside && port.is_ok_and(|port| ports.contains(&port))
}

/// The failure, with what the service said last.
async fn unusable(bench: &Bench<'_>, name: &str, id: &str, what: String) -> StepError {
    let tail = timeout(LOOK, last_lines(bench, id)).await;
    let tail = tail.unwrap_or_default();
    for line in &tail {
        bench.work.log.put(Stream::Err, format!("{name}: {line}"));
    }
    let told = tail.iter().map(|line| line.trim());
    let told: Vec<&str> = told.filter(|line| !line.is_empty()).collect();
    let quoted = &told[told.len().saturating_sub(QUOTED)..];
    let said = match quoted.is_empty() {
        true => "it said nothing".to_owned(),
        false => format!("it said last: {}", quoted.join("; ")),
    };
    StepError::advised(
        format!("{what}; {said}"),
        format!("its last lines are in the log; correct `test.services.{name}` in the manifest"),
    )
}

async fn last_lines(bench: &Bench<'_>, id: &str) -> VecDeque<String> {
    let mut tail = VecDeque::new();
    let secrets = bench.work.log.redactor();
    let logs = bench.engine.logs(id, LogCursor::default(), false, secrets);
    let Ok(mut logs) = logs.await else {
        return tail;
    };
    while let Ok(Some(batch)) = logs.next().await {
        for line in batch {
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(String::from_utf8_lossy(&line.text).into_owned());
        }
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::listens;

    #[test]
    fn a_listener_counts_where_others_reach_it() {
        let row = |local: &str, state: &str| {
            format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000")
        };
        let any6 = "00000000000000000000000000000000:1538";
        for (local, state, wanted) in [
            ("00000000:1538", "0A", true),
            (any6, "0A", true),
            ("0200A8C0:1538", "0A", true),
            ("00000000:1538", "01", false),
            ("00000000:1539", "0A", false),
            ("0100007F:1538", "0A", false),
            ("0B00007F:1538", "0A", false),
            ("00000000000000000000000001000000:1538", "0A", false),
        ] {
            let row = row(local, state);
            assert_eq!(listens(&row, &[80, 5432]), wanted, "{row}");
        }
        assert!(!listens("  sl  local_address rem_address   st", &[5432]));
    }
}
