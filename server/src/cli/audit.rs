//! `fairlead audit verify`: checks the hash chains of the audit trail against their heads.
use std::io::Write;
use std::path::Path;

use secrecy::ExposeSecret;
use store::{Store, StoreError, StoreUrl};

use super::Failure;
use crate::config::Config;

/// Prints a line per chain; a broken one is a problem.
pub(super) async fn verify(config: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::load(config)?.portal().await?;
    let failed = |error: StoreError| Failure::Failed(error.to_string());
    let url: StoreUrl = config.database.expose_secret().parse().map_err(failed)?;
    let store = Store::open_existing(&url).await.map_err(failed)?;
    let heads = store.audit_heads().await.map_err(failed)?;
    if heads.is_empty() {
        return Err(Failure::Problems(format!(
            "the audit trail of {url} is empty; see that `data_dir` and `database_url` are those of the portal"
        )));
    }
    let mut broken = 0;
    for head in heads {
        match store.verify_audit(&head).await {
            Ok(()) => writeln!(
                out,
                "{}: {} events, unbroken, ends with {}",
                head.chain, head.seq, head.hash
            )?,
            Err(error @ StoreError::Broken(_)) => {
                broken += 1;
                writeln!(out, "{}: {error}", head.chain)?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    match broken {
        0 => Ok(()),
        _ => Err(Failure::Problems(
            "the audit trail was changed from outside; compare it with a backup".into(),
        )),
    }
}
