//! What a portal needs to serve the lab: its configuration, the sample project's manifest and templates, and the secrets.
use crate::{
    credentials::KeyPair,
    description::{GitHub, Lab},
    error::LabError,
    folder::{Folder, write_file},
    layout::{Environment, Kind, Place, REGISTRIES},
};
use std::{collections::BTreeMap, fmt::Write};

/// Writes `fairlead.toml`, `projects/` and `secrets.env`.
pub async fn write(folder: &Folder, lab: &Lab) -> Result<(), LabError> {
    write_file(
        &folder.file("fairlead.toml"),
        0o644,
        configuration(lab, port()?).as_bytes(),
    )?;
    write_file(
        &folder.file("projects/projectmeats.toml"),
        0o644,
        manifest(lab).as_bytes(),
    )?;
    write_file(
        &folder.file("projects/projectmeats/templates/env-config.js"),
        0o644,
        ENV_CONFIG.as_bytes(),
    )?;
    write_file(
        &folder.file("projects/projectmeats/templates/pm-frontend.conf"),
        0o644,
        PM_FRONTEND.as_bytes(),
    )?;
    write_file(
        &folder.file("secrets.env"),
        0o600,
        secrets(folder, lab).await?.as_bytes(),
    )
}

/// The example's own templates, so that the lab proves them.
const ENV_CONFIG: &str = include_str!("../../../docs/example/templates/env-config.js");
const PM_FRONTEND: &str = include_str!("../../../docs/example/templates/pm-frontend.conf");

/// Where portals keep what they know about this lab: the demo's, and the browser tests'.
pub(crate) const HISTORY: [&str; 2] = ["portal", "portal-test"];

/// `FAIRLEAD_PORT`, where 3000 is somebody else's. GitHub's stand-in sends people back to any port of this machine.
pub(crate) fn port() -> Result<u16, LabError> {
    let Ok(text) = std::env::var("FAIRLEAD_PORT") else {
        return Ok(3000);
    };
    text.parse().map_err(|_| {
        LabError::Needs(format!(
            "FAIRLEAD_PORT is `{text}`, which is no port; set it to a number such as 3000"
        ))
    })
}

fn configuration(lab: &Lab, port: u16) -> String {
    format!(
        r#"# The lab's portal. Written by `scripts/lab`; changes are lost on its next start.
listen = "127.0.0.1:{port}"
public_url = "http://localhost:{port}"
data_dir = "portal"
projects_dir = "projects"
builder = "unix://{socket}"

[github]
url = "{url}"
api_url = "{api_url}"
client_id = "{client_id}"
client_secret = "secret:GITHUB_CLIENT_SECRET"
token = "secret:GITHUB_TOKEN"
webhook_secret = "secret:GITHUB_WEBHOOK_SECRET"

[secrets]
env_prefix = "FAIRLEAD_SECRET_"
files = ["secrets.env"]

[[members]]
project = "projectmeats"
role = "lead"
team = "meats-central/leads"

[[members]]
project = "projectmeats"
role = "developer"
team = "meats-central/developers"

[[members]]
project = "projectmeats"
role = "viewer"
team = "meats-central/viewers"
"#,
        socket = lab.docker_socket,
        url = lab.github.url,
        api_url = lab.github.api_url,
        client_id = lab.github.client_id,
    )
}

fn manifest(lab: &Lab) -> String {
    let registries: String = REGISTRIES
        .iter()
        .zip(&lab.registries)
        .map(|(place, registry)| {
            format!(
                "[[registries]]\nname = \"{}\"\nprefix = \"{}/{}\"\nusername = \"secret:{}\"\npassword = \"secret:{}\"\n\n",
                place.name, registry.address, place.namespace, place.user_secret, place.token_secret,
            )
        })
        .collect();
    let mut text = format!(
        r#"# The sample project in the lab. Written by `scripts/lab`; changes are lost on its next start.
name = "projectmeats"
title = "ProjectMeats"
repository = "{repository}"

{registries}[lint]
workflows = ".github/workflows/"

[components.backend]
image = "projectmeats-backend"
build = {{ context = ".", dockerfile = "backend/dockerfile" }}
container = {{ name = "pm-backend", ports = ["8000:8000"], restart = "unless-stopped", env_file = "/home/django/ProjectMeats/backend/.env", volumes = ["/home/django/ProjectMeats/media:/app/media", "/home/django/ProjectMeats/staticfiles:/app/staticfiles"] }}
health = {{ url = "http://localhost:8000/api/v1/health/", attempts = 20, every = "5s" }}

[components.backend.test]
in = "built image"
run = ["python manage.py test apps/ --verbosity=2"]
env = {{ DATABASE_URL = "postgresql://postgres:postgres@db:5432/postgres" }}
services.db = {{ image = "postgres:15", env = {{ POSTGRES_PASSWORD = "postgres" }}, ready = "pg_isready -U postgres" }}

[components.backend.migrate]
on = "host"
dir = "/home/django/ProjectMeats/backend"
before = "git fetch --quiet origin && git checkout --quiet --detach $FAIRLEAD_COMMIT && source ../venv/bin/activate"
run = "python manage.py migrate --fake-initial --noinput"
plan = "python manage.py migrate --plan"
# `manage.py shell` would do as well, but starts all of Django for it. Before the first migration there is no table.
head = '''
python -c "
import os, psycopg
from projectmeats.environment import load_environment
load_environment()
with psycopg.connect(os.environ['DATABASE_URL']) as database:
    newest = database.execute('select app, name from django_migrations order by id desc limit 1')
    print(*newest.fetchone(), sep='.')
" 2>/dev/null'''

[components.frontend]
after = ["backend"]
image = "projectmeats-frontend"
build = {{ context = ".", dockerfile = "frontend/dockerfile" }}
container = {{ name = "pm-frontend", ports = ["8080:80"], restart = "unless-stopped", hosts = {{ backend = "secret:BACKEND_IP" }}, volumes = ["/opt/pm/frontend/env/env-config.js:/usr/share/nginx/html/env-config.js:ro"] }}
files = [{{ path = "/opt/pm/frontend/env/env-config.js", template = "env-config.js" }}]
proxy = {{ kind = "nginx", path = "/etc/nginx/conf.d/pm-frontend.conf", template = "pm-frontend.conf", health = "http://localhost:80/" }}
health = {{ url = "http://localhost:8080/", attempts = 20, every = "5s" }}

[components.frontend.test]
in = "node:18-alpine"
dir = "frontend"
run = ["npm ci", "npm run test:ci", "npm run type-check"]

[notify]
slack = "secret:SLACK_WEBHOOK_URL"

[on_push]
ignore = ["**.md", "docs/**", "archived/**"]
"#,
        repository = lab.repository.full_name,
    );
    for environment in Environment::ALL {
        text.push_str(&manifest_environment(lab, environment));
    }
    text
}

fn manifest_environment(lab: &Lab, environment: Environment) -> String {
    let [backend, frontend] =
        [Kind::Backend, Kind::Frontend].map(|kind| Place { environment, kind });
    let host_key = |place: Place| {
        lab.droplets
            .get(&place.name())
            .map_or("", |droplet| droplet.host_key.as_str())
    };
    let rules = match environment {
        Environment::Dev => "",
        Environment::Uat => "follows = \"dev\"\npromote = \"pull-request\"\n",
        Environment::Prod => {
            "follows = \"uat\"\npromote = \"pull-request\"\napprovals = { count = 1, role = \"lead\", not_requester = true }\n"
        }
    };
    format!(
        r#"
[environments.{name}]
branch = "{branch}"
{rules}secrets = "{prefix}_"
vars = {{ api_base_url = "http://{api}:8000", environment = "{title}", backend_ip = "secret:BACKEND_IP" }}
hosts.backend = {{ address = "secret:HOST", user = "secret:USER", password = "secret:SSH_PASSWORD", host_key = "{backend_key}" }}
hosts.frontend = {{ address = "secret:FRONTEND_HOST", user = "secret:FRONTEND_USER", key = "secret:FRONTEND_SSH_KEY", host_key = "{frontend_key}" }}
"#,
        name = environment.name(),
        branch = environment.branch(),
        prefix = environment.name().to_uppercase(),
        api = backend.address(),
        title = environment.title(),
        backend_key = host_key(backend),
        frontend_key = host_key(frontend),
    )
}

async fn secrets(folder: &Folder, lab: &Lab) -> Result<String, LabError> {
    let GitHub {
        client_secret,
        token,
        webhook_secret,
        ..
    } = &lab.github;
    let mut lines = BTreeMap::from([
        ("GITHUB_CLIENT_SECRET".to_owned(), client_secret.clone()),
        ("GITHUB_TOKEN".to_owned(), token.clone()),
        ("GITHUB_WEBHOOK_SECRET".to_owned(), webhook_secret.clone()),
        (
            "SLACK_WEBHOOK_URL".to_owned(),
            lab.slack.webhook_url.clone(),
        ),
    ]);
    for (place, registry) in REGISTRIES.iter().zip(&lab.registries) {
        lines.insert(place.user_secret.to_owned(), registry.username.clone());
        lines.insert(place.token_secret.to_owned(), registry.password.clone());
    }
    for place in Place::all() {
        let Some(droplet) = lab.droplets.get(&place.name()) else {
            continue;
        };
        let prefix = place.environment.name().to_uppercase();
        let address = droplet.address.to_string();
        match place.kind {
            Kind::Backend => {
                lines.insert(format!("{prefix}_HOST"), address.clone());
                lines.insert(format!("{prefix}_USER"), droplet.user.clone());
                lines.insert(
                    format!("{prefix}_SSH_PASSWORD"),
                    droplet.password.clone().unwrap_or_default(),
                );
                lines.insert(format!("{prefix}_BACKEND_IP"), address);
            }
            Kind::Frontend => {
                let key = KeyPair::load_or_make(folder, &place.name()).await?;
                lines.insert(format!("{prefix}_FRONTEND_HOST"), address);
                lines.insert(format!("{prefix}_FRONTEND_USER"), droplet.user.clone());
                lines.insert(format!("{prefix}_FRONTEND_SSH_KEY"), key.private);
            }
        }
    }
    let mut text = String::from("# The lab's secrets, made on its first start.\n");
    for (name, value) in lines {
        // Nothing here has quotes or backslashes; keys have line breaks.
        let _ = writeln!(text, "{name}=\"{}\"", value.replace('\n', "\\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{credentials::Credentials, up::describe};

    #[tokio::test]
    async fn the_manifest_is_one_that_the_product_reads() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_owned();
        let folder = Folder {
            lab: path.clone(),
            source: path.clone(),
            cache: path,
        };
        let credentials = Credentials::load_or_make(&folder).unwrap();
        let lab = describe(&folder, &credentials).await.unwrap();
        let manifest = domain::manifest::Manifest::parse(&manifest(&lab))
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(
            manifest
                .environments
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["dev", "uat", "prod"]
        );
        assert!(
            manifest
                .environments
                .values()
                .all(|environment| environment.hosts.len() == 2)
        );
    }
}
