//! The logs of steps: lines numbered from 1 without gaps, packed many to a row.
//!
//! Why chunk rows: writing 100,000 lines (11.3 MB) as one row per line came to 54 MB/s on SQLite and 23 on
//! PostgreSQL, as rows of 56 KB to 166 and 67; reading 10,000 lines from the middle fell from 13 ms to 1.4. Plain
//! files were faster still (486 MB/s), but the bar is 16 MB/s, and rows are one code path for both databases, work
//! with several portals, and go when their run goes. On SQLite they live in a second file, so that the main one stays
//! small to copy and a flood of lines never makes an event wait for the write lock.
//!
//! `log_head` has a row per log with what would otherwise need a walk through it: how many lines there are, where
//! reading the source stands, and the first line that looks like an error.
mod chunk;

use aho_corasick::AhoCorasick;
use domain::log::{LogLine, Stream, looks_like_error};
use domain::view::LogMatches;
use domain::{Ms, RunId, StepId};

use crate::db::{on, rd};
use crate::lease::Claim;
use crate::{Store, StoreError};

/// A line to store, already redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// When it was written, by the clock of the machine that wrote it.
    pub at: Ms,
    /// Where it came from.
    pub stream: Stream,
    /// The text without its line end.
    pub text: String,
}

/// Where a log stands.
#[derive(Default, sqlx::FromRow)]
struct LogHead {
    lines: i64,
    cursor: Option<String>,
    first_error: Option<i64>,
}

/// How many chunks a search looks at between two pauses.
const SEARCH_PAGE: i64 = 32;

impl Store {
    /// Adds lines to the log of a step of the claimed run and gives the number of the last line. All or none of
    /// them are stored. [`StoreError::LostLease`] if another portal drives the run now, or the run has finished.
    ///
    /// `cursor` is where reading their source stands behind these lines, in the source's own words; it is stored
    /// in the same transaction, so that whoever resumes there misses no line and tells none twice.
    ///
    /// `after` is the number of the line that they follow, where the caller knows it. If they are there already, since
    /// the answer to an earlier call was lost on its way, they are not stored twice.
    pub async fn append_lines(
        &self,
        claim: &Claim,
        step: StepId,
        lines: &[NewLine],
        cursor: Option<&str>,
        after: Option<i64>,
    ) -> Result<i64, StoreError> {
        let mut open = self.logs.begin().await?;
        self.check_claim(&mut open, claim).await?;
        let (run, step) = (claim.run.0, i64::from(step.0));
        // An update that changes nothing locks the row on PostgreSQL, and the same text works on SQLite.
        let mut head: LogHead = on!(&mut open, |conn| {
            sqlx::query_as(
                "INSERT INTO log_head (run, step, project, lines) VALUES ($1, $2, $3, 0)
                 ON CONFLICT (run, step) DO UPDATE SET lines = log_head.lines
                 RETURNING lines, cursor, first_error",
            )
            .bind(run)
            .bind(step)
            .bind(claim.project.as_str())
            .fetch_one(conn)
            .await?
        });
        let come = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        if come > 0 && after.is_some_and(|after| head.lines == after.saturating_add(come)) {
            return Ok(head.lines);
        }
        let first = head.lines + 1;
        head.take(lines);
        if let Some(cursor) = cursor {
            head.cursor = Some(cursor.to_owned());
        }
        on!(&mut open, |conn| {
            let mut next = first;
            for chunk in chunk::pack(lines)? {
                let last = next + chunk.lines - 1;
                sqlx::query("INSERT INTO log_chunk (run, step, first_line, last_line, project, data) VALUES ($1, $2, $3, $4, $5, $6)")
                    .bind(run)
                    .bind(step)
                    .bind(next)
                    .bind(last)
                    .bind(claim.project.as_str())
                    .bind(chunk.data)
                    .execute(&mut *conn)
                    .await?;
                next = last + 1;
            }
            sqlx::query("UPDATE log_head SET lines = $3, cursor = $4, first_error = $5 WHERE run = $1 AND step = $2")
                .bind(run)
                .bind(step)
                .bind(head.lines)
                .bind(head.cursor)
                .bind(head.first_error)
                .execute(conn)
                .await?;
        });
        open.commit().await?;
        Ok(head.lines)
    }

    /// At most `limit` lines after the number `after`, in order.
    pub async fn lines_after(
        &self,
        run: RunId,
        step: StepId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let after = after.max(0);
        self.lines_between(
            run,
            step,
            after.saturating_add(1),
            after.saturating_add(limit),
        )
        .await
    }

    /// The last `limit` lines before the number `before`, in order; the end of the log where `before` is beyond it.
    pub async fn lines_before(
        &self,
        run: RunId,
        step: StepId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let before = before.min(self.line_count(run, step).await? + 1);
        self.lines_between(run, step, before.saturating_sub(limit).max(1), before - 1)
            .await
    }

    /// How many lines the log has.
    pub async fn line_count(&self, run: RunId, step: StepId) -> Result<i64, StoreError> {
        Ok(self.log_head(run, step).await?.lines)
    }

    /// Where reading the source stands behind the stored lines, as the last [`Store::append_lines`] told it.
    pub async fn log_cursor(&self, run: RunId, step: StepId) -> Result<Option<String>, StoreError> {
        Ok(self.log_head(run, step).await?.cursor)
    }

    /// The number of the first line that looks like an error.
    pub async fn first_error(&self, run: RunId, step: StepId) -> Result<Option<i64>, StoreError> {
        Ok(self.log_head(run, step).await?.first_error)
    }

    /// The numbers of the first `limit` lines that hold `text`; ASCII letters match in either case.
    pub async fn search(
        &self,
        run: RunId,
        step: StepId,
        text: &str,
        limit: usize,
    ) -> Result<LogMatches, StoreError> {
        let mut found = LogMatches {
            lines: Vec::new(),
            more: false,
        };
        if text.is_empty() {
            return Ok(found);
        }
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build([text])
            .map_err(|error| {
                StoreError::Other(format!("the text cannot be searched for ({error})"))
            })?;
        let mut from = 1;
        loop {
            let chunks = self.chunks(run, step, from, i64::MAX, SEARCH_PAGE).await?;
            let Some((_, last, _)) = chunks.last() else {
                return Ok(found);
            };
            from = last + 1;
            for (first, _, data) in &chunks {
                // Most chunks hold no match, which one look at their bytes tells.
                if !finder.is_match(data) {
                    continue;
                }
                for (n, line) in (*first..).zip(chunk::unpack(data)) {
                    if finder.is_match(line?.text) {
                        if found.lines.len() == limit {
                            found.more = true;
                            return Ok(found);
                        }
                        found.lines.push(n);
                    }
                }
            }
        }
    }

    async fn log_head(&self, run: RunId, step: StepId) -> Result<LogHead, StoreError> {
        let head: Option<LogHead> = rd!(&self.logs, |pool| {
            sqlx::query_as(
                "SELECT lines, cursor, first_error FROM log_head WHERE run = $1 AND step = $2",
            )
            .bind(run.0)
            .bind(i64::from(step.0))
            .fetch_optional(pool)
            .await?
        });
        Ok(head.unwrap_or_default())
    }

    /// Lines with the numbers `first..=last`, as far as there are.
    async fn lines_between(
        &self,
        run: RunId,
        step: StepId,
        first: i64,
        last: i64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let mut lines = Vec::new();
        for (start, _, data) in self.chunks(run, step, first, last, i64::MAX).await? {
            for (n, line) in (start..=last).zip(chunk::unpack(&data)) {
                let line = line?;
                if n >= first {
                    lines.push(line.numbered(n)?);
                }
            }
        }
        Ok(lines)
    }

    /// The chunks (first line, last line, data) that hold lines with the numbers `first..=last`.
    async fn chunks(
        &self,
        run: RunId,
        step: StepId,
        first: i64,
        last: i64,
        limit: i64,
    ) -> Result<Vec<(i64, i64, Vec<u8>)>, StoreError> {
        Ok(rd!(&self.logs, |pool| {
            sqlx::query_as(
                "SELECT first_line, last_line, data FROM log_chunk
                 WHERE run = $1 AND step = $2 AND first_line <= $4 AND first_line >= COALESCE(
                     (SELECT MAX(first_line) FROM log_chunk WHERE run = $1 AND step = $2 AND first_line <= $3), 0)
                 AND last_line >= $3 ORDER BY first_line LIMIT $5",
            )
            .bind(run.0)
            .bind(i64::from(step.0))
            .bind(first)
            .bind(last)
            .bind(limit)
            .fetch_all(pool)
            .await?
        }))
    }
}

impl LogHead {
    /// Where the log stands after these lines.
    fn take(&mut self, lines: &[NewLine]) {
        for line in lines {
            self.lines += 1;
            if self.first_error.is_none() && looks_like_error(&line.text) {
                self.first_error = Some(self.lines);
            }
        }
    }
}
