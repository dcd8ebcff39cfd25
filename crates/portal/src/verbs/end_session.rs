//! End a session: one's own in another browser, or, for whoever runs the portal, anybody's.
use domain::audit::{Change, Origin};
use domain::policy::{Action, allow};
use store::{Note, SessionId};

use crate::{Caller, Error, Portal, now};

impl Portal {
    /// Ends a session at once: its token opens nothing any more.
    pub async fn end_session(
        &self,
        caller: &Caller,
        origin: Origin,
        session: i64,
    ) -> Result<(), Error> {
        let session = SessionId(session);
        let me = caller.me.as_ref().ok_or(Error::SignedOut)?;
        let own = self.parts().store.sessions(Some(&me.login), now()).await?;
        let action = match own.iter().any(|one| one.id == session) {
            true => Action::SignIn,
            false => Action::ManageTokens,
        };
        // Whether somebody else's session exists is not told.
        let grant = allow(&caller.actor, None, action)
            .map_err(|_| Error::NotFound("there is no such session of yours".into()))?;
        let note = Note {
            origin,
            reason: None,
            at: now(),
        };
        let mut tx = self.parts().store.audited(&grant, note).await?;
        let login = tx.end_session(session).await?;
        tx.commit(Change::SignedOut { login }).await?;
        Ok(())
    }
}
