//! The websockets: a run's events and log lines, and a board's changes, as [`Frame`]s in JSON.
//!
//! A viewer listens to the bell first and reads the store after, by its own cursor, so nothing falls between. The
//! store is the only source: a viewer that is slow waits for nobody and holds nobody back, and one that comes again
//! with its last cursor gets what it has missed, once.
mod feed;
mod wire;

use std::time::Duration;

use axum::extract::ws::{Utf8Bytes, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::audit::Origin;
use domain::live::{Cursor, Frame};
use domain::policy::Actor;
use domain::{ProjectName, RunId};
use portal::{Caller, Error, Portal};
use serde::Deserialize;
use tokio::sync::watch;

pub(crate) use feed::Feeds;
use wire::{Ending, Wire};

use crate::http::{Credential, Server, log_internal};

/// A bell may be lost where another portal does the work: the store is looked at this often in any case.
const LOOK: Duration = Duration::from_secs(1);
/// A board is loaded anew as a whole, so its changes are told in handfuls.
const BOARD_PACE: Duration = Duration::from_millis(300);
/// Without a bell it is loaded anew this often: times, other portals' runs and pushed commits ring none here.
const BOARD_LOOK: Duration = Duration::from_secs(30);

/// How often a websocket is looked after.
#[derive(Debug, Clone, Copy)]
pub struct Periods {
    /// A sign of life, so that proxies keep the connection and a browser that has vanished is noticed.
    pub ping: Duration,
    /// The look whether its reader may still listen.
    pub recheck: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(20),
            recheck: Duration::from_secs(60),
        }
    }
}

/// What is watched.
#[derive(Debug, Clone)]
enum Subject {
    Run(RunId),
    Board(ProjectName),
}

impl Subject {
    /// Its bell, if the actor may see it.
    async fn bell(&self, portal: &Portal, actor: &Actor) -> Result<watch::Receiver<u64>, Error> {
        match self {
            Subject::Run(run) => portal.bell_of_run(actor, *run).await,
            Subject::Board(project) => portal.bell_of_board(actor, project).await,
        }
    }
}

/// A viewer who was let in.
pub(crate) struct Guest {
    caller: Caller,
    credential: Credential,
    origin: Origin,
}

impl<S: Send + Sync> FromRequestParts<S> for Guest {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let known = &parts.extensions;
        let guest = || {
            Some(Self {
                caller: known.get::<Option<Caller>>()?.clone()?,
                credential: known.get::<Credential>()?.clone(),
                origin: known.get::<Origin>()?.clone(),
            })
        };
        guest().ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// `GET /live/runs/{id}?event=&step=&line=`
pub(crate) async fn run(
    State(server): State<Server>,
    Path(id): Path<RunId>,
    Query(cursor): Query<Cursor>,
    guest: Guest,
    upgrade: WebSocketUpgrade,
) -> Response {
    let of = server.clone();
    open(
        server,
        Subject::Run(id),
        guest,
        upgrade,
        move |mut wire, bell| async move {
            let ending = watch_run(&mut wire, &of, id, cursor, bell).await;
            (wire, ending)
        },
    )
    .await
}

/// The query of `/live/board`.
#[derive(Deserialize)]
pub(crate) struct OfProject {
    project: ProjectName,
}

/// `GET /live/board?project=`
pub(crate) async fn board(
    State(server): State<Server>,
    Query(OfProject { project }): Query<OfProject>,
    guest: Guest,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (of, watched) = (server.clone(), project.clone());
    open(
        server,
        Subject::Board(project),
        guest,
        upgrade,
        move |mut wire, bell| async move {
            let ending = watch_board(&mut wire, &of, &watched, bell).await;
            (wire, ending)
        },
    )
    .await
}

/// Asks for the right to watch, then upgrades and watches until there is a reason to end.
async fn open<F, W>(
    server: Server,
    subject: Subject,
    guest: Guest,
    upgrade: WebSocketUpgrade,
    watch: F,
) -> Response
where
    F: FnOnce(Wire, watch::Receiver<u64>) -> W + Send + 'static,
    W: Future<Output = (Wire, Ending)> + Send,
{
    let Guest {
        caller,
        credential,
        origin,
    } = guest;
    let bell = match subject.bell(&server.portal, &caller.actor).await {
        Ok(bell) => bell,
        Err(error) => return refused(error, &origin),
    };
    let viewers = server.viewers.clone();
    // A viewer has nothing to tell but that it is still there.
    upgrade
        .max_message_size(4 * 1024)
        .on_upgrade(move |socket| {
            viewers.track_future(async move {
                let counted = server.metrics.viewer();
                let (wire, ending) =
                    watch(Wire::new(socket, server.clone(), credential, subject), bell).await;
                wire.close(ending).await;
                drop(counted);
            })
        })
}

fn refused(error: Error, origin: &Origin) -> Response {
    let (status, words) = match error {
        Error::SignedOut => (StatusCode::UNAUTHORIZED, "sign in first".to_owned()),
        Error::Denied(denied) => (StatusCode::FORBIDDEN, denied.to_string()),
        Error::NotFound(what) => (StatusCode::NOT_FOUND, what),
        Error::Internal(cause) => {
            let id = origin.request.as_deref().unwrap_or_default();
            log_internal(id, cause.as_ref());
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("something went wrong inside Fairlead (request {id})"),
            )
        }
        error => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    (status, format!("{words}\n")).into_response()
}

async fn watch_run(
    wire: &mut Wire,
    server: &Server,
    id: RunId,
    from: Cursor,
    mut bell: watch::Receiver<u64>,
) -> Ending {
    let feed = server.feeds.of(id);
    let mut cursor = from;
    // The first page may be asked for at once, and so may the one after a page that was full.
    let mut catching_up = true;
    loop {
        let rings = *bell.borrow_and_update();
        let page = match feed.page(&server.portal, cursor, rings, catching_up).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, run = %id, "a viewer's page cannot be read");
                return Ending::TryAgain;
            }
        };
        for frame in &page.frames {
            if let Err(ending) = wire.send(frame.clone()).await {
                return ending;
            }
        }
        cursor = page.next;
        if page.ended {
            return match text(&Frame::End) {
                Some(end) => wire.send(end).await.err().unwrap_or(Ending::Done),
                None => Ending::Done,
            };
        }
        catching_up = page.more;
        let news = async {
            if !catching_up {
                ring(&mut bell, LOOK).await;
            }
        };
        if let Err(ending) = wire.until(news).await {
            return ending;
        }
    }
}

async fn watch_board(
    wire: &mut Wire,
    server: &Server,
    project: &ProjectName,
    mut bell: watch::Receiver<u64>,
) -> Ending {
    let Some(frame) = text(&Frame::Board) else {
        return Ending::TryAgain;
    };
    loop {
        // The first one at once: what changed since the page was rendered has rung no bell here.
        bell.borrow_and_update();
        if let Err(ending) = wire.send(frame.clone()).await {
            return ending;
        }
        let news = async {
            tokio::time::sleep(BOARD_PACE).await;
            ring(&mut bell, BOARD_LOOK).await;
            // Nobody tells of a push: while somebody looks, the repository is asked now and then.
            server.portal.refresh_board(project).await;
        };
        if let Err(ending) = wire.until(news).await {
            return ending;
        }
    }
}

/// Waits for the bell, at most for `longest`.
async fn ring(bell: &mut watch::Receiver<u64>, longest: Duration) {
    if let Ok(Err(_)) = tokio::time::timeout(longest, bell.changed()).await {
        // Nobody can ring any more; the clock remains.
        tokio::time::sleep(longest).await;
    }
}

/// A frame as text; it is made of numbers and texts, so this does not fail.
fn text(frame: &Frame) -> Option<Utf8Bytes> {
    serde_json::to_string(frame).ok().map(Utf8Bytes::from)
}
