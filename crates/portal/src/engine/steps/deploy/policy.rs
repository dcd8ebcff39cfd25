//! The restart policy of a container that is put aside: it has none while it is, and gets back the one that it had.
use adapters::docker::{Container, RestartPolicy};
use domain::manifest::Restart;
use domain::report::Content;

use super::super::StepError;
use super::{Site, label};
use crate::engine::scene::run_of;

impl Site<'_> {
    /// What the run leaves under this name is the policy of the container that it puts aside.
    fn policy_name(&self) -> String {
        format!("old restart policy of {}", self.name)
    }

    /// Keeps the policy of a container that is about to lose it, where its label does not tell: it was made by hand, or
    /// somebody has changed it since.
    pub(super) async fn keep_policy(&self, old: &Container) -> Result<(), StepError> {
        if made_with(old) == Some(old.restart) {
            return Ok(());
        }
        let policy = Content::Text(old.restart.to_string());
        self.work.leave(&self.policy_name(), policy).await
    }

    /// The policy that a container had before the run of this key put it aside.
    pub(super) async fn policy_of(
        &self,
        old: &Container,
        key: &str,
    ) -> Result<RestartPolicy, StepError> {
        if old.restart != RestartPolicy::NO {
            return Ok(old.restart);
        }
        let kept = self.kept_policy(key).await?;
        Ok(kept.or_else(|| made_with(old)).unwrap_or(old.restart))
    }

    async fn kept_policy(&self, key: &str) -> Result<Option<RestartPolicy>, StepError> {
        let store = &self.work.scene.portal.parts().store;
        let Some(stored) = self.work.patiently(|| run_of(store, key)).await? else {
            return Ok(None);
        };
        let run = stored.row.id;
        let left = self.work.patiently(|| store.artifacts(run)).await?;
        let name = self.policy_name();
        Ok(left
            .iter()
            .filter(|artifact| artifact.name == name)
            .find_map(|artifact| match &artifact.content {
                Content::Text(policy) => RestartPolicy::parse(policy),
                Content::Findings(_) | Content::Tests(_) => None,
            }))
    }
}

/// What the label [`RESTART`](label::RESTART) says of a policy.
pub(super) fn policy_label(policy: Restart) -> String {
    RestartPolicy::from(policy).to_string()
}

/// The policy that a container was made with, where Fairlead made it.
fn made_with(container: &Container) -> Option<RestartPolicy> {
    RestartPolicy::parse(container.labels.get(label::RESTART)?)
}
