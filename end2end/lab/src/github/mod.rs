//! The GitHub stand-in: sign-in, REST, git over HTTP and push webhooks on real bare repositories.
//!
//! It speaks GitHub's own protocols, so the product runs its real code against it. Reads are answered by the `git` program from the
//! repositories themselves; nothing is canned. A path that it does not know answers 404 in GitHub's shape and is logged.
//! What it leaves out: rate limits are counted and shown but never enforced, patches of files are left out (as GitHub does for
//! large ones), and hooks made through REST live as long as the process.
//!
//! Only `/_lab/…` is not GitHub's:
//! - `GET /_lab/`: whose stand-in this is ([`serving::Holder`]).
//! - `GET /_lab/deliveries`: every webhook delivery with its payload and answer ([`Delivery`]).
//! - `POST /_lab/tokens?login=dev`: a personal access token with every scope, `{"token": "ghp_…"}`.
//! - `POST /_lab/fail?next=500|429|hang&path=/api/v3/user&times=1&retry_after=1`: the next requests below `path` go wrong;
//!   `GET` lists what is still ordered, `DELETE` takes it back.

mod directory;
mod git;
mod hub;
mod lab;
mod oauth;
mod page;
mod rest;
mod shape;
mod smart_http;
mod token;
mod webhooks;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{Router, http::StatusCode};
use secrecy::SecretString;
use url::Url;

use crate::{
    faults,
    serving::{self, Serving},
};

pub use directory::{Directory, Permission, Person, Team};
pub use webhooks::Delivery;

/// What the stand-in needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; port 0 takes any free port.
    pub listen: SocketAddr,
    /// What its own links begin with; without it, `http://` and the address.
    pub public_url: Option<Url>,
    /// Holds `<owner>/<repository>.git`, all lower case. Repositories may come and go while it runs.
    pub repositories_dir: PathBuf,
    /// The one registered OAuth app. Any loopback address may be its callback: the lab cannot know the portal's port.
    pub client_id: String,
    /// Secret of the OAuth app; also signs the tokens of people, which therefore stay good over a restart.
    pub client_secret: SecretString,
    /// A service token: reads everything, writes nothing.
    pub token: SecretString,
    /// Secret of the hook at `webhook_url`.
    pub webhook_secret: SecretString,
    /// A hook for pushes to every repository, as if somebody had made it in GitHub's settings.
    pub webhook_url: Option<Url>,
    /// People and teams; [`Directory::of_the_lab`] has the lab's.
    pub people: Directory,
}

/// The stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken.
    #[error(transparent)]
    Serve(#[from] serving::ServeError),
    /// No `git http-backend` on this machine.
    #[error(
        "`git --exec-path` gave no folder with git-http-backend ({0}); install git with `apt-get install git`"
    )]
    NoGit(String),
    /// The client that delivers webhooks could not be made.
    #[error("the client that delivers webhooks could not be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Starts the stand-in; it runs until the answer is dropped.
pub async fn serve(config: Config) -> Result<Serving, Error> {
    let backend = smart_http::backend().await.map_err(Error::NoGit)?;
    let client = webhooks::client()?;
    let bound = serving::bind("GitHub", config.listen).await?;
    let hub = Arc::new(hub::Hub::new(config, bound.address(), backend, client));
    let routes = Router::new()
        .merge(oauth::routes())
        .merge(smart_http::routes())
        .merge(lab::routes())
        .nest("/api/v3", rest::routes(hub.clone()))
        .fallback(rest::unknown)
        .with_state(hub);
    Ok(bound.run(faults::in_front_of(routes, wording)))
}

/// How GitHub words an ordered fault.
fn wording(status: StatusCode) -> (&'static str, String) {
    let message = if status == StatusCode::TOO_MANY_REQUESTS {
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    } else {
        "Server Error"
    };
    (
        "application/json; charset=utf-8",
        rest::error_body(status, message).to_string(),
    )
}
