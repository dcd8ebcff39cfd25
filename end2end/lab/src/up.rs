//! `lab up`, `lab images` and `lab status`.
use crate::{
    DOCKER_SOCKET,
    container::{self, Container, Done, Existing},
    credentials::{Credentials, KeyPair},
    description::{Droplet, GitHub, Lab, Postgres, Registry, Repository, Slack},
    engine,
    error::LabError,
    folder::{Folder, make_folder, write_json},
    images,
    layout::{self, Environment, GITHUB, Kind, Place, REGISTRIES, REPOSITORY, SLACK, SUBNET},
    portal_files,
    progress::Progress,
    repository, servers, standins,
};
use futures::future::{join, try_join, try_join_all};
use tokio::signal::unix::{SignalKind, signal};

/// Makes the images only. An engine that was started for that is stopped again, also when this is told to end early.
pub async fn images(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    let _lock = folder.lock(progress)?;
    let ended =
        |kind| signal(kind).map_err(LabError::io("watch for", "the signals that end programs"));
    let (mut interrupt, mut terminate) = (
        ended(SignalKind::interrupt())?,
        ended(SignalKind::terminate())?,
    );
    let ran = engine::answers().await?;
    let made = async {
        engine::ensure(folder, progress).await?;
        images::ensure(folder, progress).await
    };
    let result = tokio::select! {
        result = made => result,
        _ = interrupt.recv() => Err(LabError::Interrupted),
        _ = terminate.recv() => Err(LabError::Interrupted),
    };
    if !ran && engine::stop(folder).await? {
        progress.say("stopped dockerd");
    }
    result
}

/// Starts what does not run: everything, or with `only` the droplets of one environment and what all share. What runs is left
/// alone, unless it is not what its description, its image or its program says now; that is made anew.
pub async fn up(
    folder: &Folder,
    only: Option<Environment>,
    progress: Progress,
) -> Result<Lab, LabError> {
    let _lock = folder.lock(progress)?;
    make_folder(&folder.lab, 0o755)?;
    // Before anything of another checkout's lab is replaced.
    standins::may_start(folder).await?;
    make_folder(&folder.file("seed"), 0o700)?;
    engine::ensure(folder, progress).await?;
    let credentials = Credentials::load_or_make(folder)?;
    let lab = describe(folder, &credentials).await?;
    write_json(&folder.file("lab.json"), &lab)?;
    portal_files::write(folder, &lab).await?;
    // Before the containers: a backend clones it when it is made.
    make_repository(folder, progress).await?;
    // Not `try_join`: what one side started is finished and reported, whatever the other side says.
    let (containers, stand_ins) = join(
        containers(folder, &credentials, only, progress),
        stand_ins(folder, progress),
    )
    .await;
    containers.and(stand_ins)?;
    progress.say(format!(
        "the lab is up; described in {}",
        folder.file("lab.json").display()
    ));
    Ok(lab)
}

async fn make_repository(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    match repository::ensure(folder).await? {
        repository::Done::Kept => {}
        repository::Done::Made => progress.say(format!("made the repository {REPOSITORY}")),
        repository::Done::MadeAgain => progress.say(format!(
            "made the repository {REPOSITORY} again: the sample has changed"
        )),
    }
    Ok(())
}

async fn stand_ins(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    if standins::ensure(folder).await? {
        progress.say(format!(
            "started the GitHub stand-in on {GITHUB} and the Slack sink on {SLACK}"
        ));
    }
    Ok(())
}

async fn containers(
    folder: &Folder,
    credentials: &Credentials,
    only: Option<Environment>,
    progress: Progress,
) -> Result<(), LabError> {
    images::ensure(folder, progress).await?;
    container::ensure_network().await?;
    let existing = container::existing().await?;
    let registries = REGISTRIES
        .iter()
        .zip(&credentials.registries)
        .map(|(place, password)| {
            let existing = &existing;
            async move {
                let spec = servers::registry(folder, place, place.username(password), password)?;
                start(
                    folder,
                    &spec,
                    existing,
                    progress,
                    servers::port_open(&spec.name, place.address, 5000),
                )
                .await
            }
        });
    let postgres = servers::postgres(folder, credentials);
    let postgres = start(
        folder,
        &postgres,
        &existing,
        progress,
        servers::postgres_ready(),
    );
    let droplets = Place::all()
        .filter(|place| only.is_none_or(|only| only == place.environment))
        .map(|place| {
            let existing = &existing;
            async move {
                let spec = servers::droplet(folder, credentials, place).await?;
                start(
                    folder,
                    &spec,
                    existing,
                    progress,
                    servers::droplet_ready(place),
                )
                .await
            }
        });
    let shared = try_join(try_join_all(registries), postgres);
    let ((registries, postgres), droplets) = try_join(shared, try_join_all(droplets)).await?;
    let kept = registries
        .iter()
        .chain([&postgres])
        .chain(&droplets)
        .filter(|done| **done == Done::Kept)
        .count();
    if kept > 0 {
        progress.say(format!("{kept} containers were running already"));
    }
    Ok(())
}

async fn start(
    folder: &Folder,
    spec: &Container,
    existing: &Existing,
    progress: Progress,
    ready: impl Future<Output = Result<(), LabError>>,
) -> Result<Done, LabError> {
    let done = spec.ensure(folder, existing).await?;
    ready.await?;
    match done {
        Done::Kept => {}
        Done::Started => progress.say(format!("{} ({}) runs again", spec.name, spec.address)),
        Done::Made => progress.say(format!("{} ({}) is ready", spec.name, spec.address)),
    }
    Ok(done)
}

pub(crate) async fn describe(folder: &Folder, credentials: &Credentials) -> Result<Lab, LabError> {
    let droplets = Place::all().map(|place| async move {
        let (user, password, key_file) = match place.kind {
            Kind::Backend => (
                "django",
                Some(credentials.droplets.of(place.environment).to_owned()),
                None,
            ),
            Kind::Frontend => (
                "root",
                None,
                Some(KeyPair::load_or_make(folder, &place.name()).await?.file),
            ),
        };
        let host_key = servers::host_key(folder, place).await?.fingerprint()?;
        let container = place.container();
        Ok::<_, LabError>((
            place.name(),
            Droplet {
                address: place.address(),
                port: 22,
                user: user.into(),
                password,
                key_file,
                host_key,
                container,
            },
        ))
    });
    let registries = REGISTRIES
        .iter()
        .zip(&credentials.registries)
        .map(|(place, password)| Registry {
            name: place.name.into(),
            address: format!("{}:5000", place.address),
            username: place.username(password).into(),
            password: password.clone(),
        });
    Ok(Lab {
        network: SUBNET.into(),
        github: GitHub {
            url: format!("http://{GITHUB}"),
            api_url: format!("http://{GITHUB}/api/v3"),
            client_id: credentials.client_id.clone(),
            client_secret: credentials.client_secret.clone(),
            token: credentials.github_token.clone(),
            webhook_secret: credentials.webhook_secret.clone(),
        },
        slack: Slack {
            webhook_url: format!("http://{SLACK}/services/T0/B0/lab"),
            messages_url: format!("http://{SLACK}/messages"),
        },
        registries: registries.collect(),
        postgres: Postgres {
            address: layout::POSTGRES,
            port: 5432,
            user: "postgres".into(),
            password: credentials.postgres.clone(),
            databases: Environment::ALL
                .map(|e| (e.name().to_owned(), e.database()))
                .into(),
        },
        droplets: try_join_all(droplets).await?.into_iter().collect(),
        repository: Repository {
            full_name: REPOSITORY.into(),
            branches: Environment::ALL
                .map(|e| (e.name().to_owned(), e.branch().to_owned()))
                .into(),
        },
        docker_socket: DOCKER_SOCKET.into(),
    })
}

/// A table of what runs.
pub async fn status(folder: &Folder) -> Result<String, LabError> {
    let mut rows = Vec::new();
    let engine = engine::describe(folder).await?;
    let existing = match &engine {
        Some(_) => container::existing().await?,
        None => Existing::new(),
    };
    if engine.is_some() {
        let (there, all) = images::count().await;
        rows.push((
            "images".to_owned(),
            format!("{there} of {all}"),
            String::new(),
        ));
    }
    let standins = if standins::running(folder) {
        "running"
    } else {
        "stopped"
    };
    rows.insert(
        0,
        (
            "engine".to_owned(),
            engine.unwrap_or_else(|| "stopped".into()),
            DOCKER_SOCKET.to_owned(),
        ),
    );
    rows.push((
        "github".to_owned(),
        standins.to_owned(),
        format!("http://{GITHUB}"),
    ));
    rows.push((
        "slack".to_owned(),
        standins.to_owned(),
        format!("http://{SLACK}/messages"),
    ));
    let mut container_row = |name: String, address: String| {
        let found = existing.get(&layout::container(&name));
        let state = found.map_or("-", |found| found.state.as_str());
        rows.push((name, state.to_owned(), address));
    };
    for place in &REGISTRIES {
        container_row(place.name.to_owned(), format!("{}:5000", place.address));
    }
    container_row("postgres".to_owned(), format!("{}:5432", layout::POSTGRES));
    for place in Place::all() {
        container_row(place.name(), place.address().to_string());
    }
    Ok(rows
        .iter()
        .map(|(name, state, address)| format!("{name:<15} {state:<32} {address}\n"))
        .collect())
}
