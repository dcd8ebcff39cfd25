//! Sign-in with GitHub and the sessions that come of it. A session's token is random, and only its hash is stored.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use adapters::github::{GitHubError, Membership as Groups, SignIn};
use domain::audit::{Change, Origin};
use domain::policy::{Action, Actor, ActorName, allow};
use domain::view::Me;
use domain::{Login, Ms};
use secrecy::SecretString;
use store::{NewSession, Note, Session, SessionId, TokenHash};
use url::Url;

use super::{Caller, PendingSignIn, random_token};
use crate::config::Who;
use crate::{Error, Portal, now};

/// A session ends when it was not used for this long, in milliseconds: half a day.
const IDLE_MS: i64 = 12 * 3_600_000;
/// And after this long in any case: a week.
const ABSOLUTE_MS: i64 = 7 * 24 * 3_600_000;
/// Roles are asked for again when they are older than this.
const RECHECK_MS: i64 = 5 * 60_000;
/// While GitHub cannot be asked, what was known holds for so long.
const GRACE_MS: i64 = 60 * 60_000;
/// And is asked again about the same session after so long. Meanwhile a page does not wait for it.
const RETRY: Duration = Duration::from_secs(60);
/// How often the use of a session is noted.
const TOUCH_MS: i64 = 60_000;

/// When the roles of each session were last asked for.
#[derive(Default)]
pub(crate) struct Rechecks(Mutex<HashMap<SessionId, Asked>>);

struct Asked {
    at: Instant,
    /// Why there was no answer, once that is known.
    failure: Option<String>,
}

impl Rechecks {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<SessionId, Asked>) -> T) -> T {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, asked| asked.at.elapsed() < RETRY);
        look(&mut asked)
    }

    /// True once per [`RETRY`] and session: whoever hears it asks.
    fn is_due(&self, session: SessionId) -> bool {
        self.with(|asked| match asked.entry(session) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Asked {
                    at: Instant::now(),
                    failure: None,
                });
                true
            }
        })
    }

    /// Why the last question had no answer, for a [`RETRY`].
    fn failure(&self, session: SessionId) -> Option<String> {
        self.with(|asked| asked.get(&session)?.failure.clone())
    }

    fn failed(&self, session: SessionId, why: &Error) {
        let asked = Asked {
            at: Instant::now(),
            failure: Some(why.to_string()),
        };
        self.with(|all| all.insert(session, asked));
    }
}

impl Portal {
    async fn oauth(&self) -> Result<SignIn, Error> {
        let config = &self.parts().config;
        let secret = self.own_secret(&config.github.client_secret).await?;
        let callback = config
            .public_url
            .join("auth/callback")
            .map_err(Error::internal)?;
        let http = self.parts().http.clone();
        Ok(SignIn::new(
            http,
            &config.github.url,
            &config.github.client_id,
            &secret,
            &callback,
        ))
    }

    /// Where to send a browser that wants to sign in, and what to remember until it comes back.
    pub async fn sign_in_url(&self) -> Result<(Url, PendingSignIn), Error> {
        Ok(self.oauth().await?.authorize_url())
    }

    /// Ends a sign-in: gives the new session's token. Somebody without a role in any project is refused.
    pub async fn sign_in(
        &self,
        code: &SecretString,
        state: &str,
        pending: PendingSignIn,
        origin: Origin,
    ) -> Result<SecretString, Error> {
        let token = self
            .oauth()
            .await?
            .exchange(code, state, pending)
            .await
            .map_err(outside)?;
        let github = &self.parts().github;
        let (user, groups) =
            tokio::try_join!(github.user(&token), github.membership(&token)).map_err(outside)?;
        let memberships = self.roles(&user.login, &groups);
        let actor = Actor {
            name: ActorName::Person {
                login: user.login.clone(),
            },
            memberships,
        };
        let grant = allow(&actor, None, Action::SignIn)?;
        let session = random_token("")?;
        let at = now();
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
        tx.upsert_person(
            &user.login,
            user.name.as_deref().unwrap_or(user.login.as_str()),
        )
        .await?;
        tx.create_session(NewSession {
            hash: TokenHash::of(&session),
            login: &user.login,
            memberships: &actor.memberships,
            idle_ms: IDLE_MS,
            expires: Ms(at.0 + ABSOLUTE_MS),
        })
        .await?;
        tx.commit(Change::SignedIn { login: user.login }).await?;
        Ok(session)
    }

    /// Ends the caller's session.
    pub async fn sign_out(&self, caller: &Caller, origin: Origin) -> Result<(), Error> {
        let (Some(session), Some(me)) = (caller.session, &caller.me) else {
            return Err(Error::SignedOut);
        };
        let grant = allow(&caller.actor, None, Action::SignIn)?;
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
        tx.end_session(session).await?;
        tx.commit(Change::SignedOut {
            login: me.login.clone(),
        })
        .await?;
        Ok(())
    }

    /// Whose session this token opens, if it lives; it counts as used. Roles that have become old are asked for again.
    pub async fn caller_of_session(&self, token: &SecretString) -> Result<Option<Caller>, Error> {
        let at = now();
        let Some(session) = self.checked_session(token, at).await? else {
            return Ok(None);
        };
        if at.since(session.seen) > TOUCH_MS {
            self.parts().store.touch_session(session.id, at).await?;
        }
        Ok(self.caller(session))
    }

    /// The same for what a page asks by itself: one that is only left open must not keep its session alive.
    pub async fn caller_of_idle_session(
        &self,
        token: &SecretString,
    ) -> Result<Option<Caller>, Error> {
        let session = self.checked_session(token, now()).await?;
        Ok(session.and_then(|session| self.caller(session)))
    }

    /// The same by the roles that were known last: GitHub is not asked, so this is for what needs no role.
    pub async fn last_known_caller(&self, token: &SecretString) -> Result<Option<Caller>, Error> {
        let store = &self.parts().store;
        let session = store.session(&TokenHash::of(token), now()).await?;
        Ok(session.and_then(|session| self.caller(session)))
    }

    async fn checked_session(
        &self,
        token: &SecretString,
        at: Ms,
    ) -> Result<Option<Session>, Error> {
        let store = &self.parts().store;
        let Some(mut session) = store.session(&TokenHash::of(token), at).await? else {
            return Ok(None);
        };
        let age = at.since(session.checked);
        let rechecks = &self.parts().rechecks;
        if age > GRACE_MS {
            if let Some(why) = rechecks.failure(session.id) {
                return Err(Error::Outside(why));
            }
            self.recheck(&mut session, at).await?;
        } else if age > RECHECK_MS && rechecks.is_due(session.id) {
            self.recheck(&mut session, at).await?;
        }
        Ok(Some(session))
    }

    fn caller(&self, session: Session) -> Option<Caller> {
        let name = ActorName::Person {
            login: session.login.clone(),
        };
        let actor = Actor {
            name,
            memberships: session.memberships,
        };
        if actor.memberships.is_empty() {
            return None;
        }
        let me = Me {
            login: session.login,
            name: session.name,
            projects: self.roles_by_project(&actor),
        };
        Some(Caller {
            actor,
            me: Some(me),
            session: Some(session.id),
        })
    }

    async fn recheck(&self, session: &mut Session, at: Ms) -> Result<(), Error> {
        match self.groups_now(&session.login).await {
            Ok(groups) => session.memberships = self.roles(&session.login, &groups),
            Err(error) => {
                self.parts().rechecks.failed(session.id, &error);
                if at.since(session.checked) > GRACE_MS {
                    return Err(error);
                }
                tracing::warn!(login = %session.login, %error, "roles cannot be asked for again; the last known hold for now");
                return Ok(());
            }
        }
        Ok(self
            .parts()
            .store
            .recheck_session(session.id, &session.memberships, at)
            .await?)
    }

    /// Those of the groups in the configured rules that somebody belongs to now.
    async fn groups_now(&self, login: &Login) -> Result<Groups, Error> {
        let token = self.own_secret(&self.parts().config.github.token).await?;
        let github = &self.parts().github;
        let mut groups = Groups::default();
        for rule in &self.parts().config.members {
            match &rule.who {
                Who::Team(team) if !groups.has_team(team) => {
                    if github
                        .is_in_team(&token, team, login)
                        .await
                        .map_err(outside)?
                    {
                        groups.teams.push(team.clone());
                    }
                }
                Who::Org(org) if !groups.has_org(org) => {
                    if github
                        .is_in_org(&token, org, login)
                        .await
                        .map_err(outside)?
                    {
                        groups.orgs.push(org.clone());
                    }
                }
                Who::Team(_) | Who::Org(_) | Who::Login(_) => {}
            }
        }
        Ok(groups)
    }
}

fn outside(error: GitHubError) -> Error {
    Error::Outside(error.to_string())
}
