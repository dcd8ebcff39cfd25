//! One websocket that is made again, with the cursor of that moment, whenever it breaks.
use domain::live::Frame;
use leptos::prelude::*;

use super::Link;

/// Follows the address that `path` gives at each connect, until the owner of this call is gone or the portal says that
/// nothing will follow. On the server it does nothing.
#[cfg(not(feature = "hydrate"))]
pub fn follow(
    _path: impl Fn() -> String + 'static,
    _link: RwSignal<Link>,
    _take: impl Fn(Frame) + 'static,
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

    /// The portal closes with these where the reader may not listen (any more).
    const REFUSED: [u16; 2] = [4401, 4403];

    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    const LONGEST_PAUSE: Duration = Duration::from_secs(15);

    /// Follows the address that `path` gives at each connect, until the owner of this call is gone or the portal says
    /// that nothing will follow.
    pub fn follow(
        path: impl Fn() -> String + 'static,
        link: RwSignal<Link>,
        take: impl Fn(Frame) + 'static,
    ) {
        let (work, handle) = abortable(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let ended = match listen(&path(), link, &take, &mut pause).await {
                    Some(ended) => ended,
                    None => Link::Lost,
                };
                link.try_set(ended);
                if ended != Link::Lost {
                    return;
                }
                sleep(pause).await;
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

    /// One connection, until it ends; why it ended, where that is known.
    async fn listen(
        path: &str,
        link: RwSignal<Link>,
        take: &impl Fn(Frame),
        pause: &mut Duration,
    ) -> Option<Link> {
        let url = socket_url(path)?;
        let mut socket = WebSocket::open(&url).ok()?;
        while matches!(socket.state(), State::Connecting) {
            sleep(Duration::from_millis(25)).await;
        }
        if matches!(socket.state(), State::Open) {
            link.try_set(Link::Live);
        }
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Text(text)) => {
                    *pause = FIRST_PAUSE;
                    match serde_json::from_str(&text) {
                        Ok(Frame::End) => return Some(Link::Ended),
                        Ok(frame) => take(frame),
                        // A newer portal may say what this page does not know yet.
                        Err(error) => leptos::logging::warn!(
                            "a message of the portal was not understood: {error}"
                        ),
                    }
                }
                Ok(Message::Bytes(_)) => {}
                Err(WebSocketError::ConnectionClose(close)) if REFUSED.contains(&close.code) => {
                    return Some(Link::Refused);
                }
                Err(_) => return None,
            }
        }
        None
    }
}
