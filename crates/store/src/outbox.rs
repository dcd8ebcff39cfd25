//! Messages to the world outside. What is to be said is stored before it is said, and taken by one at a time. A portal
//! that dies in between does not say it twice, unless to a program that knows one that comes twice
//! (`domain::message::Channel::knows_doubles`; the keys of those begin with `webhook:`).
use domain::Ms;
use domain::message::MessageState;

use crate::db::{on, rd};
use crate::lease::{Claim, beat};
use crate::{Store, StoreError, json};

/// How long a message that was taken is held to be on its way: longer than anybody who sends one waits for an answer.
const ON_ITS_WAY_MS: i64 = 60_000;

impl Store {
    /// Stores a message of the claimed run under a key of its own; nothing happens if there is one.
    /// [`StoreError::LostLease`] if another portal drives the run now. It counts as a heartbeat.
    pub async fn outbox_put(
        &self,
        claim: &Claim,
        key: &str,
        body: &str,
        now: Ms,
    ) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        beat(&mut open, claim, now).await?;
        on!(&mut open, |conn| {
            sqlx::query(
                "INSERT INTO outbox (key, run, project, body, state, created_ms) VALUES ($1, $2, $3, $4, 'pending', $5)
                 ON CONFLICT (key) DO NOTHING",
            )
            .bind(key)
            .bind(claim.run.0)
            .bind(claim.project.as_str())
            .bind(body)
            .bind(now.0)
            .execute(conn)
            .await?;
        });
        open.commit().await
    }

    /// Takes a message to send it and gives its body: to one caller. It is on its way for a minute; then one whose
    /// receiver knows a message that comes twice can be taken again.
    pub async fn outbox_take(&self, key: &str, now: Ms) -> Result<Option<String>, StoreError> {
        let mut open = self.main.begin().await?;
        let row: Option<(String,)> = on!(&mut open, |conn| {
            sqlx::query_as(
                "UPDATE outbox SET state = 'sending', next_ms = $2 WHERE key = $1 AND (state = 'pending'
                 OR (state = 'sending' AND key LIKE 'webhook:%' AND COALESCE(next_ms, 0) <= $3)) RETURNING body",
            )
            .bind(key)
            .bind(now.0 + ON_ITS_WAY_MS)
            .bind(now.0)
            .fetch_optional(conn)
            .await?
        });
        open.commit().await?;
        Ok(row.map(|(body,)| body))
    }

    /// Notes that a message that was taken has arrived.
    pub async fn outbox_done(&self, key: &str) -> Result<(), StoreError> {
        self.outbox_turn(key, MessageState::Done, None, 0).await
    }

    /// Puts back a message that was taken and certainly did not arrive, so that it can be taken again.
    pub async fn outbox_return(&self, key: &str) -> Result<(), StoreError> {
        self.outbox_turn(key, MessageState::Pending, None, 0).await
    }

    /// Moves a message on that was taken, to be tried again at `next` where that is said, after so many more `tries`.
    pub(crate) async fn outbox_turn(
        &self,
        key: &str,
        to: MessageState,
        next: Option<Ms>,
        tries: i64,
    ) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        let rows = on!(&mut open, |conn| {
            sqlx::query(
                "UPDATE outbox SET state = $2, next_ms = $3, tries = tries + $4 WHERE key = $1 AND state = 'sending'",
            )
            .bind(key)
            .bind(to.as_str())
            .bind(next.map(|next| next.0))
            .bind(tries)
            .execute(conn)
            .await?
            .rows_affected()
        });
        open.commit().await?;
        if rows == 1 {
            Ok(())
        } else {
            Err(StoreError::NotFound("message that is being sent"))
        }
    }

    /// Where a message stands, if there is one.
    pub async fn outbox_state(&self, key: &str) -> Result<Option<MessageState>, StoreError> {
        let row: Option<(String,)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT state FROM outbox WHERE key = $1")
                .bind(key)
                .fetch_optional(pool)
                .await?
        });
        row.map(|(state,)| json::word("the state of a message", &state))
            .transpose()
    }
}
