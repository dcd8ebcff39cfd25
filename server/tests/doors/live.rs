//! The websockets: by cursor, without gap and without double.
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use domain::live::Frame;
use domain::log::Stream;
use domain::policy::Role;
use domain::run::RunEvent;
use domain::{RunId, StepId};
use futures::{SinkExt, StreamExt};
use store::{Claim, NewLine, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{World, now, operator, origin};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

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
            .append_lines(&claim, StepId(1), &some, None)
            .await
            .unwrap();
    }
    let failure = domain::run::Failure {
        what: "x".into(),
        advice: String::new(),
        undone: None,
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
    let closed = async |socket: &mut Socket| loop {
        if let Err(code) = next(socket).await {
            return code;
        }
    };
    assert_eq!(closed(&mut viewer).await, 1001);
    assert_eq!(closed(&mut board).await, 1001);
    drop((viewer, board));
    tokio::time::timeout(Duration::from_secs(5), stopping)
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
