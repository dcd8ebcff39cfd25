//! What GitHub told and what came of it; whom runs told and how that went.
use domain::message::MessageRow;
use domain::policy::Actor;
use domain::push::{DeliveryId, DeliveryPage};
use domain::{ProjectName, RunId};

use crate::{Error, Portal};

impl Portal {
    /// A page of what GitHub told of the project's repository, newest first.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        project: &ProjectName,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<DeliveryPage, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let repository = in_force.manifest.repository.to_string();
        let limit = limit.clamp(1, 200);
        let mut deliveries = self
            .parts()
            .store
            .deliveries(&repository, project, before, limit + 1)
            .await?;
        let more = i64::try_from(deliveries.len()).unwrap_or(i64::MAX) > limit;
        deliveries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = deliveries.last().filter(|_| more).map(|row| row.id);
        Ok(DeliveryPage { deliveries, next })
    }

    /// Whom a run has told how it ended, with every try.
    pub async fn messages(&self, actor: &Actor, run: RunId) -> Result<Vec<MessageRow>, Error> {
        self.visible_run(actor, run).await?;
        Ok(self.parts().store.messages(run).await?)
    }
}
