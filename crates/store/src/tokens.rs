//! API tokens: hashed, with one role, in one project or all, until a day. A name is never used twice, since the
//! audit trail speaks of tokens by name.
use domain::policy::{Action, ActorName, Role};
use domain::{Ms, ProjectName};
use sqlx::FromRow;

use crate::db::{on, rd};
use crate::people::TokenHash;
use crate::{Store, StoreError, Tx, json};

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken<'n> {
    /// What it is called from now on.
    pub name: &'n str,
    /// Its hash.
    pub hash: TokenHash,
    /// The project that it is for; all where absent.
    pub project: Option<&'n ProjectName>,
    /// What it may do there.
    pub role: Role,
    /// Until when.
    pub expires: Ms,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What it is called.
    pub name: String,
    /// The project that it is for; all where absent.
    pub project: Option<ProjectName>,
    /// What it may do there.
    pub role: Role,
    /// Who made it.
    pub by: ActorName,
    /// When it was made.
    pub created: Ms,
    /// Until when it is good.
    pub expires: Ms,
    /// When it was revoked.
    pub revoked: Option<Ms>,
}

#[derive(FromRow)]
struct RawToken {
    name: String,
    project: Option<String>,
    role: String,
    by_json: String,
    created_ms: i64,
    expires_ms: i64,
    revoked_ms: Option<i64>,
}

impl TryFrom<RawToken> for ApiToken {
    type Error = StoreError;

    fn try_from(raw: RawToken) -> Result<Self, StoreError> {
        Ok(ApiToken {
            name: raw.name,
            project: raw
                .project
                .map(|project| json::word("the project of a token", &project))
                .transpose()?,
            role: json::word("the role of a token", &raw.role)?,
            by: json::from_text("the maker of a token", &raw.by_json)?,
            created: Ms(raw.created_ms),
            expires: Ms(raw.expires_ms),
            revoked: raw.revoked_ms.map(Ms),
        })
    }
}

impl Tx {
    /// Makes a token. [`StoreError::Conflict`] if its name was ever used.
    pub async fn create_token(&mut self, new: NewToken<'_>) -> Result<(), StoreError> {
        self.covers_tokens(new.project)?;
        let by = json::to_text(self.grant.actor())?;
        let rows = on!(&mut self.open, |conn| {
            sqlx::query(
                "INSERT INTO api_token (name, token_hash, project, role, by_json, created_ms, expires_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING",
            )
            .bind(new.name)
            .bind(new.hash.as_str())
            .bind(new.project.map(ProjectName::as_str))
            .bind(new.role.as_str())
            .bind(by)
            .bind(self.note.at.0)
            .bind(new.expires.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        if rows == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict(
                "there is or was an API token of this name",
            ))
        }
    }

    /// Revokes a token. [`StoreError::NotFound`] if there is none, or it was revoked before.
    pub async fn revoke_token(&mut self, name: &str) -> Result<(), StoreError> {
        let row: Option<(Option<String>,)> = on!(&mut self.open, |conn| {
            sqlx::query_as("UPDATE api_token SET revoked_ms = $2 WHERE name = $1 AND revoked_ms IS NULL RETURNING project")
                .bind(name)
                .bind(self.note.at.0)
                .fetch_optional(conn)
                .await?
        });
        let Some((project,)) = row else {
            return Err(StoreError::NotFound("API token in force"));
        };
        let project = project
            .map(|project| json::word("the project of a token", &project))
            .transpose()?;
        self.covers_tokens(project.as_ref())
    }

    /// A grant for the whole portal covers every token, one for a project only that project's.
    fn covers_tokens(&self, project: Option<&ProjectName>) -> Result<(), StoreError> {
        let place = self.grant.project().is_none() || self.grant.project() == project;
        self.covered(
            *self.grant.action() == Action::ManageTokens && place,
            || match project {
                Some(project) => format!("API tokens of {project}"),
                None => "API tokens of the portal".into(),
            },
        )
    }
}

impl Store {
    /// The token with this hash, if it is good at `now`.
    pub async fn token(&self, hash: &TokenHash, now: Ms) -> Result<Option<ApiToken>, StoreError> {
        let row: Option<RawToken> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT name, project, role, by_json, created_ms, expires_ms, revoked_ms FROM api_token
                 WHERE token_hash = $1 AND revoked_ms IS NULL AND expires_ms > $2",
            )
            .bind(hash.as_str())
            .bind(now.0)
            .fetch_optional(pool)
            .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// Every token that was ever made, by name.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows: Vec<RawToken> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT name, project, role, by_json, created_ms, expires_ms, revoked_ms FROM api_token ORDER BY name",
            )
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
