//! Who a person is, and which organisations and teams they are in.
use domain::Login;
use secrecy::SecretString;
use serde::Deserialize;

use super::{GitHub, GitHubError};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Never changes, unlike the login.
    pub id: u64,
    /// The account's name.
    pub login: Login,
    /// The person's name, if they gave one.
    pub name: Option<String>,
    /// Their picture.
    pub avatar_url: Option<String>,
}

/// What a person belongs to, as far as the token may see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    /// Logins of organisations.
    pub orgs: Vec<String>,
    /// Teams as `org/slug`.
    pub teams: Vec<String>,
}

impl Membership {
    /// Whether it holds an organisation. Case does not matter, as on GitHub.
    pub fn has_org(&self, org: &str) -> bool {
        self.orgs.iter().any(|mine| mine.eq_ignore_ascii_case(org))
    }

    /// Whether it holds a team, given as `org/slug`.
    pub fn has_team(&self, team: &str) -> bool {
        self.teams
            .iter()
            .any(|mine| mine.eq_ignore_ascii_case(team))
    }
}

#[derive(Deserialize)]
struct Org {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Org,
}

impl GitHub {
    /// Whose token this is.
    pub async fn user(&self, token: &SecretString) -> Result<User, GitHubError> {
        self.get(token, &["user"], &[]).await
    }

    /// The organisations and teams of the person whose token this is. Needs the right `read:org`.
    pub async fn membership(&self, token: &SecretString) -> Result<Membership, GitHubError> {
        let (orgs, teams) = tokio::try_join!(
            self.list::<Org>(token, &["user", "orgs"]),
            self.list::<Team>(token, &["user", "teams"])
        )?;
        Ok(Membership {
            orgs: orgs.into_iter().map(|org| org.login).collect(),
            teams: teams
                .into_iter()
                .map(|team| format!("{}/{}", team.organization.login, team.slug))
                .collect(),
        })
    }
}
