//! Who is signed in, and since when.
use domain::policy::{Action, allow};
use domain::view::{SessionRow, Sessions};

use crate::{Caller, Error, Portal, now};

impl Portal {
    /// The sessions that the caller may end: their own; of whoever runs the portal, everybody's.
    pub async fn sessions(&self, caller: &Caller) -> Result<Sessions, Error> {
        let me = caller.me.as_ref().ok_or(Error::SignedOut)?;
        let of_all = allow(&caller.actor, None, Action::ManageTokens).is_ok();
        let (whose, now) = ((!of_all).then_some(&me.login), now());
        let rows = self.parts().store.sessions(whose, now).await?;
        let rows = rows.into_iter().map(|session| SessionRow {
            id: session.id.0,
            login: session.login,
            created: session.created,
            seen: session.seen,
            expires: session.expires,
            own: caller.session == Some(session.id),
        });
        Ok(Sessions {
            rows: rows.collect(),
            of_all,
            now,
        })
    }
}
