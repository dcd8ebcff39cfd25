//! The audit trail: its text is pinned to the byte, and whatever is done to a stored trail is found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

use domain::audit::{AuditEvent, Chain, ChainHash, Change, Door, Link, Origin, verify};
use domain::message::Channel;
use domain::plan::RunKind;
use domain::policy::{ActorName, Role};
use domain::push::DeliveryId;
use domain::{EnvName, Login, Ms, ProjectName, RunId, Sha};
use proptest::prelude::*;
use proptest::sample::Index;

fn chain() -> Chain {
    Chain::Project(ProjectName::parse("shop").unwrap())
}

fn login(name: &str) -> Login {
    Login::parse(name).unwrap()
}

fn requested() -> AuditEvent {
    AuditEvent {
        chain: chain(),
        seq: 1,
        at: Ms(1_795_460_000_000),
        actor: ActorName::Person {
            login: login("lena"),
        },
        origin: Origin {
            door: Door::Web,
            address: Some("10.0.0.7".into()),
            request: None,
        },
        what: Change::RunRequested {
            run: RunId(42),
            kind: RunKind::Deploy,
            environment: EnvName::parse("prod").unwrap(),
            commit: Sha::parse("a".repeat(40)).unwrap(),
            retry_of: None,
            supersedes: vec![RunId(40), RunId(41)],
            tests_overridden: false,
            rebuild: false,
        },
        reason: Some("the “hotfix”\nof today".into()),
    }
}

/// A trail of `events`, numbered and linked.
fn trail(events: Vec<AuditEvent>) -> Vec<Link> {
    let mut hash = ChainHash::START;
    (1..)
        .zip(events)
        .map(|(seq, event)| {
            let canonical = AuditEvent { seq, ..event }.canonical().unwrap();
            hash = hash.follow(&canonical);
            Link {
                seq,
                canonical,
                hash: hash.to_string(),
            }
        })
        .collect()
}

#[test]
fn the_canonical_text_and_its_hash_are_pinned() {
    // Every stored trail depends on these bytes: if this test fails, old trails can no longer be verified.
    let canonical = requested().canonical().unwrap();
    assert_eq!(
        canonical,
        concat!(
            r#"{"actor":{"kind":"person","login":"lena"},"at":1795460000000,"chain":"project:shop","#,
            r#""origin":{"address":"10.0.0.7","door":"web","request":null},"reason":"the “hotfix”\nof today","seq":1,"#,
            r#""what":{"change":"run-requested","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","environment":"prod","#,
            r#""kind":"deploy","retry_of":null,"run":42,"supersedes":[40,41],"tests_overridden":false}}"#
        )
    );
    // By `(head -c 32 /dev/zero; printf %s TEXT) | sha256sum`.
    assert_eq!(
        ChainHash::START.follow(&canonical).to_string(),
        "075de818fe54e0ac0563d2e3dab5038ae435a59454874d3aa649ce93d6fdb8ff"
    );
    assert_eq!(
        ChainHash::START
            .follow(&canonical)
            .follow("next")
            .to_string(),
        "c369f62287490bb7f0db5a2d2f34e56ecbcbf7606d91a241edfd8176185e4eb1"
    );
}

#[test]
fn every_change_has_a_text_that_reads_back_and_a_sentence() {
    let changes = [
        (
            requested().what,
            "asked for run #42: deploy aaaaaaa to prod",
        ),
        (
            Change::RunRequested {
                run: RunId(43),
                kind: RunKind::Deploy,
                environment: EnvName::parse("dev").unwrap(),
                commit: Sha::parse("b".repeat(40)).unwrap(),
                retry_of: Some(RunId(42)),
                supersedes: vec![],
                tests_overridden: false,
                rebuild: false,
            },
            "asked for run #43: retry run #42, deploy bbbbbbb to dev",
        ),
        (
            Change::RunRequested {
                run: RunId(44),
                kind: RunKind::Deploy,
                environment: EnvName::parse("dev").unwrap(),
                commit: Sha::parse("b".repeat(40)).unwrap(),
                retry_of: None,
                supersedes: vec![],
                tests_overridden: true,
                rebuild: false,
            },
            "asked for run #44: deploy bbbbbbb to dev, whatever its tests say",
        ),
        (
            Change::RunRequested {
                run: RunId(45),
                kind: RunKind::Deploy,
                environment: EnvName::parse("dev").unwrap(),
                commit: Sha::parse("b".repeat(40)).unwrap(),
                retry_of: None,
                supersedes: vec![],
                tests_overridden: false,
                rebuild: true,
            },
            "asked for run #45: deploy bbbbbbb to dev, its images built anew",
        ),
        (
            Change::CancelRequested {
                run: RunId(42),
                environment: EnvName::parse("prod").unwrap(),
            },
            "cancelled run #42 to prod",
        ),
        (
            Change::DeliveryRepeated {
                delivery: DeliveryId(7),
                again: DeliveryId(9),
            },
            "had delivery 7 of GitHub acted on again",
        ),
        (
            Change::MessageRepeated {
                run: RunId(42),
                channel: Channel::Slack,
            },
            "had slack told again about run #42",
        ),
        (
            Change::SignedIn {
                login: login("lena"),
            },
            "signed in",
        ),
        (
            Change::SignedOut {
                login: login("lena"),
            },
            "ended a session of lena",
        ),
        (
            Change::TokenCreated {
                name: "ci".into(),
                role: Role::Developer,
                expires: Ms(1),
            },
            "made the API token ci (developer)",
        ),
        (
            Change::TokenRevoked { name: "ci".into() },
            "revoked the API token ci",
        ),
        (
            Change::ManifestImported {
                manifest: "0123456789abcdef".into(),
                previous: None,
            },
            "took in manifest 0123456789ab",
        ),
        (
            Change::ManifestImported {
                manifest: "é".repeat(8),
                previous: None,
            },
            "took in manifest éééééé",
        ),
    ];
    for (what, sentence) in changes {
        assert_eq!(what.sentence(), sentence);
        let event = AuditEvent {
            what,
            ..requested()
        };
        assert_eq!(
            serde_json::from_str::<AuditEvent>(&event.canonical().unwrap()).unwrap(),
            event
        );
    }
}

#[test]
fn a_chain_is_named_as_it_is_read() {
    for chain in [
        Chain::Portal,
        chain(),
        Chain::Project(ProjectName::parse("portal").unwrap()),
    ] {
        assert_eq!(Chain::try_from(chain.to_string()).unwrap(), chain);
    }
    assert!(Chain::try_from("project:No".to_owned()).is_err());
    assert_eq!(Chain::from(None), Chain::Portal);
}

#[test]
fn an_empty_trail_ends_where_it_begins() {
    assert_eq!(
        verify(&chain(), 1, ChainHash::START, &[]),
        Ok(ChainHash::START)
    );
}

#[test]
fn a_trail_can_be_verified_in_parts() {
    let links = trail(vec![requested(); 5]);
    let middle = verify(&chain(), 1, ChainHash::START, &links[..2]).unwrap();
    let end = verify(&chain(), 3, middle, &links[2..]).unwrap();
    assert_eq!(end, verify(&chain(), 1, ChainHash::START, &links).unwrap());
    assert_eq!(ChainHash::parse(&links[4].hash), Some(end));
    assert!(verify(&chain(), 3, ChainHash::START, &links[2..]).is_err());
}

#[test]
fn the_first_broken_event_is_named_with_what_is_wrong() {
    let told = |links: &[Link]| {
        verify(&chain(), 1, ChainHash::START, links)
            .unwrap_err()
            .to_string()
    };
    let links = trail(vec![requested(); 4]);

    let mut missing = links.clone();
    missing.remove(1);
    assert_eq!(
        told(&missing),
        "the audit trail is broken at event 2: it is missing"
    );

    let mut changed = links.clone();
    changed[2].canonical = changed[2].canonical.replace("lena", "omar");
    assert_eq!(
        told(&changed),
        "the audit trail is broken at event 3: its text does not match its hash"
    );

    // Whoever can compute hashes can still not move an event to another trail or place.
    let other = Chain::Portal;
    assert_eq!(
        verify(&other, 1, ChainHash::START, &links)
            .unwrap_err()
            .to_string(),
        "the audit trail is broken at event 1: its text belongs to another place"
    );
    let canonical = "not an event".to_owned();
    let hash = ChainHash::START.follow(&canonical).to_string();
    assert_eq!(
        told(&[Link {
            seq: 1,
            canonical,
            hash
        }]),
        "the audit trail is broken at event 1: its text cannot be read"
    );
}

/// Events of different people, times and reasons.
fn events() -> impl Strategy<Value = Vec<AuditEvent>> {
    let event = (
        any::<i64>(),
        "[a-z]{1,8}",
        proptest::option::of(any::<String>()),
        1_i64..1000,
    )
        .prop_map(|(at, who, reason, run)| {
            let what = Change::CancelRequested {
                run: RunId(run),
                environment: EnvName::parse("dev").unwrap(),
            };
            AuditEvent {
                at: Ms(at),
                actor: ActorName::Person { login: login(&who) },
                reason,
                what,
                ..requested()
            }
        });
    prop::collection::vec(event, 2..8)
}

/// `text` with one bit of one byte flipped, where that is still a text.
fn flipped(text: &str, at: &Index, bit: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    String::from_utf8(bytes).ok()
}

proptest! {
    #[test]
    fn a_trail_that_nobody_touched_is_whole(events in events()) {
        let links = trail(events);
        let end = verify(&chain(), 1, ChainHash::START, &links).unwrap();
        prop_assert_eq!(end.to_string(), &links.last().unwrap().hash[..]);
    }

    #[test]
    fn any_flipped_bit_is_found_where_it_is(events in events(), which: Index, at: Index, bit in 0_u8..8, in_hash: bool) {
        let mut links = trail(events);
        let which = which.index(links.len());
        let link = &mut links[which];
        let field = if in_hash { &mut link.hash } else { &mut link.canonical };
        let Some(text) = flipped(field, &at, bit) else { return Ok(()) };
        *field = text;
        let broken = verify(&chain(), 1, ChainHash::START, &links).unwrap_err();
        prop_assert_eq!(broken.seq, i64::try_from(which).unwrap() + 1);
    }

    #[test]
    fn a_removed_event_is_found(events in events(), which: Index) {
        let mut links = trail(events);
        let end = verify(&chain(), 1, ChainHash::START, &links).unwrap();
        let which = which.index(links.len());
        links.remove(which);
        match verify(&chain(), 1, ChainHash::START, &links) {
            Err(broken) => prop_assert_eq!(broken.seq, i64::try_from(which).unwrap() + 1),
            // A trail that lost its end is a trail; only the head that was noted elsewhere tells.
            Ok(shorter) => prop_assert!(which == links.len() && shorter != end),
        }
    }

    #[test]
    fn exchanged_events_are_found_even_when_their_numbers_are_not(events in events(), one: Index, two: Index, renumber: bool) {
        let mut links = trail(events);
        let (one, two) = (one.index(links.len()), two.index(links.len()));
        prop_assume!(one != two);
        links.swap(one, two);
        if renumber {
            for (seq, link) in (1..).zip(&mut links) {
                link.seq = seq;
            }
        }
        let broken = verify(&chain(), 1, ChainHash::START, &links).unwrap_err();
        prop_assert_eq!(broken.seq, i64::try_from(one.min(two)).unwrap() + 1);
    }

    #[test]
    fn an_inserted_event_is_found(events in events(), put: Index, forged: bool) {
        let mut links = trail(events);
        let place = put.index(links.len());
        let seq = i64::try_from(place).unwrap() + 1;
        let before = place.checked_sub(1).map_or(ChainHash::START, |last| ChainHash::parse(&links[last].hash).unwrap());
        let canonical = AuditEvent { seq, reason: Some("forged".into()), ..requested() }.canonical().unwrap();
        // A forger who computes the right hash for the new event gives himself away at the next one.
        let hash = if forged { before.follow(&canonical) } else { before }.to_string();
        links.insert(place, Link { seq, canonical, hash });
        for (seq, link) in (1..).zip(&mut links) {
            link.seq = seq;
        }
        let broken = verify(&chain(), 1, ChainHash::START, &links).unwrap_err();
        prop_assert_eq!(broken.seq, seq + i64::from(forged));
    }
}
