//! One websocket that is made again, with the cursor of that moment, whenever it breaks.
use std::ops::ControlFlow;

use domain::ProjectName;
use leptos::prelude::*;

use super::Link;

/// Follows the address that `path` gives at each connect, until the owner of this call is gone or `take`, which reads
/// the messages, breaks off because nothing will follow. On the server it does nothing.
#[cfg(not(feature = "hydrate"))]
pub fn follow(
    _project: ProjectName,
    _path: impl Fn() -> String + 'static,
    _link: RwSignal<Link>,
    _take: impl Fn(&str) -> serde_json::Result<ControlFlow<()>> + 'static,
) {
}

#[cfg(feature = "hydrate")]
pub use browser::follow;

#[cfg(feature = "hydrate")]
mod browser {
    use std::time::Duration;

    use futures::StreamExt;
    use futures::future::abortable;
    use gloo_net::websocket::futures::WebSocket;
    use gloo_net::websocket::{Message, State, WebSocketError};
    use gloo_timers::future::sleep;
    use leptos::task::spawn_local;

    use super::*;
    use crate::api;
    use crate::error::UiError;

    /// The portal closes with these where the reader may not listen any more.
    const SIGNED_OUT: u16 = 4401;
    const NOT_ALLOWED: u16 = 4403;

    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    const LONGEST_PAUSE: Duration = Duration::from_secs(15);

    /// Follows the address that `path` gives at each connect, until the owner of this call is gone or `take`, which
    /// reads the messages, breaks off because nothing will follow. What is told of belongs to `project`.
    pub fn follow(
        project: ProjectName,
        path: impl Fn() -> String + 'static,
        link: RwSignal<Link>,
        take: impl Fn(&str) -> serde_json::Result<ControlFlow<()>> + 'static,
    ) {
        let (work, handle) = abortable(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let ended = listen(&path(), link, &take, &mut pause).await;
                let ended = match ended {
                    Left::For(ended) => ended,
                    Left::Broken => Link::Lost,
                    Left::NotLetIn => why_not(&project).await,
                };
                link.try_set(ended);
                if ended != Link::Lost {
                    return;
                }
                sleep(spread(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
        spawn_local(async move {
            let _ = work.await;
        });
        on_cleanup(move || handle.abort());
    }

    /// The address of a websocket of this portal.
    fn socket_url(path: &str) -> Option<String> {
        let location = window().location();
        let scheme = if location.protocol().ok()? == "https:" {
            "wss"
        } else {
            "ws"
        };
        Some(format!("{scheme}://{}{path}", location.host().ok()?))
    }

    /// After a restart of the portal its viewers must not come back all in the same moment.
    fn spread(pause: Duration) -> Duration {
        pause.mul_f64(0.5 + web_sys::js_sys::Math::random())
    }

    /// How a connection ended.
    enum Left {
        /// For a reason that the portal gave.
        For(Link),
        /// It broke.
        Broken,
        /// It was never made. A browser does not tell a page what the portal answered.
        NotLetIn,
    }

    /// Asks whether the reader may still listen.
    async fn why_not(project: &ProjectName) -> Link {
        match api::session::me().await {
            Err(UiError::SignedOut) => Link::SignedOut,
            Ok(me) if !me.projects.iter().any(|(theirs, _)| theirs == project) => Link::NotAllowed,
            _ => Link::Lost,
        }
    }

    /// One connection, until it ends.
    async fn listen(
        path: &str,
        link: RwSignal<Link>,
        take: &impl Fn(&str) -> serde_json::Result<ControlFlow<()>>,
        pause: &mut Duration,
    ) -> Left {
        let socket = socket_url(path).and_then(|url| WebSocket::open(&url).ok());
        let Some(mut socket) = socket else {
            return Left::NotLetIn;
        };
        while matches!(socket.state(), State::Connecting) {
            sleep(Duration::from_millis(25)).await;
        }
        // Where a run has ended, the portal says so and closes at once: what it said waits here all the same.
        let mut let_in = matches!(socket.state(), State::Open);
        if let_in {
            link.try_set(Link::Live);
        }
        let left = |let_in| match let_in {
            true => Left::Broken,
            false => Left::NotLetIn,
        };
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Text(text)) => {
                    let_in = true;
                    *pause = FIRST_PAUSE;
                    match take(&text) {
                        Ok(ControlFlow::Break(())) => return Left::For(Link::Ended),
                        Ok(ControlFlow::Continue(())) => {}
                        // A newer portal may say what this page does not know yet.
                        Err(error) => leptos::logging::warn!(
                            "a message of the portal was not understood: {error}"
                        ),
                    }
                }
                Ok(Message::Bytes(_)) => {}
                Err(WebSocketError::ConnectionClose(close)) => {
                    return match close.code {
                        SIGNED_OUT => Left::For(Link::SignedOut),
                        NOT_ALLOWED => Left::For(Link::NotAllowed),
                        _ => left(let_in),
                    };
                }
                Err(_) => return left(let_in),
            }
        }
        left(let_in)
    }
}
