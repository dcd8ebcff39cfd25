//! What GitHub told and what came of it; whom runs told and how that went.
use domain::message::MessageRow;
use domain::policy::{Action, Actor, allow};
use domain::push::{DeliveryId, DeliveryPage};
use domain::view::{Pushes, RunMessages};
use domain::{ProjectName, RunId};

use super::offer;
use crate::{Error, Portal, now};

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

    /// The same as the settings' page shows it, with what the reader may do about it.
    pub async fn pushes(
        &self,
        actor: &Actor,
        project: &ProjectName,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Pushes, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let page = self.deliveries(actor, project, before, limit).await?;
        let refused = allow(actor, Some(project), Action::Redeliver).err();
        let public = self.parts().config.public_url.as_str();
        Ok(Pushes {
            project: project.clone(),
            page,
            redeliver: offer(refused.map(|denied| denied.to_string())),
            repository_url: self.repository_url(&in_force.manifest),
            hook_url: format!("{}/hooks/github", public.trim_end_matches('/')),
            now: now(),
        })
    }

    /// Whom a run has told how it ended, with every try.
    pub async fn messages(&self, actor: &Actor, run: RunId) -> Result<Vec<MessageRow>, Error> {
        self.visible_run(actor, run).await?;
        Ok(self.parts().store.messages(run).await?)
    }

    /// The same as the run's page shows it, with what the reader may do about it.
    pub async fn run_messages(&self, actor: &Actor, run: RunId) -> Result<RunMessages, Error> {
        let row = self.visible_run(actor, run).await?;
        let refused = allow(actor, Some(&row.project), Action::Redeliver).err();
        let refused = refused.map(|denied| denied.to_string()).or_else(|| {
            let at_work = || format!("Run #{run} has not ended, and may be sending it");
            row.ended.is_none().then(at_work)
        });
        Ok(RunMessages {
            messages: self.parts().store.messages(run).await?,
            send_again: offer(refused),
        })
    }
}
