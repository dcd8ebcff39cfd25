//! Messages of runs that have ended: those that are still to be sent, those that somebody wants sent again, and how
//! each try went. While its run is at work, a message belongs to the step that made it (`outbox.rs`).
use domain::message::{Channel, MessageRow, MessageState, MessageTry};
use domain::policy::Action;
use domain::{Ms, RunId};

use crate::db::{on, rd};
use crate::{Store, StoreError, Tx, json};

/// How long after its run's end a message that the run could not get rid of is tried again.
const BREATH_MS: i64 = 30_000;

/// A message that is to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMessage {
    /// Its key in the outbox.
    pub key: String,
    /// The run.
    pub run: RunId,
    /// How often it was tried since its run ended, or since somebody asked for it again.
    pub tries: i64,
}

impl Store {
    /// Messages of ended runs that are to be sent now, those among them whose sender died on the way, if their receiver
    /// knows one that comes twice. [`Store::outbox_take`] gives each to one caller.
    pub async fn messages_due(&self, now: Ms) -> Result<Vec<DueMessage>, StoreError> {
        let rows: Vec<(String, i64, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT o.key, o.run, o.tries FROM outbox o JOIN run r ON r.id = o.run
                 WHERE o.state IN ('pending', 'sending') AND (o.state = 'pending' OR o.key LIKE 'webhook:%')
                 AND r.ended_ms IS NOT NULL
                 AND COALESCE(o.next_ms, r.ended_ms + $1) <= $2 ORDER BY o.created_ms, o.key",
            )
            .bind(BREATH_MS)
            .bind(now.0)
            .fetch_all(pool)
            .await?
        });
        let due = |(key, run, tries)| DueMessage {
            key,
            run: RunId(run),
            tries,
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// Puts back a message that was taken and did not arrive, to be tried again at `next`; without it, it is given up.
    pub async fn message_failed(&self, key: &str, next: Option<Ms>) -> Result<(), StoreError> {
        let to = next.map_or(MessageState::Failed, |_| MessageState::Pending);
        self.outbox_turn(key, to, next, 1).await
    }

    /// Sets when a pending message of a run is to be sent, once the run has ended.
    pub async fn message_due(&self, key: &str, at: Ms) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query("UPDATE outbox SET next_ms = $2 WHERE key = $1 AND state = 'pending'")
                .bind(key)
                .bind(at.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// Notes how a try to send a message went.
    pub async fn note_try(&self, key: &str, tried: &MessageTry) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query(
                "INSERT INTO outbox_try (key, n, project, at_ms, took_ms, arrived, answer)
                 SELECT o.key, (SELECT COUNT(*) + 1 FROM outbox_try t WHERE t.key = o.key), o.project, $2, $3, $4, $5
                 FROM outbox o WHERE o.key = $1 ON CONFLICT (key, n) DO NOTHING",
            )
            .bind(key)
            .bind(tried.at.0)
            .bind(tried.took_ms)
            .bind(i64::from(tried.arrived))
            .bind(&tried.answer)
            .execute(conn)
            .await?;
        });
        open.commit().await
    }

    /// The messages of a run, with every try to send them.
    pub async fn messages(&self, run: RunId) -> Result<Vec<MessageRow>, StoreError> {
        type Row = (String, String, Option<i64>, Option<i64>);
        let messages: Vec<Row> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT o.key, o.state, o.next_ms, r.ended_ms FROM outbox o JOIN run r ON r.id = o.run
                 WHERE o.run = $1 ORDER BY o.key",
            )
            .bind(run.0)
            .fetch_all(pool)
            .await?
        });
        let tries: Vec<(String, i64, i64, i64, String)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT t.key, t.at_ms, t.took_ms, t.arrived, t.answer FROM outbox_try t JOIN outbox o ON o.key = t.key
                 WHERE o.run = $1 ORDER BY t.key, t.n",
            )
            .bind(run.0)
            .fetch_all(pool)
            .await?
        });
        let row = |(key, state, next, ended): Row| {
            let channel = key.split(':').next().unwrap_or_default();
            let of_key = tries.iter().filter(|(other, ..)| *other == key);
            let channel: Channel = json::word("the channel of a message", channel)?;
            let state: MessageState = json::word("the state of a message", &state)?;
            let open = match state {
                MessageState::Pending => true,
                MessageState::Sending => channel.knows_doubles(),
                MessageState::Done | MessageState::Failed => false,
            };
            // While its run is at work, its step sends it.
            let due = ended.filter(|_| open);
            Ok(MessageRow {
                channel,
                state,
                next: due.map(|ended| Ms(next.unwrap_or(ended + BREATH_MS))),
                tries: of_key
                    .map(|(_, at, took_ms, arrived, answer)| MessageTry {
                        at: Ms(*at),
                        took_ms: *took_ms,
                        arrived: *arrived != 0,
                        answer: answer.clone(),
                    })
                    .collect(),
            })
        };
        messages.into_iter().map(row).collect()
    }
}

impl Tx {
    /// Has a message of a run that has ended sent again, whatever became of it before. [`StoreError::Conflict`] while
    /// its run is at work, whose step may be sending it, and while it is on its way.
    pub async fn repeat_message(&mut self, run: RunId, channel: Channel) -> Result<(), StoreError> {
        let row: Option<(String, Option<i64>)> = on!(&mut self.open, |conn| {
            sqlx::query_as(
                "SELECT o.project, r.ended_ms FROM outbox o JOIN run r ON r.id = o.run WHERE o.key = $1",
            )
            .bind(channel.key(run))
            .fetch_optional(&mut *conn)
            .await?
        });
        let Some((project, ended)) = row else {
            return Err(StoreError::NotFound("message of this run"));
        };
        let covered = *self.grant.action() == Action::Redeliver
            && self
                .grant
                .project()
                .is_some_and(|own| own.as_str() == project);
        self.covered(covered, || format!("messages of {project}"))?;
        if ended.is_none() {
            return Err(StoreError::Conflict(
                "the run has not ended, and may be sending it",
            ));
        }
        let rows = on!(&mut self.open, |conn| {
            sqlx::query(
                "UPDATE outbox SET state = 'pending', tries = 0, next_ms = $2 WHERE key = $1
                 AND (state <> 'sending' OR COALESCE(next_ms, 0) <= $2)",
            )
            .bind(channel.key(run))
            .bind(self.note.at.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        match rows {
            0 => Err(StoreError::Conflict(
                "it is on its way; wait a minute for the answer",
            )),
            _ => Ok(()),
        }
    }
}
