//! When the engine starts a container again, as it tells and takes it.

use std::fmt;

use bollard::models;
use domain::manifest::Restart;

/// When the engine starts a container again, written as `docker run --restart` takes it: `always`, `on-failure:5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// In which case.
    pub when: Restart,
    /// How often it tries with [`Restart::OnFailure`] until it gives up; 0 for without end.
    pub tries: i64,
}

impl RestartPolicy {
    /// Never.
    pub const NO: Self = Self {
        when: Restart::No,
        tries: 0,
    };

    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, tries) = match text.split_once(':') {
            Some((name, tries)) => (name, Some(tries.parse().ok()?)),
            None => (text, None),
        };
        Some(Self::of(name.parse().ok()?, tries))
    }

    fn of(name: models::RestartPolicyNameEnum, tries: Option<i64>) -> Self {
        use models::RestartPolicyNameEnum as Name;
        match name {
            Name::ALWAYS => Restart::Always.into(),
            Name::UNLESS_STOPPED => Restart::UnlessStopped.into(),
            Name::ON_FAILURE => Self {
                when: Restart::OnFailure,
                tries: tries.unwrap_or_default(),
            },
            Name::NO | Name::EMPTY => Self::NO,
        }
    }

    fn name(self) -> models::RestartPolicyNameEnum {
        use models::RestartPolicyNameEnum as Name;
        match self.when {
            Restart::No => Name::NO,
            Restart::Always => Name::ALWAYS,
            Restart::UnlessStopped => Name::UNLESS_STOPPED,
            Restart::OnFailure => Name::ON_FAILURE,
        }
    }
}

impl From<Restart> for RestartPolicy {
    fn from(when: Restart) -> Self {
        Self { when, tries: 0 }
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        match self.tries {
            0 => Ok(()),
            tries => write!(f, ":{tries}"),
        }
    }
}

impl From<RestartPolicy> for models::RestartPolicy {
    fn from(policy: RestartPolicy) -> Self {
        Self {
            name: Some(policy.name()),
            maximum_retry_count: (policy.tries > 0).then_some(policy.tries),
        }
    }
}

impl From<models::RestartPolicy> for RestartPolicy {
    fn from(told: models::RestartPolicy) -> Self {
        told.name
            .map_or(Self::NO, |name| Self::of(name, told.maximum_retry_count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_as_docker_takes_it_and_comes_back_from_the_engine_as_it_was() {
        let five = RestartPolicy {
            when: Restart::OnFailure,
            tries: 5,
        };
        for (policy, written) in [
            (RestartPolicy::NO, "no"),
            (Restart::Always.into(), "always"),
            (Restart::UnlessStopped.into(), "unless-stopped"),
            (Restart::OnFailure.into(), "on-failure"),
            (five, "on-failure:5"),
        ] {
            assert_eq!(policy.to_string(), written);
            assert_eq!(RestartPolicy::parse(written), Some(policy));
            assert_eq!(
                RestartPolicy::from(models::RestartPolicy::from(policy)),
                policy
            );
        }
        for other in ["sometimes", "on-failure:often"] {
            assert_eq!(RestartPolicy::parse(other), None, "{other}");
        }
    }
}
