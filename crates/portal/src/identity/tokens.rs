//! API tokens, for programs. A token is shown once, when it is made; the store keeps its hash.
use domain::audit::{Change, Origin};
use domain::policy::{Action, Actor, ActorName, Membership, Role, allow};
use domain::{Ms, ProjectName};
use secrecy::SecretString;
use store::{ApiToken, Note, TokenHash};

use super::{Caller, random_token};
use crate::{Error, Portal, now};

/// What every API token begins with.
const PREFIX: &str = "fl_";
/// A token lives this long at most: a year, in milliseconds.
const LONGEST_MS: i64 = 366 * 24 * 3_600_000;

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is called in the audit trail; never used twice.
    pub name: String,
    /// The project that it is for; all where absent.
    pub project: Option<ProjectName>,
    /// What it may do there.
    pub role: Role,
    /// Until when it is good.
    pub expires: Ms,
}

impl Portal {
    /// Makes a token and gives it, for the only time.
    pub async fn create_token(
        &self,
        actor: &Actor,
        origin: Origin,
        new: NewToken,
    ) -> Result<SecretString, Error> {
        let grant = allow(actor, new.project.as_ref(), Action::ManageTokens)?;
        if matches!(actor.name, ActorName::Token { .. }) {
            // Else one that expires or is revoked would live on in those that it made.
            return Err(Error::Invalid(
                "an API token cannot make API tokens; sign in, or use `fairlead token` on the portal's machine".into(),
            ));
        }
        let at = now();
        let named = (1..=60).contains(&new.name.len())
            && new
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !named {
            return Err(Error::Invalid(
                "a token's name is 1-60 letters, digits, `-`, `_` and `.`".into(),
            ));
        }
        if new.expires <= at || new.expires.since(at) > LONGEST_MS {
            return Err(Error::Invalid(
                "a token expires in the future, within a year".into(),
            ));
        }
        let token = random_token(PREFIX)?;
        let mut tx = self
            .parts()
            .store
            .audited(
                &grant,
                Note {
                    origin,
                    reason: None,
                    at,
                },
            )
            .await?;
        tx.create_token(store::NewToken {
            name: &new.name,
            hash: TokenHash::of(&token),
            project: new.project.as_ref(),
            role: new.role,
            expires: new.expires,
        })
        .await?;
        tx.commit(Change::TokenCreated {
            name: new.name,
            role: new.role,
            expires: new.expires,
        })
        .await?;
        Ok(token)
    }

    /// Revokes a token at once.
    pub async fn revoke_token(
        &self,
        actor: &Actor,
        origin: Origin,
        name: &str,
    ) -> Result<(), Error> {
        let project = self
            .parts()
            .store
            .tokens()
            .await?
            .into_iter()
            .find(|token| token.name == name);
        let project = project.and_then(|token| token.project);
        let grant = allow(actor, project.as_ref(), Action::ManageTokens)?;
        let mut tx = self
            .parts()
            .store
            .audited(
                &grant,
                Note {
                    origin,
                    reason: None,
                    at: now(),
                },
            )
            .await?;
        tx.revoke_token(name).await?;
        tx.commit(Change::TokenRevoked {
            name: name.to_owned(),
        })
        .await?;
        Ok(())
    }

    /// Every token that was ever made, without the tokens themselves.
    pub async fn tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, Error> {
        allow(actor, None, Action::ManageTokens)?;
        Ok(self.parts().store.tokens().await?)
    }

    /// Whose API token this is, if it is good.
    pub async fn caller_of_token(&self, token: &SecretString) -> Result<Option<Caller>, Error> {
        let Some(found) = self
            .parts()
            .store
            .token(&TokenHash::of(token), now())
            .await?
        else {
            return Ok(None);
        };
        let memberships = vec![Membership {
            project: found.project,
            role: found.role,
        }];
        let actor = Actor {
            name: ActorName::Token { name: found.name },
            memberships,
        };
        Ok(Some(Caller {
            actor,
            me: None,
            session: None,
        }))
    }
}
