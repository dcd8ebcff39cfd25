//! People and their sessions. A session's token is known only to its browser; here is its SHA-256.
use std::fmt;

use domain::policy::{Action, ActorName, Membership};
use domain::{Login, Ms};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::db::{on, rd};
use crate::runs::without_nul;
use crate::{Store, StoreError, Tx, json};

/// The SHA-256 of a session's or an API token, which is all that the store keeps of it. Tokens are random and long,
/// so nothing slower is needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &SecretString) -> Self {
        Self(hex::encode(Sha256::digest(
            token.expose_secret().as_bytes(),
        )))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Somebody who has signed in at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Account.
    pub login: Login,
    /// Name as people say it.
    pub name: String,
    /// When they first signed in.
    pub first: Ms,
    /// When they were last seen.
    pub seen: Ms,
    /// Their roles, as found at the last check of a session that still lives; empty without one.
    pub memberships: Vec<Membership>,
}

/// A session's number, by which it can be ended without its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

/// A session to open.
#[derive(Debug, Clone)]
pub struct NewSession<'n> {
    /// The token's hash.
    pub hash: TokenHash,
    /// Whose.
    pub login: &'n Login,
    /// Their roles as GitHub just told.
    pub memberships: &'n [Membership],
    /// It ends when it was not used for so many milliseconds.
    pub idle_ms: i64,
    /// It ends then in any case.
    pub expires: Ms,
}

/// A session that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose.
    pub login: Login,
    /// Their name as people say it.
    pub name: String,
    /// Their roles as of `checked`.
    pub memberships: Vec<Membership>,
    /// When the roles were last asked for.
    pub checked: Ms,
    /// When it was opened.
    pub created: Ms,
    /// When it was last used.
    pub seen: Ms,
    /// When it ends in any case.
    pub expires: Ms,
}

#[derive(FromRow)]
struct RawSession {
    id: i64,
    login: String,
    name: String,
    memberships_json: String,
    checked_ms: i64,
    created_ms: i64,
    seen_ms: i64,
    expires_ms: i64,
}

impl TryFrom<RawSession> for Session {
    type Error = StoreError;

    fn try_from(raw: RawSession) -> Result<Self, StoreError> {
        Ok(Session {
            id: SessionId(raw.id),
            login: json::word("the login of a session", &raw.login)?,
            name: raw.name,
            memberships: json::from_text("the roles of a session", &raw.memberships_json)?,
            checked: Ms(raw.checked_ms),
            created: Ms(raw.created_ms),
            seen: Ms(raw.seen_ms),
            expires: Ms(raw.expires_ms),
        })
    }
}

macro_rules! live_sessions {
    ($condition:literal) => {
        concat!(
            "SELECT s.id, s.login, p.name, s.memberships_json, s.checked_ms, s.created_ms, s.seen_ms, s.expires_ms
             FROM session s JOIN person p ON p.login = s.login
             WHERE s.ended_ms IS NULL AND s.expires_ms > $1 AND s.seen_ms + s.idle_ms > $1",
            $condition
        )
    };
}

impl Tx {
    /// Remembers somebody who signs in, with their name as GitHub has it now.
    pub async fn upsert_person(&mut self, login: &Login, name: &str) -> Result<(), StoreError> {
        self.covers_sign_in(login)?;
        on!(&mut self.open, |conn| {
            sqlx::query(
                "INSERT INTO person (login, name, first_ms, seen_ms) VALUES ($1, $2, $3, $3)
                 ON CONFLICT (login) DO UPDATE SET name = excluded.name, seen_ms = excluded.seen_ms",
            )
            .bind(login.as_str())
            .bind(without_nul(Some(name)))
            .bind(self.note.at.0)
            .execute(conn)
            .await?;
        });
        Ok(())
    }

    /// Opens a session of somebody whom [`Tx::upsert_person`] has remembered.
    pub async fn create_session(&mut self, new: NewSession<'_>) -> Result<SessionId, StoreError> {
        self.covers_sign_in(new.login)?;
        let memberships = json::to_text(&new.memberships)?;
        let (id,): (i64,) = on!(&mut self.open, |conn| {
            sqlx::query_as(
                "INSERT INTO session (token_hash, login, created_ms, seen_ms, idle_ms, expires_ms, memberships_json, checked_ms)
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $3) RETURNING id",
            )
            .bind(new.hash.as_str())
            .bind(new.login.as_str())
            .bind(self.note.at.0)
            .bind(new.idle_ms)
            .bind(new.expires.0)
            .bind(memberships)
            .fetch_one(conn)
            .await?
        });
        Ok(SessionId(id))
    }

    /// Ends a session: one's own with the permission to sign in, anybody's with the one to manage tokens.
    pub async fn end_session(&mut self, id: SessionId) -> Result<Login, StoreError> {
        let row: Option<(String,)> = on!(&mut self.open, |conn| {
            sqlx::query_as("UPDATE session SET ended_ms = $2 WHERE id = $1 AND ended_ms IS NULL RETURNING login")
                .bind(id.0)
                .bind(self.note.at.0)
                .fetch_optional(conn)
                .await?
        });
        let Some((login,)) = row else {
            return Err(StoreError::NotFound("session"));
        };
        let login: Login = json::word("the login of a session", &login)?;
        if *self.grant.action() != Action::ManageTokens {
            self.covers_sign_in(&login)?;
        }
        Ok(login)
    }

    fn covers_sign_in(&self, of: &Login) -> Result<(), StoreError> {
        let own = matches!(self.grant.actor(), ActorName::Person { login } if login == of);
        self.covered(own && *self.grant.action() == Action::SignIn, || {
            format!("a session of {of}")
        })
    }
}

impl Store {
    /// The session with this token, if it lives at `now`.
    pub async fn session(&self, hash: &TokenHash, now: Ms) -> Result<Option<Session>, StoreError> {
        let row: Option<RawSession> = rd!(&self.main, |pool| {
            sqlx::query_as(live_sessions!(" AND s.token_hash = $2"))
                .bind(now.0)
                .bind(hash.as_str())
                .fetch_optional(pool)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// The sessions of somebody, or of everybody, that live at `now`, the newest first.
    pub async fn sessions(
        &self,
        login: Option<&Login>,
        now: Ms,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<RawSession> = rd!(&self.main, |pool| {
            sqlx::query_as(live_sessions!(
                " AND s.login = COALESCE($2, s.login) ORDER BY s.id DESC"
            ))
            .bind(now.0)
            .bind(login.map(Login::as_str))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Notes that a session was used, which puts off its idle end. Call it at most once a minute or so per session.
    pub async fn touch_session(&self, id: SessionId, now: Ms) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query("UPDATE session SET seen_ms = $2 WHERE id = $1 AND seen_ms < $2 AND ended_ms IS NULL")
                .bind(id.0)
                .bind(now.0)
                .execute(&mut *conn)
                .await?;
            sqlx::query("UPDATE person SET seen_ms = $2 WHERE seen_ms < $2 AND login = (SELECT login FROM session WHERE id = $1)")
                .bind(id.0)
                .bind(now.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// Notes the roles of a session as GitHub told them at `now`.
    pub async fn recheck_session(
        &self,
        id: SessionId,
        memberships: &[Membership],
        now: Ms,
    ) -> Result<(), StoreError> {
        let memberships = json::to_text(&memberships)?;
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query("UPDATE session SET memberships_json = $2, checked_ms = $3 WHERE id = $1 AND ended_ms IS NULL")
                .bind(id.0)
                .bind(memberships)
                .bind(now.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// Everybody who has signed in, by login, with the roles of their newest session that lives at `now`.
    pub async fn people(&self, now: Ms) -> Result<Vec<Person>, StoreError> {
        let rows: Vec<(String, String, i64, i64, Option<String>)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT p.login, p.name, p.first_ms, p.seen_ms,
                     (SELECT s.memberships_json FROM session s WHERE s.login = p.login AND s.ended_ms IS NULL
                      AND s.expires_ms > $1 AND s.seen_ms + s.idle_ms > $1 ORDER BY s.checked_ms DESC, s.id DESC LIMIT 1)
                 FROM person p ORDER BY p.login",
            )
            .bind(now.0)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(login, name, first, seen, memberships)| {
                Ok(Person {
                    login: json::word("a login", &login)?,
                    name,
                    first: Ms(first),
                    seen: Ms(seen),
                    memberships: match memberships {
                        Some(text) => json::from_text("the roles of a session", &text)?,
                        None => Vec::new(),
                    },
                })
            })
            .collect()
    }
}
