//! Fairlead's words and rules.
//!
//! | word | type |
//! |---|---|
//! | project, component, environment, host | [`manifest::Manifest`] and its parts |
//! | release: commit + digest of each component | [`release::Release`] |
//! | plan: what a run will do, shown before the click | [`plan::Plan`] |
//! | run and step, and how they change | [`run::Run`], [`run::RunEvent`] |
//! | blocker: why something cannot happen now | [`plan::Blocker`] |
//! | delivery: what GitHub told, and what came of it | [`push::Told`], [`push::Came`] |
//! | who may do what | [`policy::allow`], which gives a [`policy::Grant`] |
//! | who did what | [`audit::AuditEvent`] |
//! | what a browser may see | [`view`], [`live`] |
//!
//! Everything here is pure: time, ids and facts come in as arguments, so every decision is a table test and
//! the same code runs in the browser.
pub mod audit;
pub mod id;
pub mod live;
pub mod log;
pub mod manifest;
pub mod message;
pub mod plan;
pub mod policy;
pub mod push;
pub mod release;
pub mod report;
pub mod run;
pub mod step;
pub mod text;
pub mod view;
pub mod when;

pub use id::{
    ComponentName, Digest, EnvName, HostName, Login, ParseIdError, ProjectName, RunId, Sha, StepId,
};
pub use when::Ms;
