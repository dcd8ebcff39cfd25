//! The container's environment as a file on the host holds it.
use adapters::docker::parse_env_file;
use adapters::redact::Redactor;
use adapters::ssh::Host;
use secrecy::{ExposeSecret, SecretString};

use super::super::{StepError, Work};
use crate::engine::log::too_short;

/// `--env-file` is read by whoever starts the container; here that is the portal, so it reads it on the host. Its
/// values are secrets of the host that the portal has not seen before: they are kept out of the log from here on.
pub(in crate::engine::steps) async fn read(
    work: &Work,
    host: &Host,
    path: Option<&str>,
) -> Result<Vec<(String, SecretString)>, StepError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let bytes = host.read_file(path).await?.ok_or_else(|| {
        StepError::advised(
            format!(
                "host {} has no file {path}, which `env_file` names",
                host.name()
            ),
            "create it on the host, or correct `env_file` in the manifest",
        )
    })?;
    let values = parse_env_file(&bytes).map_err(|error| {
        StepError::advised(
            format!("{path} on host {}: {error}", host.name()),
            "correct the file on the host",
        )
    })?;
    let secrets: Vec<(&str, &SecretString)> = values
        .iter()
        .filter(|(name, value)| hides(name, value.expose_secret()))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    if let Some(names) = too_short(&secrets) {
        work.log
            .say(format!("of {path} on host {}, {names}", host.name()));
    }
    let redactor = Redactor::new(secrets.into_iter().map(|(_, value)| value));
    let redactor = redactor.map_err(|error| StepError::fatal(error.to_string()))?;
    work.log.redact_too(redactor);
    Ok(values)
}

/// Whether a value of an env file must not be shown. Hiding `INFO` or `production` wherever they occur would only
/// make a log unreadable, so it goes by the name, and by whether a URL carries a password.
fn hides(name: &str, value: &str) -> bool {
    const MARKS: [&str; 12] = [
        "SECRET",
        "PASS",
        "PWD",
        "TOKEN",
        "KEY",
        "CREDENTIAL",
        "DSN",
        "PRIVATE",
        "AUTH",
        "SALT",
        "WEBHOOK",
        "JWT",
    ];
    /// What a switch such as `AUTH_ENABLED` says.
    const WORDS: [&str; 6] = ["true", "false", "none", "null", "enabled", "disabled"];
    if WORDS
        .iter()
        .any(|word| value.trim().eq_ignore_ascii_case(word))
    {
        return false;
    }
    let name = name.to_ascii_uppercase();
    carries_password(value) || MARKS.iter().any(|mark| name.contains(mark))
}

/// Whether a URL has an account before its host. A password that nobody escaped may hold a `/`, so any `:` before an
/// `@` counts.
fn carries_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let account = rest.rsplit_once('@').map(|(account, _)| account);
    authority.contains('@') || account.is_some_and(|account| account.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::hides;

    #[test]
    fn values_are_hidden_by_what_they_are() {
        for (name, value) in [
            ("SECRET_KEY", "x"),
            ("DB_PASSWORD", "x"),
            ("DB_PASS", "x"),
            ("DB_PWD", "x"),
            ("BASIC_AUTH", "dev:x"),
            ("HASH_SALT", "x"),
            ("SLACK_WEBHOOK", "https://hooks.example/T0/B0/x"),
            ("JWT", "x"),
            ("DATABASE_URL", "postgresql://u:p@h/db"),
            ("DATABASE_URL", "postgresql://u:p/w@h/db"),
            ("MIRROR", "https://ghp_x@github.example/app"),
        ] {
            assert!(hides(name, value), "{name}");
        }
        for (name, value) in [
            ("LOG_LEVEL", "INFO"),
            ("AUTH_ENABLED", "true"),
            ("API_URL", "https://dev.example.com/@x"),
            ("API_URL", "https://dev.example.com:8080/x"),
        ] {
            assert!(!hides(name, value), "{name}");
        }
    }
}
