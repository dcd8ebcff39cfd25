//! The shape of the configuration file, and how it becomes a [`Config`].
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use portal::GithubConfig;
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::given::{Given, Reader};
use super::members::{Member, rule};
use super::{
    Config, Database, Environment, Fault, Log, LogFormat, builder, secret, sources, sqlite_in,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
    public_url: Option<Spanned<String>>,
    data_dir: Option<Spanned<String>>,
    projects_dir: Option<Spanned<String>>,
    database_url: Option<Spanned<String>>,
    builder: Option<Spanned<builder::Entry>>,
    site_dir: Option<Spanned<String>>,
    metrics_token: Option<Spanned<String>>,
    github: Option<Github>,
    #[serde(default)]
    secrets: Secrets,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    members: Vec<Spanned<Member>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Github {
    url: Option<Spanned<String>>,
    api_url: Option<Spanned<String>>,
    client_id: Option<Spanned<String>>,
    client_secret: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
    webhook_secret: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    #[serde(default = "env_prefix")]
    env_prefix: String,
    #[serde(default)]
    files: Vec<PathBuf>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            env_prefix: env_prefix(),
            files: Vec::new(),
        }
    }
}

fn env_prefix() -> String {
    "FAIRLEAD_SECRET_".to_owned()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LogTable {
    format: Option<Spanned<String>>,
    filter: Option<Spanned<String>>,
}

pub(super) fn parse(
    text: &str,
    path: &Path,
    environment: Environment<'_>,
) -> Result<Config, Vec<Fault>> {
    let reader = Reader::new(path, text, environment);
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reader.fault(
                at,
                "",
                format!(
                    "{}; docs/config.md describes every key",
                    error.message().trim()
                ),
            );
            return Err(reader.into_faults());
        }
    };
    let config = read(&reader, file, path.parent().unwrap_or(Path::new("/")));
    let faults = reader.into_faults();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

/// Reads every part before it looks whether one is missing, so that all faults are found.
fn read(reader: &Reader<'_>, file: File, folder: &Path) -> Option<Config> {
    let File {
        listen,
        public_url,
        data_dir,
        projects_dir,
        database_url,
        builder,
        site_dir,
        ..
    } = file;
    let File {
        metrics_token,
        github,
        secrets,
        log,
        members,
        ..
    } = file;
    let given = |key: &str, value| reader.overridable(key, value);
    let folder_of = |given: Given| folder.join(given.text);

    let listen = match given("listen", listen) {
        Some(listen) => reader.parse(listen, address),
        None => Some(SocketAddr::from(([127, 0, 0, 1], 3000))),
    };
    let public_url = given("public_url", public_url);
    let public_url = reader.required(
        "public_url",
        public_url,
        "public_url = \"https://deploy.example.com\"",
    );
    let public_url = public_url.and_then(|text| reader.parse(text, site));
    let data_dir = reader.required(
        "data_dir",
        given("data_dir", data_dir),
        "data_dir = \"/var/lib/fairlead\"",
    );
    let data_dir = data_dir.map(folder_of);
    let projects_dir = given("projects_dir", projects_dir);
    let projects_dir = reader
        .required("projects_dir", projects_dir, "projects_dir = \"projects\"")
        .map(folder_of);
    let database = match (given("database_url", database_url), &data_dir) {
        (Some(url), _) => reader.parse(url, Database::of),
        (None, data_dir) => data_dir.as_deref().map(|dir| Database::Url(sqlite_in(dir))),
    };
    let builder = builder::read(reader, builder);
    let metrics_token =
        metrics_token.map(|token| reader.parse(reader.in_file("metrics_token", token), secret));
    let mut github = github.unwrap_or_default();
    let webhook_secret = github.webhook_secret.take().map(|name| {
        let given = reader.in_file("github.webhook_secret", name);
        reader.parse(given, secret)
    });
    let github = self::github(reader, github);
    let format = match given("log.format", log.format) {
        Some(format) => reader.parse(format, log_format),
        None => Some(LogFormat::Text),
    };
    let filter =
        given("log.filter", log.filter).map_or_else(|| "info".to_owned(), |given| given.text);
    let members = members.into_iter().enumerate();
    let members = members
        .filter_map(|(index, member)| rule(reader, index, member))
        .collect();
    let site_dir = given("site_dir", site_dir).map(folder_of);
    let files = secrets
        .files
        .into_iter()
        .map(|file| folder.join(file))
        .collect();
    let data_dir = data_dir?;
    Some(Config {
        listen: listen?,
        site_dir,
        metrics_token: match metrics_token {
            Some(token) => Some(token?),
            None => None,
        },
        webhook_secret: match webhook_secret {
            Some(secret) => Some(secret?),
            None => None,
        },
        log: Log {
            format: format?,
            filter,
        },
        database: database?,
        portal: portal::Config {
            public_url: public_url?,
            database: sqlite_in(&data_dir),
            data_dir,
            projects_dir: projects_dir?,
            builder: builder?,
            github: github?,
            secrets: sources(secrets.env_prefix, files),
            members,
        },
    })
}

fn github(reader: &Reader<'_>, github: Github) -> Option<GithubConfig> {
    let Github {
        url,
        api_url,
        client_id,
        client_secret,
        token,
        webhook_secret: _,
    } = github;
    let base = |key: &str, value, default: &str| match reader.overridable(key, value) {
        Some(given) => reader.parse(given, web_address),
        None => Url::parse(default).ok(),
    };
    let reference = |key: &str, value: Option<Spanned<String>>, example: &str| {
        let given = value.map(|value| reader.in_file(key, value));
        let given = reader.required(key, given, example)?;
        reader
            .parse(given, secret)
            .map(|name| name.as_str().to_owned())
    };
    let url = base("github.url", url, "https://github.com");
    let api_url = base("github.api_url", api_url, "https://api.github.com");
    let client_id = reader.overridable("github.client_id", client_id);
    let client_id = reader.required(
        "github.client_id",
        client_id,
        "client_id = \"Iv1.0123456789abcdef\"",
    );
    let example = "client_secret = \"secret:GITHUB_CLIENT_SECRET\"";
    let client_secret = reference("github.client_secret", client_secret, example);
    let token = reference("github.token", token, "token = \"secret:GITHUB_TOKEN\"");
    Some(GithubConfig {
        url: url?,
        api_url: api_url?,
        client_id: client_id?.text,
        client_secret: client_secret?,
        token: token?,
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is not an address to listen on; write it as \"127.0.0.1:3000\"")
    })
}

fn web_address(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(format!(
            "`{text}` is not a web address; write it with http:// or https:// in front"
        )),
    }
}

/// The portal's cookies and links need the root of a site.
fn site(text: &str) -> Result<Url, String> {
    let url = web_address(text)?;
    match url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
    {
        true => Ok(url),
        false => Err(format!(
            "`{text}` is more than a site; leave out everything after the host and port"
        )),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!(
            "`{text}` is not a format of the log; use \"text\" or \"json\""
        )),
    }
}
