//! The two cookies: a session's token, and what a sign-in that was begun has to remember.
//!
//! Both are out of reach of scripts. The second is sealed with a key that lives as long as this process: a sign-in
//! that a restart cut off begins again, and nothing that a stranger can fill up is kept on the server.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, Key, PrivateCookieJar, SameSite};
use portal::PendingSignIn;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How long a sign-in may take; GitHub's codes live as long.
const SIGN_IN: Duration = Duration::from_secs(600);
/// A browser forgets a session after a week; the portal does so in any case.
const SESSION: Duration = Duration::from_secs(7 * 24 * 3600);

/// How cookies are named and sealed.
pub(crate) struct Cookies {
    secure: bool,
    key: Key,
}

/// A sign-in that was begun in one browser.
pub(super) struct Begun {
    pub(super) pending: PendingSignIn,
    /// The page that was asked for.
    pub(super) next: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    state: String,
    verifier: String,
    next: String,
    /// Seconds since 1970: a browser's own clock is not asked.
    at: u64,
}

impl Cookies {
    /// `secure` where the portal is reached by https.
    pub(super) fn new(secure: bool) -> Self {
        Self {
            secure,
            key: Key::generate(),
        }
    }

    fn session_name(&self) -> &'static str {
        // The prefix makes browsers refuse the cookie from a sibling host or without TLS.
        if self.secure {
            "__Host-fairlead"
        } else {
            "fairlead"
        }
    }

    fn sign_in_name(&self) -> &'static str {
        if self.secure {
            "__Host-fairlead-sign-in"
        } else {
            "fairlead-sign-in"
        }
    }

    fn cookie(&self, name: &'static str, value: String, life: Duration) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Lax, so that a link from Slack finds its reader signed in, and GitHub's redirect its own sign-in.
            .same_site(SameSite::Lax)
            .max_age(time::Duration::try_from(life).unwrap_or_default())
            .build()
    }

    /// The session's token that a browser shows.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<SecretString> {
        let jar = CookieJar::from_headers(headers);
        let token = jar.get(self.session_name())?.value();
        (!token.is_empty()).then(|| SecretString::from(token.to_owned()))
    }

    /// Gives a browser its session, and takes what the sign-in had to remember.
    pub(super) fn signed_in(&self, token: &SecretString) -> CookieJar {
        let session = self.cookie(
            self.session_name(),
            token.expose_secret().to_owned(),
            SESSION,
        );
        CookieJar::new()
            .add(session)
            .add(self.gone(self.sign_in_name()))
    }

    /// Takes a browser's session.
    pub(super) fn signed_out(&self) -> CookieJar {
        CookieJar::new().add(self.gone(self.session_name()))
    }

    /// Takes what a sign-in that went wrong had to remember.
    pub(super) fn sign_in_ended(&self) -> CookieJar {
        CookieJar::new().add(self.gone(self.sign_in_name()))
    }

    fn gone(&self, name: &'static str) -> Cookie<'static> {
        self.cookie(name, String::new(), Duration::ZERO)
    }

    /// Remembers a sign-in that begins.
    pub(super) fn begin(&self, begun: &Begun) -> Result<PrivateCookieJar, serde_json::Error> {
        let Begun {
            pending: PendingSignIn { state, verifier },
            next,
        } = begun;
        let sealed = Sealed {
            state: state.expose_secret().to_owned(),
            verifier: verifier.expose_secret().to_owned(),
            next: next.clone(),
            at: seconds(),
        };
        let cookie = self.cookie(
            self.sign_in_name(),
            serde_json::to_string(&sealed)?,
            SIGN_IN,
        );
        Ok(PrivateCookieJar::new(self.key.clone()).add(cookie))
    }

    /// The sign-in that this browser has begun, unless it is too long ago.
    pub(super) fn begun(&self, headers: &HeaderMap) -> Option<Begun> {
        let jar = PrivateCookieJar::from_headers(headers, self.key.clone());
        let Sealed {
            state,
            verifier,
            next,
            at,
        } = serde_json::from_str(jar.get(self.sign_in_name())?.value()).ok()?;
        (seconds().saturating_sub(at) <= SIGN_IN.as_secs()).then(|| Begun {
            pending: PendingSignIn {
                state: SecretString::from(state),
                verifier: SecretString::from(verifier),
            },
            next,
        })
    }
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
