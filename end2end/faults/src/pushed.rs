//! What GitHub tells when somebody pushes to the app's repository.
use domain::push::{Push, Told};
use domain::{Login, Sha};
use portal::NewDelivery;
use serde::{Deserialize, Serialize};

/// A push to `main` by `dev`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pushed {
    /// GitHub's name for the delivery.
    pub guid: String,
    /// The commit before.
    pub before: Option<Sha>,
    /// The commit after.
    pub after: Sha,
}

impl Pushed {
    /// As the portal takes it in.
    pub fn delivery(self) -> NewDelivery {
        NewDelivery {
            guid: self.guid,
            event: "push".into(),
            repository: "faults/app".into(),
            told: Told::Push(Push {
                reference: "refs/heads/main".into(),
                before: self.before,
                after: Some(self.after),
                commits: None,
                title: "pushed".into(),
                by: Login::parse("dev").unwrap(),
            }),
        }
    }
}
