//! Manifests: each text that was ever in force, and which one is in force now.
use domain::policy::Action;
use domain::{Ms, ProjectName};

use crate::db::{on, rd};
use crate::{Store, StoreError, Tx, json};

/// A manifest in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// The project.
    pub project: ProjectName,
    /// SHA-256 in hex of the text.
    pub hash: String,
    /// The text, as its team wrote it.
    pub source: String,
    /// Since when it is in force.
    pub since: Ms,
}

impl StoredManifest {
    fn of_row(
        (project, hash, source, since): (String, String, String, i64),
    ) -> Result<Self, StoreError> {
        Ok(Self {
            project: json::word("a project", &project)?,
            hash,
            source,
            since: Ms(since),
        })
    }
}

impl Tx {
    /// Puts a manifest in force and gives the hash of the one before, which is what the audit event wants to know.
    pub async fn import_manifest(
        &mut self,
        project: &ProjectName,
        hash: &str,
        source: &str,
    ) -> Result<Option<String>, StoreError> {
        let covered =
            *self.grant.action() == Action::ImportManifest && self.grant.project() == Some(project);
        self.covered(covered, || format!("the manifest of {project}"))?;
        let at = self.note.at.0;
        let previous: Option<(String,)> = on!(&mut self.open, |conn| {
            sqlx::query("INSERT INTO manifest (project, hash, source, first_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (project, hash) DO NOTHING")
                .bind(project.as_str())
                .bind(hash)
                .bind(source)
                .bind(at)
                .execute(&mut *conn)
                .await?;
            let previous = sqlx::query_as("SELECT manifest FROM project WHERE project = $1")
                .bind(project.as_str())
                .fetch_optional(&mut *conn)
                .await?;
            sqlx::query(
                "INSERT INTO project (project, manifest, since_ms) VALUES ($1, $2, $3)
                 ON CONFLICT (project) DO UPDATE SET manifest = excluded.manifest, since_ms = excluded.since_ms
                 WHERE project.manifest <> excluded.manifest",
            )
            .bind(project.as_str())
            .bind(hash)
            .bind(at)
            .execute(conn)
            .await?;
            previous
        });
        Ok(previous.map(|(hash,)| hash))
    }
}

impl Store {
    /// The manifest in force of a project.
    pub async fn current_manifest(
        &self,
        project: &ProjectName,
    ) -> Result<Option<StoredManifest>, StoreError> {
        let row: Option<(String, String, String, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT p.project, p.manifest, m.source, p.since_ms FROM project p
                 JOIN manifest m ON m.project = p.project AND m.hash = p.manifest WHERE p.project = $1",
            )
            .bind(project.as_str())
            .fetch_optional(pool)
            .await?
        });
        row.map(StoredManifest::of_row).transpose()
    }

    /// The manifests in force of every project, by name.
    pub async fn current_manifests(&self) -> Result<Vec<StoredManifest>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT p.project, p.manifest, m.source, p.since_ms FROM project p
                 JOIN manifest m ON m.project = p.project AND m.hash = p.manifest ORDER BY p.project",
            )
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(StoredManifest::of_row).collect()
    }

    /// The text of a manifest that is or was in force, such as the one that a run was planned from.
    pub async fn manifest(&self, project: &ProjectName, hash: &str) -> Result<String, StoreError> {
        let row: Option<(String,)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT source FROM manifest WHERE project = $1 AND hash = $2")
                .bind(project.as_str())
                .bind(hash)
                .fetch_optional(pool)
                .await?
        });
        row.map(|(source,)| source)
            .ok_or(StoreError::NotFound("manifest"))
    }
}
