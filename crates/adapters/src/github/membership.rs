//! Whether somebody still belongs, asked with the portal's own token while their session lives.
use domain::Login;
use secrecy::SecretString;
use serde::Deserialize;

use super::{GitHub, GitHubError};

#[derive(Deserialize)]
struct State {
    state: String,
}

impl GitHub {
    /// Whether `login` is an active member of the team `org/slug`
    /// (<https://docs.github.com/rest/teams/members#get-team-membership-for-a-user>).
    pub async fn is_in_team(
        &self,
        token: &SecretString,
        team: &str,
        login: &Login,
    ) -> Result<bool, GitHubError> {
        let (org, slug) = team.split_once('/').unwrap_or((team, ""));
        self.is_active(
            token,
            &["orgs", org, "teams", slug, "memberships", login.as_str()],
        )
        .await
    }

    /// Whether `login` is an active member of the organisation
    /// (<https://docs.github.com/rest/orgs/members#get-organization-membership-for-a-user>).
    pub async fn is_in_org(
        &self,
        token: &SecretString,
        org: &str,
        login: &Login,
    ) -> Result<bool, GitHubError> {
        self.is_active(token, &["orgs", org, "memberships", login.as_str()])
            .await
    }

    async fn is_active(&self, token: &SecretString, path: &[&str]) -> Result<bool, GitHubError> {
        match self.get::<State>(token, path, &[]).await {
            Ok(State { state }) => Ok(state == "active"),
            Err(GitHubError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
