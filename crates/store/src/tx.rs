//! Door 1: the audited transaction, the only one in which a command can write.
//!
//! Opening it takes the lock that puts the events of its audit chain in order (on SQLite the file's write lock, on
//! PostgreSQL the row of the chain's head), so what it reads stays true until it commits, and two people who press
//! the same button come one after the other. Dropped without [`Tx::commit`], it leaves nothing.
use domain::audit::{AuditEvent, Chain, ChainHash, Change, Origin};
use domain::policy::{Action, ActorName, Grant};
use domain::{EnvName, Ms, ProjectName};

use crate::audit::Head;
use crate::db::Open;
use crate::{Store, StoreError};

/// What the audit event says besides who and what.
#[derive(Debug, Clone)]
pub struct Note {
    /// From where the command came.
    pub origin: Origin,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// When. Everything that the transaction writes bears this time.
    pub at: Ms,
}

/// An open audited transaction.
#[derive(Debug)]
pub struct Tx {
    pub(crate) open: Open,
    pub(crate) grant: Grant,
    pub(crate) note: Note,
    head: Head,
}

impl Store {
    /// Opens the transaction of a command that was granted.
    pub async fn audited(&self, grant: &Grant, note: Note) -> Result<Tx, StoreError> {
        let mut open = self.main.begin().await?;
        let head = Head::lock(&mut open, Chain::from(grant.project())).await?;
        Ok(Tx {
            open,
            grant: grant.clone(),
            note,
            head,
        })
    }
}

impl Tx {
    /// Who does this.
    pub fn actor(&self) -> &ActorName {
        self.grant.actor()
    }

    /// When this happens.
    pub fn at(&self) -> Ms {
        self.note.at
    }

    /// Writes the audit event as the last thing and commits; gives the event as it was stored.
    pub async fn commit(mut self, what: Change) -> Result<AuditEvent, StoreError> {
        let event = AuditEvent {
            chain: self.head.chain.clone(),
            seq: self.head.seq + 1,
            at: self.note.at,
            actor: self.grant.actor().clone(),
            origin: self.note.origin,
            what,
            reason: self.note.reason,
        };
        self.head.follow(&mut self.open, &event).await?;
        self.open.commit().await?;
        Ok(event)
    }

    /// Refuses a run of a place that the grant is not about.
    pub(crate) fn covers_run(
        &self,
        project: &ProjectName,
        place: &EnvName,
    ) -> Result<(), StoreError> {
        let covered = matches!(self.grant.action(), Action::Deploy { environment, .. } if environment == place)
            && self.grant.project() == Some(project);
        self.covered(covered, || format!("a run of {project} to {place}"))
    }

    /// Refuses unless `covered`.
    pub(crate) fn covered(
        &self,
        covered: bool,
        wanted: impl FnOnce() -> String,
    ) -> Result<(), StoreError> {
        if covered {
            return Ok(());
        }
        let place = self.grant.project().map_or_else(
            || "the portal".into(),
            |project| format!("project {project}"),
        );
        Err(StoreError::OutsideGrant {
            granted: format!("{:?} in {place}", self.grant.action()),
            wanted: wanted(),
        })
    }
}

impl Head {
    /// The chain's last event, locked until the transaction ends.
    async fn lock(open: &mut Open, chain: Chain) -> Result<Self, StoreError> {
        let name = chain.to_string();
        let project = match &chain {
            Chain::Project(project) => Some(project.as_str()),
            Chain::Portal => None,
        };
        // An update that changes nothing locks the row on PostgreSQL, and the same text works on SQLite.
        let (seq, hash): (i64, String) = crate::db::on!(open, |conn| {
            sqlx::query_as(
                "INSERT INTO audit_head (chain, project, seq, hash) VALUES ($1, $2, 0, $3)
                 ON CONFLICT (chain) DO UPDATE SET seq = audit_head.seq RETURNING seq, hash",
            )
            .bind(name)
            .bind(project)
            .bind(ChainHash::START.to_string())
            .fetch_one(conn)
            .await?
        });
        Head::of_row(chain, seq, &hash, seq)
    }

    async fn follow(&self, open: &mut Open, event: &AuditEvent) -> Result<(), StoreError> {
        let canonical = event
            .canonical()
            .map_err(|error| StoreError::Other(error.to_string()))?;
        let hash = self.hash.follow(&canonical).to_string();
        let project = match &event.chain {
            Chain::Project(project) => Some(project.as_str()),
            Chain::Portal => None,
        };
        crate::db::on!(open, |conn| {
            sqlx::query("INSERT INTO audit (chain, seq, project, at_ms, canonical, hash) VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(event.chain.to_string())
                .bind(event.seq)
                .bind(project)
                .bind(event.at.0)
                .bind(&canonical)
                .bind(&hash)
                .execute(&mut *conn)
                .await?;
            sqlx::query("UPDATE audit_head SET seq = $2, hash = $3 WHERE chain = $1")
                .bind(event.chain.to_string())
                .bind(event.seq)
                .bind(&hash)
                .execute(conn)
                .await?;
        });
        Ok(())
    }
}
