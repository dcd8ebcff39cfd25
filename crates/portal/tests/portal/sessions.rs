//! Signing in through the GitHub stand-in, and what becomes of a session.
use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::Ms;
use domain::audit::Change;
use domain::policy::{Action, Membership, Role, allow};
use portal::{Caller, Error};
use secrecy::{ExposeSecret as _, SecretString};
use store::{NewSession, Note, TokenHash};
use url::Url;

use crate::support::{TestPortal, login, now, origin, project, somebody};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What the browser does: goes to GitHub, presses a person's button, comes back.
async fn sign_in(world: &TestPortal, who: &str) -> Result<SecretString, Error> {
    let (page, pending) = world.portal.sign_in_url().await?;
    let mut form: HashMap<String, String> = page.query_pairs().into_owned().collect();
    form.insert("login".into(), who.into());
    let pressed = adapters::http::client()
        .unwrap()
        .post(
            world
                .config
                .github
                .url
                .join("/login/oauth/authorize")
                .unwrap(),
        )
        .form(&form)
        .send()
        .await
        .unwrap();
    let back = Url::parse(pressed.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.path(), "/auth/callback");
    let back: HashMap<String, String> = back.query_pairs().into_owned().collect();
    let code = SecretString::from(back["code"].as_str());
    let session = world
        .portal
        .sign_in(&code, &back["state"], pending, origin());
    session.await
}

async fn caller(world: &TestPortal, token: &SecretString) -> Option<Caller> {
    world.portal.caller_of_session(token).await.unwrap()
}

/// A session of somebody who signed in `ago` milliseconds before now, with the roles that they had then.
async fn session_of(world: &TestPortal, who: &str, ago: i64, expires_in: i64) -> SecretString {
    let token = SecretString::from(format!("session of {who}"));
    let at = Ms(now().0 - ago);
    let actor = somebody(who, &[(Some("shop"), Role::Lead)]);
    let grant = allow(&actor, None, Action::SignIn).unwrap();
    let note = Note {
        origin: origin(),
        reason: None,
        at,
    };
    let mut tx = world.store.audited(&grant, note).await.unwrap();
    tx.upsert_person(&login(who), who).await.unwrap();
    tx.create_session(NewSession {
        hash: TokenHash::of(&token),
        login: &login(who),
        memberships: &actor.memberships,
        idle_ms: 12 * HOUR,
        expires: Ms(now().0 + expires_in),
    })
    .await
    .unwrap();
    tx.commit(Change::SignedIn { login: login(who) })
        .await
        .unwrap();
    token
}

fn in_shop(role: Role) -> Vec<Membership> {
    let project = Some(project("shop"));
    vec![Membership { project, role }]
}

#[tokio::test]
async fn people_sign_in_with_the_role_of_their_team() {
    let world = TestPortal::with_github().await;
    for (who, name, role) in [
        ("lena", "Lena Brandt", Role::Lead),
        ("dev", "Devon Castillo", Role::Developer),
        ("vera", "Vera Lindqvist", Role::Viewer),
    ] {
        let session = sign_in(&world, who).await.unwrap();
        let caller = caller(&world, &session).await.unwrap();
        assert_eq!(caller.actor.memberships, in_shop(role), "{who}");
        let me = caller.me.unwrap();
        assert_eq!((me.login, me.name.as_str()), (login(who), name));
        assert_eq!(me.projects, [(project("shop"), role)]);
        let trail = world.trail().await;
        let signed_in = Change::SignedIn { login: login(who) };
        let event = trail.iter().find(|event| event.what == signed_in);
        let event = event.expect("signing in is audited");
        assert_eq!(
            (&event.actor, &event.origin),
            (&caller.actor.name, &origin())
        );
    }
    let settings = world
        .portal
        .settings(&crate::support::lead(), &project("shop"))
        .await;
    let settings = settings.unwrap();
    let members: Vec<_> = settings
        .members
        .iter()
        .map(|m| (m.login.as_str(), m.role))
        .collect();
    assert_eq!(
        members,
        [
            ("dev", Role::Developer),
            ("lena", Role::Lead),
            ("vera", Role::Viewer)
        ]
    );
}

#[tokio::test]
async fn somebody_without_a_role_may_not_sign_in_and_leaves_nothing() {
    let world = TestPortal::with_github().await;
    let before = world.everything().await;
    let refused = sign_in(&world, "omar").await;
    assert!(
        matches!(&refused, Err(Error::Denied(denied)) if denied.to_string().contains("omar has no role here")),
        "{refused:?}"
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn an_answer_for_another_sign_in_or_with_a_wrong_code_is_refused() {
    let world = TestPortal::with_github().await;
    let before = world.everything().await;
    let code = SecretString::from("hunter2-code");
    let (_, pending) = world.portal.sign_in_url().await.unwrap();
    let forged = world
        .portal
        .sign_in(&code, "forged", pending, origin())
        .await;
    let (_, pending) = world.portal.sign_in_url().await.unwrap();
    let state = pending.state.expose_secret().to_owned();
    let wrong = world.portal.sign_in(&code, &state, pending, origin()).await;
    for refused in [forged, wrong] {
        let Err(error @ Error::Outside(_)) = refused else {
            panic!("{refused:?}")
        };
        let all = format!("{error} {error:?}");
        assert!(!all.contains("hunter2") && !all.contains(&state), "{all}");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_session_that_was_ended_opens_nothing_and_the_others_live() {
    let world = TestPortal::with_github().await;
    let one = sign_in(&world, "lena").await.unwrap();
    let other = sign_in(&world, "lena").await.unwrap();
    let signed_in = caller(&world, &one).await.unwrap();
    world.portal.sign_out(&signed_in, origin()).await.unwrap();
    assert!(caller(&world, &one).await.is_none());
    assert!(caller(&world, &other).await.is_some());
    let trail = world.trail().await;
    let signed_out = Change::SignedOut {
        login: login("lena"),
    };
    assert!(trail.iter().any(|event| event.what == signed_out));
    let before = world.everything().await;
    let again = world.portal.sign_out(&signed_in, origin()).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_only_who_runs_the_portal_ends_others() {
    let world = TestPortal::with_github().await;
    let here = sign_in(&world, "lena").await.unwrap();
    let there = sign_in(&world, "lena").await.unwrap();
    let other = sign_in(&world, "vera").await.unwrap();
    let (lena, vera) = (
        caller(&world, &here).await.unwrap(),
        caller(&world, &other).await.unwrap(),
    );
    let listed = world.portal.sessions(&lena).await.unwrap();
    assert!(!listed.of_all);
    let own: Vec<_> = listed
        .rows
        .iter()
        .map(|row| (row.login.as_str(), row.own))
        .collect();
    assert_eq!(own, [("lena", false), ("lena", true)]);

    // A lead of a project may not end what is not theirs, nor learn that it is there.
    let before = world.everything().await;
    let foreign = vera.session.unwrap().0;
    let refused = world.portal.end_session(&lena, origin(), foreign).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    assert_eq!(world.everything().await, before);

    let ended = world
        .portal
        .end_session(&lena, origin(), listed.rows[0].id)
        .await;
    ended.unwrap();
    assert!(caller(&world, &there).await.is_none());
    assert!(caller(&world, &here).await.is_some());
    let trail = world.trail().await;
    let event = trail.iter().rfind(|event| {
        event.what
            == Change::SignedOut {
                login: login("lena"),
            }
    });
    assert_eq!(event.unwrap().actor, lena.actor.name);

    let admin = Caller {
        actor: somebody("ada", &[(None, Role::Admin)]),
        ..caller(&world, &here).await.unwrap()
    };
    let all = world.portal.sessions(&admin).await.unwrap();
    assert_eq!((all.of_all, all.rows.len()), (true, 2));
    world
        .portal
        .end_session(&admin, origin(), foreign)
        .await
        .unwrap();
    assert!(caller(&world, &other).await.is_none());
    world.trail().await;
}

#[tokio::test]
async fn a_session_ends_when_it_was_not_used_and_on_its_last_day() {
    let world = TestPortal::with_github().await;
    let used = session_of(&world, "lena", 11 * HOUR, DAY).await;
    let idle = session_of(&world, "ada", 13 * HOUR, DAY).await;
    let expired = session_of(&world, "dev", HOUR, -1).await;
    assert!(caller(&world, &idle).await.is_none());
    assert!(caller(&world, &expired).await.is_none());
    assert!(caller(&world, &used).await.is_some());
    // Its use puts off its end.
    let later = Ms(now().0 + 11 * HOUR);
    let lives = world.store.session(&TokenHash::of(&used), later).await;
    assert!(lives.unwrap().is_some());
}

#[tokio::test]
async fn roles_that_are_old_are_asked_for_again() {
    let world = TestPortal::with_github().await;
    // All three were leads when they signed in; GitHub says otherwise by now.
    let still = session_of(&world, "ada", 6 * MINUTE, DAY).await;
    let less = session_of(&world, "vera", 6 * MINUTE, DAY).await;
    let gone = session_of(&world, "omar", 6 * MINUTE, DAY).await;
    let fresh = session_of(&world, "dev", 4 * MINUTE, DAY).await;
    let roles = async |session| caller(&world, session).await.map(|c| c.actor.memberships);
    assert_eq!(roles(&still).await, Some(in_shop(Role::Lead)));
    assert_eq!(roles(&less).await, Some(in_shop(Role::Viewer)));
    assert_eq!(roles(&gone).await, None);
    assert_eq!(roles(&fresh).await, Some(in_shop(Role::Lead)));
    // And it stays so.
    assert_eq!(roles(&gone).await, None);
}

#[tokio::test]
async fn while_github_is_down_the_last_known_roles_hold_for_an_hour() {
    let mut world = TestPortal::with_github().await;
    let young = session_of(&world, "lena", 10 * MINUTE, DAY).await;
    let old = session_of(&world, "ada", 2 * HOUR, DAY).await;
    world.github = None;
    assert!(caller(&world, &young).await.is_some());
    let error = world.portal.caller_of_session(&old).await;
    assert!(matches!(error, Err(Error::Outside(_))), "{error:?}");
    // To leave, nobody needs GitHub.
    let leaves = world.portal.last_known_caller(&old).await.unwrap().unwrap();
    world.portal.sign_out(&leaves, origin()).await.unwrap();
    assert!(caller(&world, &old).await.is_none());
}

#[tokio::test]
async fn past_the_hour_a_github_that_hangs_is_waited_for_once_and_not_each_time() {
    let mut world = TestPortal::with_github().await;
    let session = session_of(&world, "lena", 2 * HOUR, DAY).await;
    let address = world.github.take().unwrap().address();
    let refused = world.portal.caller_of_session(&session).await;
    assert!(matches!(refused, Err(Error::Outside(_))), "{refused:?}");
    let silent = listen(address).await;
    let at = Instant::now();
    let refused = world.portal.caller_of_session(&session).await;
    assert!(matches!(refused, Err(Error::Outside(_))), "{refused:?}");
    assert!(at.elapsed() < Duration::from_secs(5), "{:?}", at.elapsed());
    drop(silent);
}

/// Takes connections at a GitHub's address, and says nothing for as long as the client waits.
async fn listen(address: std::net::SocketAddr) -> tokio::net::TcpListener {
    loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_page_that_is_only_left_open_does_not_keep_its_session_alive() {
    let world = TestPortal::with_github().await;
    let left = session_of(&world, "lena", 11 * HOUR, DAY).await;
    let asked = world.portal.caller_of_idle_session(&left).await.unwrap();
    assert!(asked.is_some());
    let later = Ms(now().0 + 2 * HOUR);
    let lives = world.store.session(&TokenHash::of(&left), later).await;
    assert!(lives.unwrap().is_none());
}

#[tokio::test]
async fn a_github_that_hangs_makes_a_page_wait_once_and_not_each_time() {
    let mut world = TestPortal::with_github().await;
    let session = session_of(&world, "lena", 10 * MINUTE, DAY).await;
    let address = world.github.take().unwrap().address();
    let silent = listen(address).await;
    let first = {
        let (portal, session) = (world.portal.clone(), session.clone());
        tokio::spawn(async move { portal.caller_of_session(&session).await })
    };
    let _asked = silent.accept().await.unwrap();
    let at = Instant::now();
    assert!(caller(&world, &session).await.is_some());
    assert!(at.elapsed() < Duration::from_secs(5), "{:?}", at.elapsed());
    first.abort();
}

#[tokio::test]
async fn what_is_no_session_opens_nothing() {
    let world = TestPortal::new().await;
    for token in ["", "fl_1", "session"] {
        assert!(caller(&world, &SecretString::from(token)).await.is_none());
    }
}
