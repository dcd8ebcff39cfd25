//! `fairlead serve`: puts the parts together, serves, and stops in peace.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::serve::ListenerExt;
use leptos::config::LeptosOptions;
use portal::Portal;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::config::Config;
use crate::http::{Periods, Server};
use crate::telemetry;

/// How long stopping may take: enough to let go of runs and say goodbye, and less than any supervisor's patience.
const STOP: Duration = Duration::from_secs(5);

/// Serves until the process is told to stop.
pub(super) async fn serve(config: &Path) -> Result<(), Failure> {
    let config = Config::load(config)?;
    telemetry::start(&config.log).map_err(|error| {
        Failure::Usage(format!(
            "`log.filter` is not a filter: {error}; `info` is a good one"
        ))
    })?;
    let site = site(&config)?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        let listen = config.listen;
        Failure::Failed(format!(
            "{listen} cannot be listened on: {error}; stop what holds it, or change `listen`"
        ))
    })?;
    let portal = Portal::open(config.portal().await?).await?;
    let server = Server::new(&config, portal, site, Periods::default());
    let router = server.router();
    server.start_engine();
    // From here on a signal stops it in peace; whoever reads that it is ready may send one at once.
    let told_to_stop = told_to_stop()?;
    let listen = listener.local_addr()?;
    tracing::info!(%listen, public_url = %config.public_url(), "Fairlead is ready");

    let stopped = server.clone();
    // A live line is a small packet, and would wait for the answer to the one before it.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection sends its small packets late");
        }
    });
    let serving = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move { stopped.stopped().await });
    let mut serving = tokio::spawn(serving.into_future());
    tokio::select! {
        signal = told_to_stop => tracing::info!("{signal}: stopping; runs at work go on at the next start"),
        ended = &mut serving => return Err(Failure::Failed(format!("the server ended by itself: {ended:?}"))),
    }
    let in_peace = async {
        server.stop().await;
        // Connections that are idle are closed at once; requests at work get their answers.
        let _ = serving.await;
    };
    match tokio::time::timeout(STOP, in_peace).await {
        Ok(()) => tracing::info!("stopped"),
        // What is cut off here is as after a crash, which everything is made for.
        Err(_) => tracing::warn!("stopped without waiting for the last requests"),
    }
    Ok(())
}

/// Listens for SIGTERM and SIGINT from now on, and gives what waits for one of them.
fn told_to_stop() -> Result<impl Future<Output = &'static str>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Where the site's files are: as cargo-leptos says it in the environment, unless the configuration says otherwise.
fn site(config: &Config) -> Result<LeptosOptions, Failure> {
    let from_environment = leptos::config::get_configuration(None)
        .map_err(|error| Failure::Usage(format!("the LEPTOS_ variables make no sense: {error}")))?;
    let mut site = from_environment.leptos_options;
    if let Some(dir) = &config.site_dir {
        site.site_root = dir.to_string_lossy().into();
    }
    // cargo-leptos leaves the hashes of the files beside the program.
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join(&*site.hash_file)));
    site.hash_files = site.hash_files
        || (std::env::var_os("LEPTOS_HASH_FILES").is_none()
            && beside.is_some_and(|hashes| hashes.exists()));
    if !Path::new(&*site.site_root)
        .join(&*site.site_pkg_dir)
        .is_dir()
    {
        tracing::warn!(site = %site.site_root, "the site's files are not there; pages will not come alive. Build them with `cargo leptos build`, or set `site_dir`");
    }
    Ok(site)
}
