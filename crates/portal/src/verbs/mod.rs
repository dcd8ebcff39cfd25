//! What people, tokens, pushes and operators can do. One file per verb; each asks for permission, decides, writes
//! through an audited transaction and rings the bells.
pub(crate) mod cancel;
pub(crate) mod deploy;
pub(crate) mod end_session;
pub(crate) mod push;
pub(crate) mod redeliver;
pub(crate) mod retry;
