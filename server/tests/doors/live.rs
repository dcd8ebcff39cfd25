//! The websockets: by cursor, without gap and without double.
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use domain::live::Frame;
use domain::log::Stream;
use domain::policy::{Membership, Role};
use domain::run::RunEvent;
use domain::{ProjectName, RunId, StepId};
use futures::{SinkExt, StreamExt};
use server::http::Periods;
use store::{Claim, NewLine, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{World, now, operator, origin, text};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The line of the metrics that counts viewers.
const VIEWERS: &str = "fairlead_live_viewers ";
/// Long enough for a slow machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn served(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = world
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn connect(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// The next frame, or the code with which the portal closed.
async fn next(socket: &mut Socket) -> Result<Frame, u16> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next())
            .await
            .expect("nothing came")
        {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(Some(close)))) => return Err(close.code.into()),
            Some(Ok(_)) => {}
            other => panic!("the connection broke: {other:?}"),
        }
    }
}

/// Plays the engine: the run starts, its second step writes, all of it ends.
async fn write(store: Store, claim: Claim, lines: usize) {
    store
        .append(&claim, 0, &RunEvent::Started, now())
        .await
        .unwrap();
    let started = |step| RunEvent::StepStarted { step, attempt: 1 };
    let done = |step| RunEvent::StepSucceeded {
        step,
        outcome: domain::step::Outcome::Done,
    };
    store
        .append(&claim, 1, &started(StepId(0)), now())
        .await
        .unwrap();
    store
        .append(&claim, 2, &done(StepId(0)), now())
        .await
        .unwrap();
    store
        .append(&claim, 3, &started(StepId(1)), now())
        .await
        .unwrap();
    for first in (1..=lines).step_by(97) {
        let some: Vec<NewLine> = (first..(first + 97).min(lines + 1))
            .map(|n| NewLine {
                at: now(),
                stream: Stream::Out,
                text: format!("line {n}"),
            })
            .collect();
        store
            .append_lines(&claim, StepId(1), &some, None, None)
            .await
            .unwrap();
    }
    let failure = domain::run::Failure {
        what: "x".into(),
        advice: String::new(),
        undone: None,
        counts_always: false,
    };
    store
        .append(
            &claim,
            4,
            &RunEvent::StepFailed {
                step: StepId(1),
                failure,
            },
            now(),
        )
        .await
        .unwrap();
    let skipped = |step| RunEvent::StepSkipped {
        step,
        because: "the build failed".into(),
    };
    store
        .append(&claim, 5, &skipped(StepId(2)), now())
        .await
        .unwrap();
    store
        .append(&claim, 6, &skipped(StepId(3)), now())
        .await
        .unwrap();
    store
        .append(&claim, 7, &RunEvent::Finished, now())
        .await
        .unwrap();
}

/// Watches to the end, breaking off and coming again after every `patience` frames; every event and line in order.
async fn watch(
    address: SocketAddr,
    run: RunId,
    bearer: String,
    patience: usize,
) -> (Vec<i64>, Vec<i64>) {
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    loop {
        let (event, line) = (events.last().unwrap_or(&0), lines.last().unwrap_or(&0));
        let path = format!("/live/runs/{run}?event={event}&step=1&line={line}");
        let mut socket = connect(address, &path, &[("authorization", &bearer)])
            .await
            .unwrap();
        for _ in 0..patience {
            match next(&mut socket).await.unwrap() {
                Frame::Events { events: some } => events.extend(some.iter().map(|event| event.seq)),
                Frame::Lines { step, lines: some } => {
                    assert_eq!(step, StepId(1));
                    assert!(some.len() <= 500);
                    assert!(
                        some.iter()
                            .all(|line| line.text == format!("line {}", line.n))
                    );
                    lines.extend(some.iter().map(|line| line.n));
                }
                Frame::End => {
                    assert_eq!(next(&mut socket).await, Err(1000));
                    return (events, lines);
                }
                Frame::Board => panic!("this is no board"),
            }
        }
        drop(socket);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_that_come_and_go_miss_nothing_and_see_nothing_twice() {
    const LINES: usize = 20_000;
    let world = World::new().await;
    let address = served(&world).await;
    let run = world.queued_run().await;
    let bearer = world.bearer(Role::Viewer).await;
    let store = world.store().await;
    let claim = store
        .claim("test", now(), 60_000, &HashSet::new())
        .await
        .unwrap()
        .unwrap();
    // Some break off at every frame, some after a few, some stay.
    let viewers: Vec<JoinHandle<_>> = [1, 2, 3, 7, 1_000_000, 1_000_000]
        .into_iter()
        .map(|patience| tokio::spawn(watch(address, run, bearer.clone(), patience)))
        .collect();
    let writer = tokio::spawn(write(store, claim, LINES));
    for viewer in viewers {
        let (events, lines) = viewer.await.unwrap();
        assert_eq!(events, (1..=8).collect::<Vec<i64>>());
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().zip(1..).all(|(n, expected)| *n == expected));
    }
    writer.await.unwrap();
    // Whoever comes when all is over gets all of it, and an end.
    let (events, lines) = watch(address, run, bearer, 1_000_000).await;
    assert_eq!((events.len(), lines.len()), (8, LINES));
}

#[tokio::test]
async fn who_may_not_watch_is_refused_before_the_upgrade() {
    let world = World::new().await;
    let address = served(&world).await;
    let run = world.queued_run().await;
    let bearer = world.bearer(Role::Viewer).await;
    let path = format!("/live/runs/{run}");
    let ours = format!("http://{address}");
    assert_eq!(
        connect(address, &path, &[("origin", &ours)]).await.err(),
        Some(401)
    );
    assert_eq!(
        connect(address, &path, &[("authorization", "Bearer fl_0")])
            .await
            .err(),
        Some(401)
    );
    assert_eq!(
        connect(address, "/live/runs/99999", &[("authorization", &bearer)])
            .await
            .err(),
        Some(404)
    );
    assert_eq!(
        connect(
            address,
            "/live/board?project=none",
            &[("authorization", &bearer)]
        )
        .await
        .err(),
        Some(404)
    );
    let cookie = world.sign_in("vera").await;
    assert_eq!(
        connect(
            address,
            &path,
            &[("cookie", &cookie), ("origin", "https://evil.example")]
        )
        .await
        .err(),
        Some(403)
    );
    assert_eq!(
        connect(address, &path, &[("cookie", &cookie)]).await.err(),
        Some(403)
    );
    assert!(
        connect(address, &path, &[("cookie", &cookie), ("origin", &ours)])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_board_tells_of_changes_and_the_server_says_goodbye() {
    let world = World::new().await;
    let address = served(&world).await;
    let bearer = world.bearer(Role::Viewer).await;
    let mut board = connect(
        address,
        "/live/board?project=shop",
        &[("authorization", &bearer)],
    )
    .await
    .unwrap();
    assert_eq!(next(&mut board).await, Ok(Frame::Board));
    let run = world.queued_run().await;
    assert_eq!(next(&mut board).await, Ok(Frame::Board));
    let mut viewer = connect(
        address,
        &format!("/live/runs/{run}"),
        &[("authorization", &bearer)],
    )
    .await
    .unwrap();
    viewer
        .send(Message::Ping(Default::default()))
        .await
        .unwrap();
    let stopping = world.server.clone();
    let stopping = tokio::spawn(async move { stopping.stop().await });
    assert_eq!(closed(&mut viewer).await, 1001);
    assert_eq!(closed(&mut board).await, 1001);
    drop((viewer, board));
    tokio::time::timeout(PATIENCE, stopping)
        .await
        .expect("stopping takes too long")
        .unwrap();
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_waits_ends_its_viewers() {
    let world = World::new().await;
    let address = served(&world).await;
    let run = world.queued_run().await;
    let bearer = world.bearer(Role::Viewer).await;
    let mut viewer = connect(
        address,
        &format!("/live/runs/{run}"),
        &[("authorization", &bearer)],
    )
    .await
    .unwrap();
    world
        .portal
        .cancel(&operator(), origin(), run)
        .await
        .unwrap();
    assert!(matches!(next(&mut viewer).await, Ok(Frame::Events { events }) if events.len() == 1));
    assert_eq!(next(&mut viewer).await, Ok(Frame::End));
}

/// Watches the board of the shop with a session's cookie.
async fn at_the_board(address: SocketAddr, cookie: &str) -> Socket {
    let ours = format!("http://{address}");
    let headers = [("cookie", cookie), ("origin", ours.as_str())];
    let mut board = connect(address, "/live/board?project=shop", &headers)
        .await
        .unwrap();
    assert_eq!(next(&mut board).await, Ok(Frame::Board));
    board
}

/// The code with which the portal closes, whatever it sends before.
async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Err(code) = next(socket).await {
            return code;
        }
    }
}

#[tokio::test]
async fn who_has_signed_out_or_lost_the_role_watches_no_longer() {
    let world = World::looking_after(Periods {
        recheck: Duration::from_millis(50),
        ..Periods::default()
    })
    .await;
    let address = served(&world).await;
    let cookie = world.sign_in("vera").await;
    let mut lost = at_the_board(address, &cookie).await;
    // As GitHub may answer when it is asked again: somewhere else Vera still has a role.
    let store = world.store().await;
    let session = store.sessions(None, now()).await.unwrap().remove(0);
    let elsewhere = [Membership {
        project: Some(ProjectName::parse("elsewhere").unwrap()),
        role: Role::Lead,
    }];
    let noted = store.recheck_session(session.id, &elsewhere, now());
    noted.await.unwrap();
    assert_eq!(closed(&mut lost).await, 4403);

    let cookie = world.sign_in("dev").await;
    let mut left = at_the_board(address, &cookie).await;
    let signed_out = world
        .post("/auth/sign-out", &[("cookie", &cookie)], "")
        .await;
    assert!(signed_out.status().is_redirection());
    assert_eq!(closed(&mut left).await, 4401);
}

#[tokio::test]
async fn a_viewer_that_gives_no_sign_of_life_is_let_go_and_one_that_does_stays() {
    let ping = Duration::from_secs(1);
    let world = World::looking_after(Periods {
        ping,
        ..Periods::default()
    })
    .await;
    let address = served(&world).await;
    let bearer = world.bearer(Role::Viewer).await;
    let watching = async || {
        let headers = [("authorization", bearer.as_str())];
        let path = "/live/board?project=shop";
        let mut board = connect(address, path, &headers).await.unwrap();
        assert_eq!(next(&mut board).await, Ok(Frame::Board));
        board
    };
    let (mut silent, mut alive) = (watching().await, watching().await);
    // A socket answers while somebody reads it.
    let alive = tokio::spawn(async move { closed(&mut alive).await });
    // Until nobody but the other one is counted.
    let counted = async || {
        let headers = [("authorization", "Bearer counting")];
        let metrics = text(world.get("/metrics", &headers).await).await;
        let line = metrics.lines().find(|line| line.starts_with(VIEWERS));
        line.unwrap()[VIEWERS.len()..].trim().to_owned()
    };
    assert_eq!(counted().await, "2");
    let begun = std::time::Instant::now();
    while counted().await != "1" {
        assert!(begun.elapsed() < PATIENCE, "it is not let go");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Nothing was said to it: it does not listen.
    loop {
        match silent.next().await {
            Some(Ok(Message::Close(said))) => panic!("{said:?}"),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    tokio::time::sleep(ping * 4).await;
    assert_eq!(counted().await, "1");
    world.server.stop().await;
    assert_eq!(alive.await.unwrap(), 1001);
}
