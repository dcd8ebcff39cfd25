//! Every verb leaves an audit event, and the chain holds.
use std::collections::BTreeSet;
use std::path::Path;

use domain::audit::{Chain, Change};
use domain::policy::ActorName;

use crate::support::{TestPortal, admin, login, origin, project, to};
use crate::verbs::{Stage, Verb};

/// The name of a change. A new one does not compile until it is here, and fails below until something makes it.
fn name(change: &Change) -> &'static str {
    match change {
        Change::RunRequested { .. } => "run-requested",
        Change::CancelRequested { .. } => "cancel-requested",
        Change::DeliveryRepeated { .. } => "delivery-repeated",
        Change::MessageRepeated { .. } => "message-repeated",
        Change::SignedIn { .. } => "signed-in",
        Change::SignedOut { .. } => "signed-out",
        Change::TokenCreated { .. } => "token-created",
        Change::TokenRevoked { .. } => "token-revoked",
        Change::ManifestImported { .. } => "manifest-imported",
    }
}

#[tokio::test]
async fn every_verb_leaves_one_event_with_who_and_from_where() {
    let world = TestPortal::new().await;
    let mut stage = Stage::set(&world).await;
    for verb in Verb::ALL {
        let prepared = stage.prepare(&world, verb).await;
        let before = world.trail().await;
        prepared.perform(&world, verb, &admin()).await.unwrap();
        let after = world.trail().await;
        let new: Vec<_> = after.iter().filter(|e| !before.contains(e)).collect();
        let [event] = new.as_slice() else {
            panic!("{verb:?} left {new:?}")
        };
        assert_eq!(name(&event.what), verb.changes());
        let root = ActorName::Person {
            login: login("root"),
        };
        assert_eq!(event.actor, root, "{verb:?}");
        assert_eq!(event.origin, origin(), "{verb:?}");
        assert_eq!(event.chain, Chain::Project(project("shop")), "{verb:?}");
    }
    let imported = world.trail().await.iter().map(|e| name(&e.what)).next();
    assert_eq!(imported, Some("manifest-imported"));
}

#[tokio::test]
async fn a_reason_stands_in_the_trail_and_an_empty_one_does_not() {
    let world = TestPortal::new().await;
    for (given, kept) in [("the hotfix", Some("the hotfix")), ("  ", None)] {
        let mut request = to("dev");
        request.reason = Some(given.into());
        world
            .portal
            .deploy(&admin(), origin(), request)
            .await
            .unwrap();
        let trail = world.trail_of("shop").await;
        assert_eq!(trail[0].reason.as_deref(), kept);
    }
}

/// A verb is told from a read by its `origin`, which goes into the audit event.
#[test]
fn no_verb_is_missing_from_these_tests() {
    let mut verbs = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for function in text.split("pub async fn ").skip(1) {
                let (name, rest) = function.split_once('(').unwrap();
                let signature = rest.split('{').next().unwrap();
                if signature.contains("Origin") {
                    verbs.insert(name.to_owned());
                }
            }
        }
    }
    let mut tested: BTreeSet<String> = Verb::ALL.map(|verb| verb.method().to_owned()).into();
    // These are tested in sessions.rs.
    tested.extend(["sign_in", "sign_out", "end_session"].map(String::from));
    assert_eq!(verbs, tested);
}
