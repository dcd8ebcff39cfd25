//! The projects' manifests: read from the projects folder, taken into the store when they change. A file with faults
//! changes nothing: the last good text stays in force, and the faults are shown.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use domain::audit::{Change, Door, Origin};
use domain::manifest::{Manifest, Problem};
use domain::policy::{Action, Actor, allow};
use domain::{EnvName, HostName, Ms, ProjectName};
use sha2::{Digest as _, Sha256};
use store::Note;

use crate::{Error, Portal, now};

/// The folder is looked at this often at most.
const LOOK: Duration = Duration::from_secs(1);

/// A project with the manifest that is in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) source: Arc<str>,
    /// SHA-256 in hex of the text.
    pub(crate) hash: String,
    pub(crate) since: Ms,
    /// What is wrong with the file as it is now; empty when it is the text in force.
    pub(crate) problems: Vec<Problem>,
    /// Whether the file was taken away: what is known stays to be seen, and nothing is deployed.
    pub(crate) removed: bool,
}

#[derive(Default)]
pub(crate) struct Manifests {
    in_force: RwLock<BTreeMap<ProjectName, InForce>>,
    /// What is wrong with the files of projects that no manifest is in force of.
    broken: RwLock<BTreeMap<ProjectName, Vec<Problem>>>,
    looked: tokio::sync::Mutex<Looked>,
}

#[derive(Default)]
struct Looked {
    at: Option<Instant>,
    files: BTreeMap<String, Stamp>,
}

/// By what a file that changed is told: when it was written, and how long it is.
type Stamp = (SystemTime, u64);

impl Portal {
    /// Takes in what has changed in the projects folder. Faults of a file are kept with its project and logged.
    pub async fn reload_manifests(&self) -> Result<(), Error> {
        let manifests = &self.parts().manifests;
        let mut looked = manifests.looked.lock().await;
        if looked.at.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(());
        }
        let first = looked.at.is_none();
        if first {
            self.take_up_stored().await?;
        }
        looked.at = Some(Instant::now());
        let mut files = match manifest_files(&self.parts().config.projects_dir).await {
            Ok(files) => files,
            Err(error) if first => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the manifests in force stay as they are");
                return Ok(());
            }
        };
        let mut failed = Vec::new();
        for (path, stamp) in &files {
            if looked.files.get(path) == Some(stamp) {
                continue;
            }
            match self.take_in(Path::new(path)).await {
                Ok(()) => {}
                Err(error) if first => return Err(error),
                Err(error) => {
                    tracing::warn!(file = path, %error, "the manifest is tried again at the next look");
                    failed.push(path.clone());
                }
            }
        }
        let has_file = |project: &ProjectName| {
            let of_project =
                |path: &String| Path::new(path).file_stem() == Some(project.as_str().as_ref());
            files.keys().any(of_project)
        };
        self.broken().retain(|project, _| has_file(project));
        self.note_removed(has_file);
        files.retain(|path, _| !failed.contains(path));
        looked.files = files;
        Ok(())
    }

    /// Puts in force what was in force when the portal was last here.
    async fn take_up_stored(&self) -> Result<(), Error> {
        for stored in self.parts().store.current_manifests().await? {
            match Manifest::parse(&stored.source) {
                Ok(manifest) => {
                    self.put_in_force(manifest, stored.source, stored.hash, stored.since)
                }
                Err(problems) => {
                    let first = problems.first().map(ToString::to_string);
                    tracing::warn!(project = %stored.project, ?first, "this version does not take the manifest that was in force");
                }
            }
        }
        Ok(())
    }

    async fn take_in(&self, path: &Path) -> Result<(), Error> {
        let read = tokio::fs::read(path).await;
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let Ok(named) = ProjectName::parse(stem) else {
            tracing::warn!(file = %path.display(), "a manifest's file is named like its project; this one is passed over");
            return Ok(());
        };
        let source = match read {
            Ok(source) => String::from_utf8_lossy(&source).into_owned(),
            Err(error) => {
                let problem = Problem {
                    line: 1,
                    column: 1,
                    key: String::new(),
                    message: format!("the file cannot be read: {error}"),
                    advice: "correct its owner and rights, or what it is".into(),
                };
                self.note_problems(&named, path, vec![problem]);
                return Ok(());
            }
        };
        let manifest = match Manifest::parse(&source) {
            Ok(manifest) if manifest.name == named => manifest,
            Ok(manifest) => {
                let message = format!(
                    "is `{}`, but the file is named `{stem}.toml`",
                    manifest.name
                );
                let advice = "name the file like the project".to_owned();
                let problem = Problem {
                    line: 1,
                    column: 1,
                    key: "name".into(),
                    message,
                    advice,
                };
                self.note_problems(&named, path, vec![problem]);
                return Ok(());
            }
            Err(problems) => {
                self.note_problems(&named, path, problems);
                return Ok(());
            }
        };
        let hash = format!("{:x}", Sha256::digest(source.as_bytes()));
        let same = self.in_force(&named).filter(|before| before.hash == hash);
        let since = match same {
            Some(before) => before.since,
            None => {
                self.parts().repositories.forget(&named);
                self.leave_hosts(&manifest).await;
                self.import(&named, &hash, &source).await?
            }
        };
        self.put_in_force(manifest, source, hash, since);
        self.parts().live.ring_board(&named);
        Ok(())
    }

    /// Ends the connections to the hosts that a new manifest names no more, once nobody uses them.
    async fn leave_hosts(&self, new: &Manifest) {
        let names = |manifest: &Manifest| -> BTreeSet<String> {
            let environments = manifest.environments.iter();
            let hosts = environments.flat_map(|(environment, place)| {
                let hosts = place.hosts.keys();
                hosts.map(|host| called(&manifest.name, environment, host))
            });
            hosts.collect()
        };
        if let Some(old) = self.in_force(&new.name) {
            for gone in names(&old.manifest).difference(&names(new)) {
                self.parts().hosts.forget(gone).await;
            }
        }
    }

    /// Takes a text into the store and gives the time since which it is in force.
    async fn import(&self, project: &ProjectName, hash: &str, source: &str) -> Result<Ms, Error> {
        let store = &self.parts().store;
        let grant = allow(&Actor::engine(), Some(project), Action::ImportManifest)?;
        let origin = Origin {
            door: Door::Engine,
            address: None,
            request: None,
        };
        let note = Note {
            origin,
            reason: None,
            at: now(),
        };
        let mut tx = store.audited(&grant, note).await?;
        let previous = tx.import_manifest(project, hash, source).await?;
        // Another portal, or a command beside this one, saw the change first: nothing changes, so nothing is told.
        if previous.as_deref() == Some(hash) {
            drop(tx);
            let stored = store.current_manifest(project).await?;
            return Ok(stored.map_or_else(now, |stored| stored.since));
        }
        let manifest = hash.to_owned();
        let event = tx.commit(Change::ManifestImported { manifest, previous });
        Ok(event.await?.at)
    }

    fn put_in_force(&self, manifest: Manifest, source: String, hash: String, since: Ms) {
        let project = manifest.name.clone();
        let in_force = InForce {
            manifest: Arc::new(manifest),
            source: source.into(),
            hash,
            since,
            problems: Vec::new(),
            removed: false,
        };
        self.broken().remove(&project);
        let held = &self.parts().manifests.in_force;
        held.write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(project, in_force);
    }

    fn broken(&self) -> RwLockWriteGuard<'_, BTreeMap<ProjectName, Vec<Problem>>> {
        let held = &self.parts().manifests.broken;
        held.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_problems(&self, project: &ProjectName, path: &Path, problems: Vec<Problem>) {
        for problem in &problems {
            tracing::warn!(file = %path.display(), %problem, "the manifest is not taken in");
        }
        let held = &self.parts().manifests.in_force;
        let mut held = held.write().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(project) {
            Some(in_force) => {
                in_force.problems = problems;
                in_force.removed = false;
            }
            None => {
                self.broken().insert(project.clone(), problems);
            }
        }
        drop(held);
        self.parts().live.ring_board(project);
    }

    /// Says of each project without a file that it was taken away.
    fn note_removed(&self, has_file: impl Fn(&ProjectName) -> bool) {
        let held = &self.parts().manifests.in_force;
        let mut held = held.write().unwrap_or_else(PoisonError::into_inner);
        let gone = held
            .iter_mut()
            .filter(|(project, in_force)| !in_force.removed && !has_file(project));
        for (project, in_force) in gone {
            tracing::warn!(%project, "the manifest was removed; nothing is deployed until it is back");
            in_force.removed = true;
            in_force.problems = vec![Problem {
                line: 1,
                column: 1,
                key: String::new(),
                message: format!("the file `{project}.toml` was removed from the projects folder"),
                advice: "put it back to deploy again; what is shown is its last text".into(),
            }];
            self.parts().live.ring_board(project);
        }
    }

    /// The project's manifest in force.
    pub(crate) fn in_force(&self, project: &ProjectName) -> Option<InForce> {
        let held = &self.parts().manifests.in_force;
        held.read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(project)
            .cloned()
    }

    /// What is wrong with the file of a project that no manifest is in force of.
    pub(crate) fn problems_of_broken(&self, project: &ProjectName) -> Option<Vec<Problem>> {
        self.broken().get(project).cloned()
    }

    /// Every project, also those whose file was never without a fault: their teams must find them.
    pub(crate) fn all_projects(&self) -> Vec<ProjectName> {
        let held = &self.parts().manifests.in_force;
        let held = held.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeSet<ProjectName> = held.keys().cloned().collect();
        drop(held);
        all.extend(self.broken().keys().cloned());
        all.into_iter().collect()
    }
}

/// What an environment's host is called among all hosts that the portal is connected to.
pub(crate) fn called(project: &ProjectName, environment: &EnvName, host: &HostName) -> String {
    format!("{project}/{environment}/{host}")
}

async fn manifest_files(dir: &Path) -> Result<BTreeMap<String, Stamp>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::Outside(format!(
            "the projects folder {} cannot be read: {error}; correct `projects_dir` in the configuration",
            dir.display()
        ))
    };
    let mut files = BTreeMap::new();
    let mut entries = tokio::fs::read_dir(dir).await.map_err(unreadable)?;
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        // Of a link, what it points to. A file that vanishes while one looks is not there.
        let stamp = tokio::fs::metadata(&path).await;
        if let Ok(stamp) = stamp.and_then(|found| Ok((found.modified()?, found.len()))) {
            files.insert(path.to_string_lossy().into_owned(), stamp);
        }
    }
    Ok(files)
}
