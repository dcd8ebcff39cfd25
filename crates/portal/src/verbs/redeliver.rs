//! Redeliver: a delivery of GitHub is acted on again, or a message of a run is sent again, because somebody has mended
//! what stood in the way.
use domain::audit::{Change, Origin};
use domain::message::Channel;
use domain::policy::{Action, Actor, allow};
use domain::push::DeliveryId;
use domain::{ProjectName, RunId};
use store::Note;

use crate::{Error, Portal, now};

impl Portal {
    /// Has a push acted on again, for this project alone, and gives the number of the delivery that repeats it. The run
    /// is the pusher's as before; who asked for it stands in the trail.
    pub async fn redeliver(
        &self,
        actor: &Actor,
        origin: Origin,
        project: &ProjectName,
        delivery: DeliveryId,
    ) -> Result<DeliveryId, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let grant = allow(actor, Some(project), Action::Redeliver)?;
        let repository = in_force.manifest.repository.to_string();
        let mut tx = self.parts().store.audited(&grant, note(origin)).await?;
        let again = tx.repeat_delivery(delivery, &repository).await?;
        tx.commit(Change::DeliveryRepeated { delivery, again })
            .await?;
        self.parts().live.ring_deliveries();
        Ok(again)
    }

    /// Has a message of a run sent again, whatever became of it before.
    pub async fn send_again(
        &self,
        actor: &Actor,
        origin: Origin,
        run: RunId,
        channel: Channel,
    ) -> Result<(), Error> {
        let row = self.visible_run(actor, run).await?;
        let grant = allow(actor, Some(&row.project), Action::Redeliver)?;
        let mut tx = self.parts().store.audited(&grant, note(origin)).await?;
        tx.repeat_message(run, channel).await?;
        tx.commit(Change::MessageRepeated { run, channel }).await?;
        self.parts().live.ring_messages();
        Ok(())
    }
}

fn note(origin: Origin) -> Note {
    Note {
        origin,
        reason: None,
        at: now(),
    }
}
