//! The facts that decisions are made from: the repository's mirror, what was built, which secrets are there.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adapters::git::{GitError, Mirror};
use domain::manifest::{Branch, Build, Manifest, SecretName, Test};
use domain::plan::{Commit, DeployFacts, TestFacts};
use domain::release::TreeKey;
use domain::{EnvName, ProjectName, Sha};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::manifests::InForce;
use crate::reads::Keys;
use crate::{DeployRequest, Error, Portal, now};

/// A board that is looked at asks for a fetch when the last one is older than this.
const STALE: Duration = Duration::from_secs(30);
/// How long the first board after a start waits for the repository to be opened, so that it is complete where that is
/// quick.
const BRIEFLY: Duration = Duration::from_millis(300);
/// Commits between two points are counted up to here.
const COUNTED: usize = 500;

/// What is known of each repository since its last fetch, so that a board does not ask git for it each time.
#[derive(Default)]
pub(crate) struct Repositories(Mutex<HashMap<ProjectName, Known>>);

#[derive(Default)]
struct Known {
    asked: Option<Instant>,
    mirror: Option<Mirror>,
    /// When it was fetched last since it was opened.
    at: Option<Instant>,
    /// Why the last fetch failed, if it did.
    trouble: Option<String>,
    heads: HashMap<Branch, Option<Commit>>,
    between: HashMap<(Sha, Sha), Option<u32>>,
}

impl Repositories {
    fn with<T>(&self, project: &ProjectName, look: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(known.entry(project.clone()).or_default())
    }

    /// True once per [`STALE`]: whoever hears it fetches.
    fn is_due(&self, project: &ProjectName) -> bool {
        self.with(project, |known| {
            let due = known.asked.is_none_or(|at| at.elapsed() > STALE);
            if due {
                known.asked = Some(Instant::now());
            }
            due
        })
    }

    /// Whether it was fetched within [`STALE`], so that a commit which has left its branch is not taken for one on it.
    pub(crate) fn is_fresh(&self, project: &ProjectName) -> bool {
        self.with(project, |known| {
            let lately = known.at.is_some_and(|at| at.elapsed() <= STALE);
            lately && known.trouble.is_none()
        })
    }

    /// Forgets everything: the manifest may speak of another repository now.
    pub(crate) fn forget(&self, project: &ProjectName) {
        self.with(project, |known| *known = Known::default());
    }

    /// Forgets what a fetch may have changed.
    pub(crate) fn fetched(&self, project: &ProjectName) {
        self.with(project, |known| {
            known.asked = Some(Instant::now());
            known.at = known.asked;
            known.trouble = None;
            known.heads.clear();
            known.between.retain(|_, count| count.is_some());
        });
    }
}

/// A branch's newest commit, as far as it is known.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) commit: Option<Commit>,
    /// How many commits of the branch come after what runs.
    pub(crate) behind: Option<u32>,
    /// Why the commit is not known, or may not be the newest any more.
    pub(crate) trouble: Option<String>,
}

/// git's commit in the words of a plan.
pub(crate) fn in_words(commit: adapters::git::Commit) -> Commit {
    let adapters::git::Commit {
        sha,
        title,
        author,
        at_ms,
        parents: _,
    } = commit;
    Commit {
        sha,
        title,
        author,
        at: at_ms,
    }
}

impl Portal {
    /// The mirror of the project's repository, cloned now if it is not there yet.
    pub(crate) async fn mirror(&self, manifest: &Manifest) -> Result<Mirror, Error> {
        let token = self.git_token().await?;
        let opened = self.open_mirror(manifest, token).await;
        opened.map_err(|error| Error::Outside(error.to_string()))
    }

    /// The mirror of the project's repository, if it was opened before.
    pub(crate) fn known_mirror(&self, manifest: &Manifest) -> Option<Mirror> {
        let repositories = &self.parts().repositories;
        repositories.with(&manifest.name, |known| known.mirror.clone())
    }

    /// What the repository is read with.
    pub(crate) async fn git_token(&self) -> Result<Option<SecretString>, Error> {
        let parts = self.parts();
        let token = parts.secrets.get(&parts.config.github.token).await;
        token.map_err(|error| Error::Outside(error.to_string()))
    }

    /// As [`Portal::mirror`], for whoever must know whether trying again may help.
    pub(crate) async fn open_mirror(
        &self,
        manifest: &Manifest,
        token: Option<SecretString>,
    ) -> Result<Mirror, GitError> {
        let parts = self.parts();
        let url = format!(
            "{}/{}.git",
            parts.config.github.url.as_str().trim_end_matches('/'),
            manifest.repository
        );
        let dir = parts.config.data_dir.join("git");
        let mirror = Mirror::open(&dir, &url, token).await?;
        let opened = mirror.clone();
        let known = &parts.repositories;
        known.with(&manifest.name, |known| known.mirror = Some(opened));
        Ok(mirror)
    }

    /// The newest commit of a branch, and how many of its commits come after `running`, as of the last fetch. Nothing
    /// is known of a repository that was not opened yet; git is asked once after each fetch.
    ///
    /// What cannot be read must not hide what runs, so it is told beside it.
    pub(crate) async fn head(
        &self,
        manifest: &Manifest,
        branch: &Branch,
        running: Option<&Sha>,
    ) -> Head {
        let repositories = &self.parts().repositories;
        let (mirror, known, trouble) = repositories.with(&manifest.name, |known| {
            let head = known.heads.get(branch).cloned();
            (known.mirror.clone(), head, known.trouble.clone())
        });
        let unknown = |trouble| Head {
            trouble,
            ..Head::default()
        };
        let Some(mirror) = mirror else {
            return unknown(trouble);
        };
        let commit = match known {
            Some(commit) => commit,
            None => match newest(&mirror, branch).await {
                Ok(commit) => {
                    repositories.with(&manifest.name, |known| {
                        known.heads.insert(branch.clone(), commit.clone())
                    });
                    commit
                }
                Err(error) => return unknown(Some(error.to_string())),
            },
        };
        // A mirror that was never fetched has no branch either.
        let trouble = trouble.or_else(|| {
            let fetched = repositories.with(&manifest.name, |known| known.at.is_some());
            (commit.is_none() && fetched)
                .then(|| format!("the repository has no branch `{branch}`; push it, or correct `branch` in the manifest"))
        });
        let behind = match (&commit, running) {
            (Some(newest), Some(running)) => {
                self.between(&manifest.name, &mirror, running, &newest.sha)
                    .await
            }
            _ => None,
        };
        Head {
            commit,
            behind,
            trouble,
        }
    }

    /// How many commits `to` has that `from` has not; `None` where git does not know one of them any more.
    async fn between(
        &self,
        project: &ProjectName,
        mirror: &Mirror,
        from: &Sha,
        to: &Sha,
    ) -> Option<u32> {
        let repositories = &self.parts().repositories;
        let pair = (from.clone(), to.clone());
        let known = repositories.with(project, |known| known.between.get(&pair).copied());
        if let Some(count) = known {
            return count;
        }
        let commits = mirror.log(Some(from), to, COUNTED).await;
        let count = commits
            .ok()
            .and_then(|commits| u32::try_from(commits.len()).ok());
        repositories.with(project, |known| known.between.insert(pair, count));
        count
    }

    /// Fetches in the background when what is known has become old; then the board's bell rings.
    pub(crate) async fn refresh(&self, manifest: &Arc<Manifest>) {
        let repositories = &self.parts().repositories;
        if !repositories.is_due(&manifest.name) {
            return;
        }
        let is_open = repositories.with(&manifest.name, |known| known.mirror.is_some());
        let (opened, opening) = tokio::sync::oneshot::channel::<()>();
        let (portal, manifest) = (self.clone(), manifest.clone());
        tokio::spawn(async move {
            let mirror = portal.mirror(&manifest).await;
            drop(opened);
            let fetched = match mirror {
                Ok(mirror) => mirror
                    .fetch()
                    .await
                    .map_err(|error| Error::Outside(error.to_string())),
                Err(error) => Err(error),
            };
            match fetched {
                Ok(()) => {
                    portal.parts().repositories.fetched(&manifest.name);
                    portal.parts().live.ring_board(&manifest.name);
                }
                Err(error) => {
                    tracing::warn!(project = %manifest.name, %error, "the repository cannot be fetched");
                    let why = error.to_string();
                    let known = &portal.parts().repositories;
                    let before =
                        known.with(&manifest.name, |known| known.trouble.replace(why.clone()));
                    if before != Some(why) {
                        portal.parts().live.ring_board(&manifest.name);
                    }
                }
            }
        });
        if !is_open {
            // Either end says enough: it is open, or it takes longer than a page should.
            let _ = tokio::time::timeout(BRIEFLY, opening).await;
        }
    }

    /// The commit's page on the forge.
    pub(crate) fn commit_url(&self, manifest: &Manifest, commit: &Sha) -> String {
        format!("{}/commit/{commit}", self.repository_url(manifest))
    }

    /// The repository's page on the forge.
    pub(crate) fn repository_url(&self, manifest: &Manifest) -> String {
        format!(
            "{}/{}",
            self.parts()
                .config
                .github
                .url
                .as_str()
                .trim_end_matches('/'),
            manifest.repository
        )
    }

    /// Everything that must be known to plan a deploy of `commit`, which the mirror holds.
    pub(crate) async fn deploy_facts(
        &self,
        in_force: &InForce,
        request: &DeployRequest,
        mirror: &Mirror,
        commit: Commit,
    ) -> Result<DeployFacts, Error> {
        let (manifest, environment) = (&in_force.manifest, &request.environment);
        let store = &self.parts().store;
        let asked = now();
        let mut keys = BTreeMap::new();
        let mut built = BTreeMap::new();
        let mut tests = BTreeMap::new();
        let registries: Vec<&str> = manifest
            .registries
            .iter()
            .map(|registry| registry.name.as_str())
            .collect();
        for (component, described) in &manifest.components {
            let Some(input) = tree_key(mirror, &commit.sha, &described.build).await? else {
                continue;
            };
            let key = if request.rebuild {
                input.anew(asked)
            } else {
                let anew = store.built_anew(&manifest.name, component, &input).await?;
                anew.unwrap_or(input)
            };
            if let Some(digest) = store
                .built(&manifest.name, component, &key, &registries)
                .await?
            {
                built.insert(component.clone(), digest);
            }
            if let Some(test) = &described.test
                && let Some(key) = tests_key(mirror, &commit.sha, test, &key).await?
            {
                let passed = store.tested(&manifest.name, component, &key).await?;
                tests.insert(component.clone(), TestFacts { key, passed });
            }
            keys.insert(component.clone(), key);
        }
        let mut running = store.running(&manifest.name).await?;
        let running = running.remove(environment).unwrap_or_default();
        Ok(DeployFacts {
            commit,
            manifest: in_force.hash.clone(),
            keys,
            built,
            tests,
            tests_overridden: request.override_tests,
            rebuild: request.rebuild,
            missing_secrets: self.missing_secrets(manifest, environment).await?,
            usual: store.usual(&manifest.name, environment).await?,
            running: running
                .into_iter()
                .map(|(component, there)| (component, there.commit.sha))
                .collect(),
        })
    }

    /// What identifies the input of each component's build at a commit, as far as the mirror that is there can tell.
    pub(crate) async fn known_keys(&self, manifest: &Manifest, commit: &Sha) -> Keys {
        let mut keys = Keys::new();
        let Some(mirror) = self.known_mirror(manifest) else {
            return keys;
        };
        for (component, described) in &manifest.components {
            if let Ok(Some(key)) = tree_key(&mirror, commit, &described.build).await {
                keys.insert(component.clone(), key);
            }
        }
        keys
    }

    /// The secrets that a deploy and the builder need and that no source has, with the names that were tried.
    pub(crate) async fn missing_secrets(
        &self,
        manifest: &Manifest,
        environment: &EnvName,
    ) -> Result<BTreeMap<SecretName, Vec<String>>, Error> {
        let prefix = manifest
            .environments
            .get(environment)
            .map_or("", |place| place.secrets.as_str());
        let mut missing = BTreeMap::new();
        for name in manifest.secrets_of_deploy(environment) {
            let value = self.parts().secrets.resolve(prefix, name.as_str()).await;
            if value
                .map_err(|error| Error::Outside(error.to_string()))?
                .is_none()
            {
                let mut tried = vec![format!("{prefix}{name}"), name.to_string()];
                tried.dedup();
                missing.insert(name.clone(), tried);
            }
        }
        for name in self.parts().config.builder.secrets() {
            let value = self.parts().secrets.get(name.as_str()).await;
            if value
                .map_err(|error| Error::Outside(error.to_string()))?
                .is_none()
            {
                missing
                    .entry(name.clone())
                    .or_insert_with(|| vec![name.to_string()]);
            }
        }
        Ok(missing)
    }
}

async fn newest(mirror: &Mirror, branch: &Branch) -> Result<Option<Commit>, GitError> {
    match mirror.resolve(branch.as_str()).await? {
        Some(sha) => Ok(Some(in_words(mirror.commit(&sha).await?))),
        None => Ok(None),
    }
}

/// What identifies the build's input; `None` when the commit has no such context or dockerfile.
async fn tree_key(mirror: &Mirror, commit: &Sha, build: &Build) -> Result<Option<TreeKey>, Error> {
    let objects = match mirror
        .tree_key(commit, &[&build.context, &build.dockerfile])
        .await
    {
        Ok(objects) => objects,
        Err(GitError::NoSuchPath { .. } | GitError::BadPath { .. }) => return Ok(None),
        Err(error) => return Err(Error::Outside(error.to_string())),
    };
    let mut parts: Vec<&str> = objects.iter().map(String::as_str).collect();
    parts.push(&build.dockerfile);
    parts.push(build.target.as_deref().unwrap_or_default());
    for (name, value) in &build.args {
        parts.extend([name.as_str(), value.as_str()]);
    }
    Ok(Some(key_of(&parts)))
}

/// What identifies the input of tests: the source or the image that they see, and how they are run. `None` when the commit has no
/// such folder.
async fn tests_key(
    mirror: &Mirror,
    commit: &Sha,
    test: &Test,
    image: &TreeKey,
) -> Result<Option<TreeKey>, Error> {
    let source = if test.is_in_built_image() {
        image.0.clone()
    } else {
        match mirror
            .tree_key(commit, &[test.dir.as_deref().unwrap_or(".")])
            .await
        {
            Ok(objects) => objects.concat(),
            Err(GitError::NoSuchPath { .. } | GitError::BadPath { .. }) => return Ok(None),
            Err(error) => return Err(Error::Outside(error.to_string())),
        }
    };
    let how = serde_json::to_string(test).map_err(|error| Error::Outside(error.to_string()))?;
    Ok(Some(key_of(&[&source, &how])))
}

/// A hash of texts that tells where each ends.
fn key_of(parts: &[&str]) -> TreeKey {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    TreeKey(format!("{:x}", hasher.finalize()))
}
