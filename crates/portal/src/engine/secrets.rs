//! The values of secrets that a run works with, and what is made of them.
use std::collections::BTreeMap;

use adapters::secrets::{SecretError, Sources};
use adapters::ssh::{Auth, Fingerprint, Target};
use domain::manifest::{Host, HostLogin, SecretName, Value};
use secrecy::{ExposeSecret, SecretString};

use super::steps::StepError;

/// What some secrets held when the run began.
pub(super) struct Secrets {
    /// What goes before a name where there is such a secret: the environment's.
    prefix: String,
    values: BTreeMap<SecretName, SecretString>,
}

impl Secrets {
    /// Asks the sources. One that none of them has is missed when it is needed.
    pub(super) async fn fetch<'n>(
        sources: &Sources,
        prefix: &str,
        names: impl IntoIterator<Item = &'n SecretName>,
    ) -> Result<Self, SecretError> {
        let mut values = BTreeMap::new();
        for name in names {
            if let Some(value) = sources.resolve(prefix, name.as_str()).await? {
                values.insert(name.clone(), value);
            }
        }
        let prefix = prefix.to_owned();
        Ok(Self { prefix, values })
    }

    /// All of them, each with its name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value itself, or what the secret holds.
    pub(super) fn value(&self, value: &Value) -> Result<SecretString, StepError> {
        match value {
            Value::Plain(text) => Ok(SecretString::from(text.clone())),
            Value::Secret(name) => self.values.get(name).cloned().ok_or_else(|| {
                let tried = match self.prefix.as_str() {
                    "" => name.to_string(),
                    prefix => format!("{prefix}{name}, {name}"),
                };
                StepError::advised(
                    format!("secret `{name}` resolves to nothing (looked for {tried})"),
                    "add it to a secret source of the portal and retry the run",
                )
            }),
        }
    }

    /// How to sign in to a server.
    pub(super) fn target(&self, spec: &Host) -> Result<Target, StepError> {
        let plain = |value: &Value| {
            Ok::<_, StepError>(self.value(value)?.expose_secret().trim().to_owned())
        };
        let auth = match &spec.login {
            HostLogin::Password(password) => Auth::Password(self.value(password)?),
            HostLogin::Key { key, passphrase } => Auth::Key {
                pem: self.value(key)?,
                passphrase: passphrase.as_ref().map(|p| self.value(p)).transpose()?,
            },
            HostLogin::Agent => Auth::Agent,
        };
        let host_key = match &spec.host_key {
            None => None,
            Some(key) => Some(
                plain(key)?
                    .parse::<Fingerprint>()
                    .map_err(|e| StepError::fatal(e.to_string()))?,
            ),
        };
        Ok(Target {
            address: plain(&spec.address)?,
            port: spec.port,
            user: plain(&spec.user)?,
            auth,
            host_key,
        })
    }
}
