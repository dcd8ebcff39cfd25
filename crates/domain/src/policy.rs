//! Who may do what. [`allow`] is the only maker of a [`Grant`], and the store's writing transactions want one,
//! so a use case cannot forget to ask.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EnvName, Login, ProjectName};

/// What a member of a project may do; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything of the project but secrets.
    Viewer,
    /// Deploys where the environment asks for no more.
    Developer,
    /// Approves, reviews, and deploys to protected environments.
    Lead,
    /// Runs the portal: tokens, hosts, members.
    Admin,
}

impl Role {
    /// The role in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Developer => "developer",
            Role::Lead => "lead",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Role::Viewer, Role::Developer, Role::Lead, Role::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role: use viewer, developer, lead or admin"))
    }
}

/// The name under which something is done; it stands in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ActorName {
    /// Somebody who signed in.
    Person {
        /// Their account on GitHub.
        login: Login,
    },
    /// An API token.
    Token {
        /// The name it was given.
        name: String,
    },
    /// Whoever has a shell on the portal's machine and runs `fairlead`.
    Operator {
        /// The account on the machine.
        account: String,
    },
    /// A push that GitHub told of.
    Push {
        /// The pusher.
        login: Login,
    },
    /// Fairlead itself.
    Engine,
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActorName::Person { login } => write!(f, "{login}"),
            ActorName::Token { name } => write!(f, "token {name}"),
            ActorName::Operator { account } => write!(f, "{account} on the portal's machine"),
            ActorName::Push { login } => write!(f, "{login} (push)"),
            ActorName::Engine => f.write_str("Fairlead"),
        }
    }
}

/// A role in one project, or in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The project; every one where absent.
    pub project: Option<ProjectName>,
    /// The role there.
    pub role: Role,
}

/// Somebody, with what they are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who it is.
    pub name: ActorName,
    /// Their roles.
    pub memberships: Vec<Membership>,
}

impl Actor {
    /// The highest role in `project`.
    pub fn role_in(&self, project: &ProjectName) -> Option<Role> {
        let here = |m: &&Membership| m.project.as_ref().is_none_or(|p| p == project);
        self.memberships.iter().filter(here).map(|m| m.role).max()
    }

    /// The highest role that holds in every project.
    pub fn role_in_portal(&self) -> Option<Role> {
        self.memberships
            .iter()
            .filter(|m| m.project.is_none())
            .map(|m| m.role)
            .max()
    }

    /// Somebody who pushed to a repository of the project. That GitHub took the push is what allows them: it knows who
    /// may move which branch, so they need no role here. It makes them a developer in this one project, for this push.
    pub fn pusher(login: Login, project: ProjectName) -> Self {
        Self {
            name: ActorName::Push { login },
            memberships: vec![Membership {
                project: Some(project),
                role: Role::Developer,
            }],
        }
    }

    /// Fairlead itself, which may do whatever a run that somebody was granted asks of it.
    pub fn engine() -> Self {
        Self {
            name: ActorName::Engine,
            memberships: vec![Membership {
                project: None,
                role: Role::Admin,
            }],
        }
    }
}

/// Something that one may be allowed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// See a project.
    View,
    /// Start a run, start it again, or stop it.
    Deploy {
        /// Where.
        environment: EnvName,
        /// What that environment asks for.
        least: Role,
    },
    /// Act on a delivery of GitHub again, or send a message of a run again.
    Redeliver,
    /// Open or end one's own session.
    SignIn,
    /// Make or revoke API tokens.
    ManageTokens,
    /// Take in a project's manifest.
    ImportManifest,
}

impl Action {
    fn least(&self) -> Role {
        match self {
            Action::View | Action::SignIn => Role::Viewer,
            Action::Deploy { least, .. } => (*least).max(Role::Developer),
            Action::Redeliver => Role::Lead,
            Action::ManageTokens | Action::ImportManifest => Role::Admin,
        }
    }

    fn words(&self) -> String {
        match self {
            Action::View => "see this project".into(),
            Action::Deploy { environment, .. } => format!("deploy to {environment}"),
            Action::Redeliver => "deliver again".into(),
            Action::SignIn => "sign in".into(),
            Action::ManageTokens => "manage API tokens".into(),
            Action::ImportManifest => "change the project's manifest".into(),
        }
    }
}

/// Proof that [`allow`] was asked and said yes. Only it can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    actor: ActorName,
    project: Option<ProjectName>,
    action: Action,
}

impl Grant {
    /// Who was allowed.
    pub fn actor(&self) -> &ActorName {
        &self.actor
    }

    /// The project that it is about; none for the portal as a whole.
    pub fn project(&self) -> Option<&ProjectName> {
        self.project.as_ref()
    }

    /// What was allowed.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

/// The answer no, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{who} may not {what}: it needs the role {needs}, and {who} {has}", has = has_words(*.has))]
pub struct Denied {
    /// Who asked.
    pub who: String,
    /// For what, in words.
    pub what: String,
    /// The role that may.
    pub needs: Role,
    /// The role of the one who asked.
    pub has: Option<Role>,
}

fn has_words(role: Option<Role>) -> String {
    role.map_or_else(|| "has no role here".into(), |role| format!("is {role}"))
}

/// Whether `actor` may do `action` to `project` (or to the portal as a whole).
pub fn allow(
    actor: &Actor,
    project: Option<&ProjectName>,
    action: Action,
) -> Result<Grant, Denied> {
    let has = match project {
        Some(project) => actor.role_in(project),
        // Signing in is open to whoever is a member of anything.
        None if action == Action::SignIn => actor.memberships.iter().map(|m| m.role).max(),
        None => actor.role_in_portal(),
    };
    let needs = action.least();
    if has.is_some_and(|role| role >= needs) {
        Ok(Grant {
            actor: actor.name.clone(),
            project: project.cloned(),
            action,
        })
    } else {
        Err(Denied {
            who: actor.name.to_string(),
            what: action.words(),
            needs,
            has,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(memberships: &[(Option<&str>, Role)]) -> Actor {
        Actor {
            name: ActorName::Person {
                login: Login::parse("lena").unwrap(),
            },
            memberships: memberships
                .iter()
                .map(|(project, role)| Membership {
                    project: project.map(|p| ProjectName::parse(p).unwrap()),
                    role: *role,
                })
                .collect(),
        }
    }

    fn deploy(least: Role) -> Action {
        Action::Deploy {
            environment: EnvName::parse("prod").unwrap(),
            least,
        }
    }

    #[test]
    fn each_role_may_what_it_should() {
        use Role::{Admin, Developer, Lead, Viewer};
        let project = ProjectName::parse("shop").unwrap();
        let cases = [
            (Viewer, Action::View, true),
            (Viewer, deploy(Viewer), false),
            (Developer, deploy(Developer), true),
            (Developer, deploy(Lead), false),
            (Lead, deploy(Lead), true),
            (Developer, Action::Redeliver, false),
            (Lead, Action::Redeliver, true),
            (Lead, Action::ManageTokens, false),
            (Admin, Action::ManageTokens, true),
            (Admin, deploy(Lead), true),
        ];
        for (role, action, yes) in cases {
            let got = allow(
                &person(&[(Some("shop"), role)]),
                Some(&project),
                action.clone(),
            );
            assert_eq!(got.is_ok(), yes, "{role} {action:?}");
        }
    }

    #[test]
    fn a_role_in_one_project_is_none_in_another() {
        let other = ProjectName::parse("other").unwrap();
        let lead = person(&[(Some("shop"), Role::Lead)]);
        let denied = allow(&lead, Some(&other), Action::View).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "lena may not see this project: it needs the role viewer, and lena has no role here"
        );
        assert!(allow(&lead, None, Action::ManageTokens).is_err());
        assert!(allow(&lead, None, Action::SignIn).is_ok());
        assert!(allow(&person(&[]), None, Action::SignIn).is_err());
    }

    #[test]
    fn a_push_deploys_to_its_project_and_does_nothing_else() {
        let [shop, other] = ["shop", "other"].map(|name| ProjectName::parse(name).unwrap());
        let pusher = Actor::pusher(Login::parse("dev").unwrap(), shop.clone());
        let grant = allow(&pusher, Some(&shop), deploy(Role::Developer)).unwrap();
        assert_eq!(grant.actor().to_string(), "dev (push)");
        assert!(allow(&pusher, Some(&shop), deploy(Role::Lead)).is_err());
        assert!(allow(&pusher, Some(&shop), Action::Redeliver).is_err());
        assert!(allow(&pusher, Some(&other), Action::View).is_err());
    }

    #[test]
    fn the_highest_role_counts() {
        let project = ProjectName::parse("shop").unwrap();
        let both = person(&[(None, Role::Viewer), (Some("shop"), Role::Lead)]);
        assert_eq!(both.role_in(&project), Some(Role::Lead));
        assert_eq!(both.role_in_portal(), Some(Role::Viewer));
    }
}
