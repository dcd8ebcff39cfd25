//! Reading the audit trail and checking it. Only [`Tx::commit`](crate::Tx::commit) adds to it.
use domain::audit::{self, AuditEvent, Broken, Chain, ChainHash, Link};

use crate::db::rd;
use crate::{Store, StoreError, json};

/// Where a chain stands: its last event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: Chain,
    /// The number of its last event; 0 before the first, and where nothing says it.
    pub seq: i64,
    /// The number of the last event that is there: the same, unless somebody has changed the trail from outside.
    pub last: i64,
    /// The hash of its last event.
    pub hash: ChainHash,
}

impl Head {
    pub(crate) fn of_row(
        chain: Chain,
        seq: i64,
        hash: &str,
        last: i64,
    ) -> Result<Self, StoreError> {
        let hash = ChainHash::parse(hash)
            .ok_or_else(|| StoreError::corrupt("the head of an audit chain", "no hash"))?;
        Ok(Self {
            chain,
            seq,
            last,
            hash,
        })
    }
}

/// How many links are checked at a time.
const PAGE: i64 = 500;

impl Store {
    /// The events of a chain before the number `before` (the last ones where absent), newest first.
    pub async fn audit_page(
        &self,
        chain: &Chain,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let rows: Vec<(String,)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT canonical FROM audit WHERE chain = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3")
                .bind(chain.to_string())
                .bind(before.unwrap_or(i64::MAX))
                .bind(limit)
                .fetch_all(pool)
                .await?
        });
        rows.iter()
            .map(|(text,)| json::from_text("an audit event", text))
            .collect()
    }

    /// The links of a chain from the number `from` on, in order.
    pub async fn audit_links(
        &self,
        chain: &Chain,
        from: i64,
        limit: i64,
    ) -> Result<Vec<Link>, StoreError> {
        let rows: Vec<(i64, String, String)> = rd!(&self.main, |pool| {
            sqlx::query_as("SELECT seq, canonical, hash FROM audit WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3")
                .bind(chain.to_string())
                .bind(from)
                .bind(limit)
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(seq, canonical, hash)| Link {
                seq,
                canonical,
                hash,
            })
            .collect())
    }

    /// Every chain of which there is an event or a head, with where it stands.
    pub async fn audit_heads(&self) -> Result<Vec<Head>, StoreError> {
        // One statement, so that all of it is of one moment.
        let rows: Vec<(String, i64, String, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT every.chain, COALESCE(audit_head.seq, 0), COALESCE(audit_head.hash, $1),
                     COALESCE((SELECT MAX(seq) FROM audit WHERE audit.chain = every.chain), 0)
                 FROM (SELECT chain FROM audit UNION SELECT chain FROM audit_head) AS every
                 LEFT JOIN audit_head ON audit_head.chain = every.chain ORDER BY every.chain",
            )
            .bind(ChainHash::START.to_string())
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(chain, seq, hash, last)| {
                let chain = Chain::try_from(chain)
                    .map_err(|error| StoreError::corrupt("an audit chain", error))?;
                Head::of_row(chain, seq, &hash, last)
            })
            .collect()
    }

    /// Checks a whole chain against the head that was read before, and the head against the chain;
    /// [`StoreError::Broken`] names the first event that is not what it was. Events that are added meanwhile are left for the next time.
    pub async fn verify_audit(&self, head: &Head) -> Result<(), StoreError> {
        let mut hash = ChainHash::START;
        let mut next = 1;
        while next <= head.seq {
            let links = self
                .audit_links(&head.chain, next, PAGE.min(head.seq - next + 1))
                .await?;
            if links.is_empty() {
                break;
            }
            hash = audit::verify(&head.chain, next, hash, &links)?;
            next += i64::try_from(links.len()).unwrap_or(PAGE);
        }
        // A head is stored with its first event, so there is none without.
        if next <= head.seq || head.last == 0 {
            return Err(Broken {
                seq: next,
                why: "it is missing",
            }
            .into());
        }
        if hash != head.hash {
            return Err(Broken {
                seq: head.seq,
                why: "it is not the one that was written last",
            }
            .into());
        }
        if head.last > head.seq {
            return Err(Broken {
                seq: head.seq + 1,
                why: "the head of the chain does not reach to it",
            }
            .into());
        }
        Ok(())
    }
}
