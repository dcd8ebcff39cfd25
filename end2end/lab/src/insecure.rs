//! Registries in the lab's network speak plain HTTP; an engine that the lab did not start has to be told that this is meant.
//! What is written into its configuration for that is taken out again by `down`.
use crate::{
    engine::is_root,
    error::LabError,
    folder::{Folder, write_file},
    layout::SUBNET,
    program::docker,
    progress::Progress,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const CONFIG: &str = "/etc/docker/daemon.json";
const KEY: &str = "insecure-registries";

/// Lies in the cache as long as the engine's configuration holds a line of the lab.
fn mark(folder: &Folder) -> PathBuf {
    folder.cache.join("insecure-registry")
}

/// Makes the engine accept the lab's registries, if it does not.
pub async fn accept(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    if accepted().await? {
        return Ok(());
    }
    if !is_root() {
        return Err(advice("add", "to"));
    }
    let mut config = read().map_err(|_| advice("add", "to"))?;
    if !add(&mut config) {
        return Err(advice("add", "to"));
    }
    // Before the change: what is half done is undone, too.
    write_file(&mark(folder), 0o644, SUBNET.as_bytes())?;
    write(&config)?;
    progress.say(format!(
        "added {SUBNET} to the insecure registries of {CONFIG}, until the lab is removed"
    ));
    reload(true).await.map_err(|()| advice("add", "to"))
}

/// Takes back what [`accept`] wrote. Says whether there was something.
pub async fn refuse(folder: &Folder, engine_answers: bool) -> Result<bool, LabError> {
    let mark = mark(folder);
    if !mark.exists() {
        return Ok(false);
    }
    let by_hand = || advice("remove", "from");
    let mut config = read().map_err(|_| by_hand())?;
    if remove(&mut config) {
        write(&config)?;
        // An engine reloads a list that is there, also an empty one, and keeps its own when the key is gone.
        if engine_answers {
            reload(false).await.map_err(|()| by_hand())?;
        }
        prune(&mut config);
        if config == json!({}) {
            fs::remove_file(CONFIG).map_err(LabError::io("remove", CONFIG))?;
        } else {
            write(&config)?;
        }
    }
    fs::remove_file(&mark).map_err(LabError::io("remove", &mark))?;
    Ok(true)
}

fn advice(verb: &str, preposition: &str) -> LabError {
    LabError::Needs(format!(
        "the lab's registries speak plain HTTP; {verb} \"{SUBNET}\" {preposition} \"{KEY}\" in {CONFIG} and reload the engine with: sudo systemctl reload docker"
    ))
}

/// An engine's own list may be wider than the lab's network.
async fn accepted() -> Result<bool, LabError> {
    let list = docker([
        "info",
        "--format",
        "{{json .RegistryConfig.InsecureRegistryCIDRs}}",
    ])
    .run()
    .await?;
    let list: Vec<String> = serde_json::from_str(&list).unwrap_or_default();
    Ok(list.iter().any(|range| covers(range).unwrap_or(false)))
}

/// Whether a range, such as `10.0.0.0/8`, holds the lab's network.
fn covers(range: &str) -> Option<bool> {
    let parse = |range: &str| {
        let (address, bits) = range.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some((u32::from(address), bits.parse::<u32>().ok()?))
    };
    let ((wide, bits), (lab, lab_bits)) = (parse(range)?, parse(SUBNET)?);
    let mask = u32::MAX.checked_shl(32u32.checked_sub(bits)?).unwrap_or(0);
    Some(bits <= lab_bits && wide & mask == lab & mask)
}

fn read() -> Result<Value, serde_json::Error> {
    match fs::read_to_string(CONFIG) {
        Ok(text) => serde_json::from_str(&text),
        Err(_) => Ok(json!({})),
    }
}

fn write(config: &Value) -> Result<(), LabError> {
    write_file(Path::new(CONFIG), 0o644, format!("{config:#}\n").as_bytes())
}

/// Says whether the configuration has a shape that it could be added to.
fn add(config: &mut Value) -> bool {
    let list = config
        .as_object_mut()
        .map(|object| object.entry(KEY).or_insert_with(|| json!([])));
    let Some(list) = list.and_then(Value::as_array_mut) else {
        return false;
    };
    if !list.iter().any(|range| range == SUBNET) {
        list.push(json!(SUBNET));
    }
    true
}

/// Says whether it was there.
fn remove(config: &mut Value) -> bool {
    let Some(list) = config.get_mut(KEY).and_then(Value::as_array_mut) else {
        return false;
    };
    let before = list.len();
    list.retain(|range| range != SUBNET);
    list.len() < before
}

fn prune(config: &mut Value) {
    if config.get(KEY) == Some(&json!([]))
        && let Some(object) = config.as_object_mut()
    {
        object.remove(KEY);
    }
}

/// By its pid file, never by name: the droplets' own engines are processes of this machine too.
async fn reload(wanted: bool) -> Result<(), ()> {
    let text = fs::read_to_string("/run/docker.pid").map_err(drop)?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw).ok_or(())?;
    kill_process(pid, Signal::HUP).map_err(drop)?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if accepted().await.is_ok_and(|accepted| accepted == wanted) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_range_is_accepted_and_another_one_is_not() {
        for (range, expected) in [
            ("10.77.0.0/16", Some(true)),
            ("10.0.0.0/8", Some(true)),
            ("0.0.0.0/0", Some(true)),
            ("10.77.1.0/24", Some(false)),
            ("127.0.0.0/8", Some(false)),
            ("::1/128", None),
        ] {
            assert_eq!(covers(range), expected, "{range}");
        }
    }

    #[test]
    fn what_was_added_is_taken_out_and_nothing_else() {
        let own = json!({"insecure-registries": ["192.168.1.5:5000"], "debug": true});
        for before in [json!({}), own] {
            let mut config = before.clone();
            assert!(add(&mut config));
            assert_ne!(config, before);
            assert!(remove(&mut config));
            prune(&mut config);
            assert_eq!(config, before);
        }
        assert!(!add(&mut json!({"insecure-registries": "all"})));
        assert!(!remove(&mut json!({"debug": true})));
    }
}
