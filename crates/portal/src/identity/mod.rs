//! Who somebody is and which roles they have: sign-in through GitHub, sessions, API tokens.
mod sessions;
mod tokens;

use adapters::github::Membership as Groups;
use domain::policy::{Actor, Membership};
use domain::view::Me;
use domain::{Login, ProjectName};
use rand::TryRngCore as _;
use secrecy::SecretString;
use store::SessionId;

use crate::config::{MemberRule, Who};
use crate::{Error, Portal};

pub use adapters::github::PendingSignIn;
pub(crate) use sessions::Rechecks;
pub use tokens::NewToken;

/// Somebody at one of the doors, with what they are allowed.
#[derive(Debug, Clone)]
pub struct Caller {
    /// For verbs and reads.
    pub actor: Actor,
    /// For pages; absent for a token.
    pub me: Option<Me>,
    /// Their session; absent for a token.
    pub session: Option<SessionId>,
}

impl Portal {
    /// The roles that the configured rules give to somebody in these groups.
    fn roles(&self, login: &Login, groups: &Groups) -> Vec<Membership> {
        let rules = self.parts().config.members.iter();
        rules
            .filter(|MemberRule { who, .. }| match who {
                Who::Team(team) => groups.has_team(team),
                Who::Org(org) => groups.has_org(org),
                Who::Login(one) => one.as_str().eq_ignore_ascii_case(login.as_str()),
            })
            .map(|MemberRule { project, role, .. }| Membership {
                project: project.clone(),
                role: *role,
            })
            .collect()
    }

    /// The projects in which the actor has a role, with that role.
    fn roles_by_project(&self, actor: &Actor) -> Vec<(ProjectName, domain::policy::Role)> {
        let projects = self.all_projects().into_iter();
        projects
            .filter_map(|project| actor.role_in(&project).map(|role| (project, role)))
            .collect()
    }

    /// The value of a secret that the portal itself cannot do without.
    async fn own_secret(&self, name: &str) -> Result<SecretString, Error> {
        let value = self
            .parts()
            .secrets
            .get(name)
            .await
            .map_err(|error| Error::Outside(error.to_string()))?;
        value.ok_or_else(|| {
            Error::Outside(format!("secret `{name}`, which the configuration names, resolves to nothing; add it to a secret source"))
        })
    }
}

/// 256 random bits as text, with a prefix by which a scanner of leaked secrets knows what it has found.
fn random_token(prefix: &str) -> Result<SecretString, Error> {
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(Error::internal)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(SecretString::from(format!("{prefix}{hex}")))
}
