//! Every verb of the portal, as one list that the tests of permission and audit go through.
use domain::message::Channel;
use domain::policy::{Actor, Role};
use domain::push::DeliveryId;
use domain::step::StepKind;
use domain::{Ms, RunId};
use portal::{Error, NewToken};

use crate::support::{TestPortal, lead, now, origin, project, to};

/// A verb that needs a role in the project `shop` or in the portal. Signing in and out is in `sessions.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Deploy,
    DeployToProd,
    Cancel,
    Retry,
    CreateToken,
    RevokeToken,
    Redeliver,
    SendAgain,
}

impl Verb {
    pub const ALL: [Verb; 8] = [
        Verb::Deploy,
        Verb::DeployToProd,
        Verb::Cancel,
        Verb::Retry,
        Verb::CreateToken,
        Verb::RevokeToken,
        Verb::Redeliver,
        Verb::SendAgain,
    ];

    /// The least role in `shop` that may.
    pub fn needs(self) -> Role {
        match self {
            Verb::Deploy | Verb::Cancel | Verb::Retry => Role::Developer,
            Verb::DeployToProd | Verb::Redeliver | Verb::SendAgain => Role::Lead,
            Verb::CreateToken | Verb::RevokeToken => Role::Admin,
        }
    }

    /// The method of the portal.
    pub fn method(self) -> &'static str {
        match self {
            Verb::Deploy | Verb::DeployToProd => "deploy",
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
            Verb::CreateToken => "create_token",
            Verb::RevokeToken => "revoke_token",
            Verb::Redeliver => "redeliver",
            Verb::SendAgain => "send_again",
        }
    }

    /// The changes of the audit trail that the verb makes, by their names in JSON.
    pub fn changes(self) -> &'static str {
        match self {
            Verb::Deploy | Verb::DeployToProd | Verb::Retry => "run-requested",
            Verb::Cancel => "cancel-requested",
            Verb::CreateToken => "token-created",
            Verb::RevokeToken => "token-revoked",
            Verb::Redeliver => "delivery-repeated",
            Verb::SendAgain => "message-repeated",
        }
    }
}

/// Makes what the verbs work on.
pub struct Stage {
    failed: RunId,
    delivery: DeliveryId,
    tokens: u32,
}

impl Stage {
    /// A run that failed and has told of it, and a push.
    pub async fn set(world: &TestPortal) -> Self {
        let failed = world.deploy().await;
        let claim = world.start().await;
        let key = Channel::Slack.key(failed);
        let put = world.store.outbox_put(&claim, &key, "{}", now());
        put.await.unwrap();
        world
            .drive_on(&claim, |step| !matches!(step, StepKind::Deploy { .. }))
            .await;
        let push = crate::pushes::push("stage", "development", None, None);
        let (delivery, _) = world.portal.take_in_delivery(push).await.unwrap();
        Self {
            failed,
            delivery,
            tokens: 0,
        }
    }

    /// Gets ready what the verb is done to, as somebody who may.
    pub async fn prepare(&mut self, world: &TestPortal, verb: Verb) -> Prepared {
        self.tokens += 1;
        let name = format!("token-{}", self.tokens);
        match verb {
            Verb::Cancel => Prepared::Run(world.deploy().await),
            Verb::Retry | Verb::SendAgain => Prepared::Run(self.failed),
            Verb::Redeliver => Prepared::Delivery(self.delivery),
            Verb::RevokeToken => {
                let admin = crate::support::admin();
                let token = new_token(&name);
                world
                    .portal
                    .create_token(&admin, origin(), token)
                    .await
                    .unwrap();
                Prepared::Token(name)
            }
            Verb::CreateToken => Prepared::Token(name),
            Verb::Deploy | Verb::DeployToProd => {
                // A deploy that waits would be superseded, which is not what is asked here.
                let row = world.store.lanes(&project("shop")).await.unwrap();
                for queued in row.into_values().flat_map(|lane| lane.queued) {
                    world
                        .portal
                        .cancel(&lead(), origin(), queued.id)
                        .await
                        .unwrap();
                }
                Prepared::Nothing
            }
        }
    }
}

pub enum Prepared {
    Nothing,
    Run(RunId),
    Delivery(DeliveryId),
    Token(String),
}

impl Prepared {
    /// Does it.
    pub async fn perform(
        &self,
        world: &TestPortal,
        verb: Verb,
        actor: &Actor,
    ) -> Result<(), Error> {
        let portal = &world.portal;
        match (verb, self) {
            (Verb::Deploy, _) => portal.deploy(actor, origin(), to("dev")).await.map(drop),
            (Verb::DeployToProd, _) => portal.deploy(actor, origin(), to("prod")).await.map(drop),
            (Verb::Cancel, Prepared::Run(run)) => portal.cancel(actor, origin(), *run).await,
            (Verb::Retry, Prepared::Run(run)) => {
                portal.retry(actor, origin(), *run).await.map(drop)
            }
            (Verb::CreateToken, Prepared::Token(name)) => {
                let token = new_token(name);
                portal.create_token(actor, origin(), token).await.map(drop)
            }
            (Verb::RevokeToken, Prepared::Token(name)) => {
                portal.revoke_token(actor, origin(), name).await
            }
            (Verb::Redeliver, Prepared::Delivery(delivery)) => {
                let shop = project("shop");
                let again = portal.redeliver(actor, origin(), &shop, *delivery).await;
                again.map(drop)
            }
            (Verb::SendAgain, Prepared::Run(run)) => {
                portal
                    .send_again(actor, origin(), *run, Channel::Slack)
                    .await
            }
            _ => unreachable!("{verb:?} was not prepared"),
        }
    }
}

/// A viewer's token for `shop`, good for an hour.
pub fn new_token(name: &str) -> NewToken {
    NewToken {
        name: name.into(),
        project: Some(project("shop")),
        role: Role::Viewer,
        expires: Ms(now().0 + 3_600_000),
    }
}
