//! Who may come in: sessions and API tokens, of which only hashes are kept.
use domain::audit::Change;
use domain::policy::{Action, Membership, Role, allow};
use domain::{Ms, ProjectName};
use secrecy::SecretString;
use store::{NewSession, NewToken, SessionId, StoreError, TokenHash, Tx};

use crate::world::*;

stories!(
    a_session_lives_until_it_idles_expires_or_is_ended,
    somebody_else_may_not_end_my_session,
    people_are_listed_with_the_roles_of_their_live_session,
    a_token_works_until_it_expires_or_is_revoked,
    a_token_of_a_project_is_not_managed_from_another,
    a_name_of_a_token_is_never_used_twice,
);

const HOUR: i64 = 3_600_000;

fn hash(token: &str) -> TokenHash {
    TokenHash::of(&SecretString::from(token))
}

fn viewer() -> Vec<Membership> {
    vec![Membership {
        project: Some(shop()),
        role: Role::Viewer,
    }]
}

async fn tx(world: &World, action: Action, at: i64) -> Tx {
    world
        .store
        .audited(&allow(&lena(), None, action).unwrap(), note(at))
        .await
        .unwrap()
}

async fn sign_in(world: &World, token: &str, at: i64) -> SessionId {
    let mut tx = tx(world, Action::SignIn, at).await;
    tx.upsert_person(&login("lena"), "Lena").await.unwrap();
    let (memberships, login) = (viewer(), login("lena"));
    let new = NewSession {
        hash: hash(token),
        login: &login,
        memberships: &memberships,
        idle_ms: HOUR,
        expires: Ms(at + 10 * HOUR),
    };
    let id = tx.create_session(new).await.unwrap();
    tx.commit(Change::SignedIn { login }).await.unwrap();
    id
}

async fn a_session_lives_until_it_idles_expires_or_is_ended(world: World) {
    let store = &world.store;
    let lives = async |token: &str, now| store.session(&hash(token), Ms(now)).await.unwrap();
    let id = sign_in(&world, "t-one", 0).await;
    let session = lives("t-one", 1).await.unwrap();
    assert_eq!(
        (session.id, &session.login, &session.name),
        (id, &login("lena"), &"Lena".to_owned())
    );
    assert_eq!(
        (session.memberships, session.checked, session.expires),
        (viewer(), Ms(0), Ms(10 * HOUR))
    );
    assert_eq!(lives("t-two", 1).await, None);
    assert!(lives("t-one", HOUR - 1).await.is_some());
    assert_eq!(lives("t-one", HOUR).await, None, "idle for an hour");

    for hour in 1..10 {
        store.touch_session(id, Ms(hour * HOUR - 1)).await.unwrap();
    }
    assert_eq!(
        lives("t-one", 9 * HOUR).await.unwrap().seen,
        Ms(9 * HOUR - 1)
    );
    store.touch_session(id, Ms(10 * HOUR - 1)).await.unwrap();
    assert_eq!(
        lives("t-one", 10 * HOUR).await,
        None,
        "its last hour is over however busy it was"
    );

    let id = sign_in(&world, "t-three", 20 * HOUR).await;
    let more = vec![Membership {
        project: None,
        role: Role::Lead,
    }];
    store
        .recheck_session(id, &more, Ms(20 * HOUR + 5))
        .await
        .unwrap();
    let session = lives("t-three", 20 * HOUR + 6).await.unwrap();
    assert_eq!(
        (session.memberships, session.checked),
        (more, Ms(20 * HOUR + 5))
    );
    let mut tx = tx(&world, Action::SignIn, 20 * HOUR + 7).await;
    assert_eq!(tx.end_session(id).await.unwrap(), login("lena"));
    assert!(matches!(
        tx.end_session(id).await,
        Err(StoreError::NotFound("session"))
    ));
    tx.commit(Change::SignedOut {
        login: login("lena"),
    })
    .await
    .unwrap();
    assert_eq!(lives("t-three", 20 * HOUR + 8).await, None);
}

async fn somebody_else_may_not_end_my_session(world: World) {
    let id = sign_in(&world, "t-one", 0).await;
    let vera = domain::policy::Actor {
        name: domain::policy::ActorName::Person {
            login: login("vera"),
        },
        memberships: viewer(),
    };
    let grant = allow(&vera, None, Action::SignIn).unwrap();
    let mut theirs = world.store.audited(&grant, note(1)).await.unwrap();
    assert!(matches!(
        theirs.end_session(id).await,
        Err(StoreError::OutsideGrant { .. })
    ));
    drop(theirs);
    assert!(
        world
            .store
            .session(&hash("t-one"), Ms(2))
            .await
            .unwrap()
            .is_some()
    );
    let mut admins = tx(&world, Action::ManageTokens, 3).await;
    admins.end_session(id).await.unwrap();
    admins
        .commit(Change::SignedOut {
            login: login("lena"),
        })
        .await
        .unwrap();
    assert_eq!(
        world.store.session(&hash("t-one"), Ms(4)).await.unwrap(),
        None
    );
}

async fn people_are_listed_with_the_roles_of_their_live_session(world: World) {
    sign_in(&world, "t-one", 10).await;
    let id = sign_in(&world, "t-two", 20).await;
    assert_eq!(
        world
            .store
            .sessions(Some(&login("lena")), Ms(30))
            .await
            .unwrap()
            .len(),
        2
    );
    world.store.touch_session(id, Ms(40)).await.unwrap();
    let people = world.store.people(Ms(50)).await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(
        (people[0].first, people[0].seen, &people[0].memberships),
        (Ms(10), Ms(40), &viewer())
    );
    let later = world.store.people(Ms(50 * HOUR)).await.unwrap();
    assert_eq!(
        later[0].memberships,
        vec![],
        "nobody knows what they may now"
    );
}

async fn create(
    world: &World,
    name: &str,
    project: Option<&ProjectName>,
    at: i64,
) -> Result<(), StoreError> {
    let mut tx = tx(world, Action::ManageTokens, at).await;
    let new = NewToken {
        name,
        hash: hash(name),
        project,
        role: Role::Developer,
        expires: Ms(HOUR),
    };
    tx.create_token(new).await?;
    let change = Change::TokenCreated {
        name: name.into(),
        role: Role::Developer,
        expires: Ms(HOUR),
    };
    tx.commit(change).await.map(|_| ())
}

async fn a_token_works_until_it_expires_or_is_revoked(world: World) {
    let store = &world.store;
    create(&world, "ci", Some(&shop()), 10).await.unwrap();
    create(&world, "report", None, 11).await.unwrap();
    let ci = store.token(&hash("ci"), Ms(20)).await.unwrap().unwrap();
    assert_eq!(
        (ci.name.as_str(), ci.project, ci.role),
        ("ci", Some(shop()), Role::Developer)
    );
    assert_eq!(
        (ci.by, ci.created, ci.expires),
        (lena().name, Ms(10), Ms(HOUR))
    );
    assert_eq!(store.token(&hash("ci"), Ms(HOUR)).await.unwrap(), None);
    assert_eq!(store.token(&hash("other"), Ms(20)).await.unwrap(), None);

    let mut tx = tx(&world, Action::ManageTokens, 30).await;
    tx.revoke_token("ci").await.unwrap();
    assert!(matches!(
        tx.revoke_token("ci").await,
        Err(StoreError::NotFound(_))
    ));
    tx.commit(Change::TokenRevoked { name: "ci".into() })
        .await
        .unwrap();
    assert_eq!(store.token(&hash("ci"), Ms(31)).await.unwrap(), None);
    let all = store.tokens().await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|token| (token.name.as_str(), token.revoked))
        .collect();
    assert_eq!(all, vec![("ci", Some(Ms(30))), ("report", None)]);
}

async fn a_token_of_a_project_is_not_managed_from_another(world: World) {
    create(&world, "ci", Some(&shop()), 10).await.unwrap();
    let other = ProjectName::parse("other").unwrap();
    let grant = allow(&lena(), Some(&other), Action::ManageTokens).unwrap();
    let mut tx = world.store.audited(&grant, note(20)).await.unwrap();
    assert!(matches!(
        tx.revoke_token("ci").await,
        Err(StoreError::OutsideGrant { .. })
    ));
    let shop = shop();
    let new = NewToken {
        name: "x",
        hash: hash("x"),
        project: Some(&shop),
        role: Role::Viewer,
        expires: Ms(1),
    };
    assert!(matches!(
        tx.create_token(new).await,
        Err(StoreError::OutsideGrant { .. })
    ));
    drop(tx);
    assert!(
        world
            .store
            .token(&hash("ci"), Ms(21))
            .await
            .unwrap()
            .is_some()
    );
}

async fn a_name_of_a_token_is_never_used_twice(world: World) {
    create(&world, "ci", None, 10).await.unwrap();
    let again = create(&world, "ci", None, 11).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(world.store.tokens().await.unwrap()[0].created, Ms(10));
}
