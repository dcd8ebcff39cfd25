//! Where the lab keeps its files, and how it writes them.
use crate::error::LabError;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The lab's folders. `target/lab` belongs to one checkout, the cache to the person.
#[derive(Clone, Debug)]
pub struct Folder {
    /// `target/lab`: description, credentials, keys, repositories, logs.
    pub lab: PathBuf,
    /// `end2end/lab`: image recipes and the sample project.
    pub source: PathBuf,
    /// `~/.cache/fairlead-lab`: the data of the lab's own engine with its images; survives `down`.
    pub cache: PathBuf,
}

impl Folder {
    /// The folders of the checkout that this program was built from.
    pub fn of_this_checkout() -> Result<Self, LabError> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = source.ancestors().nth(2).unwrap_or(&source);
        let lab = root.join("target/lab");
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .ok_or_else(|| {
                LabError::Needs(
                    "HOME is not set, so there is no place for the image cache; set it".into(),
                )
            })?
            .join("fairlead-lab");
        Ok(Self { lab, source, cache })
    }

    /// A path in `target/lab`.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.lab.join(name)
    }

    /// `target/lab` without links, once it is there: the same for all who share a lab.
    pub fn real(&self) -> PathBuf {
        self.lab.canonicalize().unwrap_or_else(|_| self.lab.clone())
    }

    /// Lets one lab command work at a time. Released when the file is dropped.
    pub fn lock(&self, progress: crate::progress::Progress) -> Result<File, LabError> {
        make_folder(&self.cache, 0o755)?;
        let path = self.cache.join("lock");
        let file = File::create(&path).map_err(LabError::io("create", &path))?;
        if file.try_lock().is_err() {
            progress.say("waiting for another lab command to finish");
            file.lock().map_err(LabError::io("lock", &path))?;
        }
        Ok(file)
    }
}

/// Makes a folder and its parents.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), LabError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(LabError::io("create the folder", path))
}

/// Writes a file through a temporary one, so that a reader sees the old or the new content. The folder is made if missing.
pub fn write_file(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), LabError> {
    if let Some(parent) = path.parent() {
        make_folder(parent, 0o755)?;
    }
    let temporary = path.with_added_extension("new");
    let _ = fs::remove_file(&temporary);
    let write = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?
            .write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().map_err(LabError::io("write", path))
}

/// Writes a value as JSON, for its owner only.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), LabError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| LabError::Invalid {
        path: path.to_owned(),
        reason: e.to_string(),
    })?;
    write_file(path, 0o600, text.as_bytes())
}

/// Reads a text file.
pub fn read_file(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(LabError::io("read", path))
}
