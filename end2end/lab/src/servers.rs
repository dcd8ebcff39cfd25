//! The lab's containers: registries, database, droplets. What each is made of, and when it is ready.
use crate::{
    container::{Container, Seed},
    credentials::{Credentials, KeyPair},
    error::LabError,
    folder::{Folder, make_folder},
    images,
    layout::{self, Environment, Kind, Place, RegistryPlace},
    program::docker,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// A registry with basic authentication. Its images lie in `target/lab`, so that a release of yesterday can still be pulled.
pub fn registry(
    folder: &Folder,
    place: &RegistryPlace,
    username: &str,
    password: &str,
) -> Result<Container, LabError> {
    let store = folder.file("registries").join(place.name);
    make_folder(&store, 0o755)?;
    let user = format!(
        "{}:{}",
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw()
    );
    Ok(Container {
        name: layout::container(place.name),
        image: images::REGISTRY,
        address: place.address,
        options: vec![
            "--user".into(),
            user,
            "--volume".into(),
            format!("{}:/var/lib/registry", store.display()),
        ],
        command: vec!["serve".into(), "/seed/config.yml".into()],
        seeds: vec![
            Seed {
                name: "config.yml",
                mode: 0o600,
                content: REGISTRY_CONFIG.into(),
            },
            Seed {
                name: "htpasswd",
                mode: 0o600,
                content: htpasswd(folder, place.name, username, password)?,
            },
        ],
    })
}

const REGISTRY_CONFIG: &str = "\
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: /var/lib/registry }
  delete: { enabled: true }
http: { addr: ':5000' }
auth:
  htpasswd: { realm: fairlead-lab, path: /seed/htpasswd }
";

/// bcrypt salts differ from call to call; the line is kept while it fits, so that the registry is not made anew each time.
fn htpasswd(
    folder: &Folder,
    name: &str,
    username: &str,
    password: &str,
) -> Result<String, LabError> {
    let path = folder
        .file("seed")
        .join(layout::container(name))
        .join("htpasswd");
    if let Ok(line) = std::fs::read_to_string(&path)
        && let Some((user, hash)) = line.trim_end().split_once(':')
        && user == username
        && bcrypt::verify(password, hash).unwrap_or(false)
    {
        return Ok(line);
    }
    // The password has 160 random bits; a slow hash would add nothing.
    let hash = bcrypt::hash(password, 4).map_err(|e| LabError::Invalid {
        path,
        reason: e.to_string(),
    })?;
    Ok(format!("{username}:{hash}\n"))
}

/// The managed database: a user and a database for each environment, open to that environment's droplets only.
pub fn postgres(folder: &Folder, credentials: &Credentials) -> Container {
    let mut sql = String::new();
    let mut access = String::from("local all all trust\n");
    for environment in Environment::ALL {
        let database = environment.database();
        let password = credentials.databases.of(environment);
        sql += &format!(
            "CREATE ROLE {database} LOGIN PASSWORD '{password}';\nCREATE DATABASE {database} OWNER {database};\n"
        );
        access += &format!(
            "host {database} {database} {} scram-sha-256\n",
            environment.subnet()
        );
        access += &format!("host all postgres {} scram-sha-256\n", environment.subnet());
    }
    sql += &format!("ALTER ROLE postgres PASSWORD '{}';\n", credentials.postgres);
    let commands = [
        "postgres",
        "-c",
        "hba_file=/seed/pg_hba.conf",
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=*",
    ];
    let name = layout::container("postgres");
    let first_sql = folder.file("seed").join(&name).join("lab.sql");
    Container {
        name,
        image: images::POSTGRES,
        address: layout::POSTGRES,
        // Until the SQL has run, only the socket inside the container is open; the superuser gets its password there.
        options: vec![
            "--env".into(),
            "POSTGRES_HOST_AUTH_METHOD=trust".into(),
            "--volume".into(),
            format!(
                "{}:/docker-entrypoint-initdb.d/lab.sql:ro",
                first_sql.display()
            ),
        ],
        command: commands.map(str::to_owned).into(),
        seeds: vec![
            Seed {
                name: "lab.sql",
                mode: 0o644,
                content: sql,
            },
            Seed {
                name: "pg_hba.conf",
                mode: 0o644,
                content: access,
            },
        ],
    }
}

/// A droplet.
pub async fn droplet(
    folder: &Folder,
    credentials: &Credentials,
    place: Place,
) -> Result<Container, LabError> {
    let host_key = host_key(folder, place).await?;
    let mut seeds = vec![
        Seed {
            name: "ssh_host_ed25519_key",
            mode: 0o600,
            content: host_key.private,
        },
        Seed {
            name: "ssh_host_ed25519_key.pub",
            mode: 0o644,
            content: host_key.public,
        },
    ];
    match place.kind {
        Kind::Backend => {
            let password = credentials.droplets.of(place.environment).to_owned();
            seeds.push(Seed {
                name: "password",
                mode: 0o600,
                content: password,
            });
            seeds.push(Seed {
                name: "env",
                mode: 0o600,
                content: app_environment(credentials, place.environment),
            });
            seeds.push(Seed {
                name: "repository",
                mode: 0o644,
                content: layout::REPOSITORY.into(),
            });
        }
        Kind::Frontend => {
            let key = KeyPair::load_or_make(folder, &place.name()).await?;
            seeds.push(Seed {
                name: "authorized_keys",
                mode: 0o600,
                content: key.public,
            });
        }
    }
    // All capabilities but one instead of --privileged: that one may be missing on a machine that is a container itself,
    // and a nested engine does not need it.
    let options = "--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
                   --security-opt systempaths=unconfined --cgroupns private --volume /var/lib/docker --tmpfs /run";
    let mut options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
    options.extend(["--device-cgroup-rule".into(), "a *:* rwm".into()]);
    if place.kind == Kind::Backend {
        let repositories = folder.file("git");
        make_folder(&repositories, 0o755)?;
        let volume = format!("{}:/srv/git:ro", repositories.display());
        options.extend(["--volume".into(), volume]);
    }
    Ok(Container {
        name: place.container(),
        image: images::DROPLET,
        address: place.address(),
        options,
        command: Vec::new(),
        seeds,
    })
}

/// A droplet's SSH host key; the same for the life of `target/lab`, so that the pinned fingerprint stays true.
pub async fn host_key(folder: &Folder, place: Place) -> Result<KeyPair, LabError> {
    KeyPair::load_or_make(folder, &format!("host-{}", place.name())).await
}

/// The backend's `.env`, as the app's deployment guide asks for it.
fn app_environment(credentials: &Credentials, environment: Environment) -> String {
    let database = environment.database();
    let password = credentials.databases.of(environment);
    let secret_key = credentials.secret_keys.of(environment);
    let backend = Place {
        environment,
        kind: Kind::Backend,
    }
    .address();
    let frontend = Place {
        environment,
        kind: Kind::Frontend,
    }
    .address();
    format!(
        "DJANGO_SETTINGS_MODULE=projectmeats.settings.production\n\
         SECRET_KEY={secret_key}\n\
         DATABASE_URL=postgresql://{database}:{password}@{}:5432/{database}\n\
         ALLOWED_HOSTS={backend},{frontend},localhost,127.0.0.1\n\
         CORS_ALLOWED_ORIGINS=http://{frontend},http://{frontend}:8080\n\
         LOG_LEVEL=INFO\n",
        layout::POSTGRES
    )
}

/// How long a server may take to come up. On a slow machine six engines start side by side on two cores.
const PATIENCE: Duration = Duration::from_secs(180);

/// Returns when a droplet's engine, sshd and nginx answer.
pub async fn droplet_ready(place: Place) -> Result<(), LabError> {
    let limit = PATIENCE;
    let ready = docker(["exec", &place.container(), "droplet-ready"])
        .within(limit)
        .run()
        .await;
    ready
        .map(drop)
        .map_err(|_| silent(&place.container(), limit))
}

/// Returns when the database takes connections over the network, which is after its users and databases were made.
pub async fn postgres_ready() -> Result<(), LabError> {
    port_open(&layout::container("postgres"), layout::POSTGRES, 5432).await
}

/// Returns when a port of a container is open.
pub async fn port_open(container: &str, address: Ipv4Addr, port: u16) -> Result<(), LabError> {
    let limit = PATIENCE;
    if listening(SocketAddr::from((address, port)), limit).await {
        Ok(())
    } else {
        Err(silent(container, limit))
    }
}

/// Waits until something listens.
pub async fn listening(address: SocketAddr, limit: Duration) -> bool {
    let started = Instant::now();
    loop {
        if let Ok(Ok(_)) =
            tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await
        {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn silent(container: &str, limit: Duration) -> LabError {
    LabError::Silent {
        what: container.into(),
        seconds: limit.as_secs(),
        log: format!("`docker logs {container}`"),
    }
}
