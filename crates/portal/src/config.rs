//! What the portal must be told to run; `server` reads it from its configuration file.
use std::path::PathBuf;

use adapters::secrets::Source;
use domain::manifest::{Host, SecretName};
use domain::policy::Role;
use domain::{Login, ProjectName};
use secrecy::SecretString;
use url::Url;

/// Everything that is set from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where browsers reach the portal, for links in notifications and the sign-in's return.
    pub public_url: Url,
    /// The database: `sqlite:///path/fairlead.db` or `postgres://…`; it may hold a password.
    pub database: SecretString,
    /// A folder of the portal's own: repositories' mirrors and, with SQLite, the database.
    pub data_dir: PathBuf,
    /// One `<name>.toml` per project, its templates in `<name>/templates/`.
    pub projects_dir: PathBuf,
    /// Where images are built and tests run.
    pub builder: Builder,
    /// The forge.
    pub github: GithubConfig,
    /// Where secret values come from, first to last.
    pub secrets: Vec<Source>,
    /// Who has which role.
    pub members: Vec<MemberRule>,
}

/// The Docker engine that builds images and runs tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builder {
    /// Behind a socket of this machine, as `unix:///var/run/docker.sock`.
    Socket(String),
    /// On a server. Its secrets have the very names that stand here: it belongs to no environment.
    Host(Host),
}

impl Builder {
    /// The secrets that signing in to it takes.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let host = match self {
            Builder::Socket(_) => None,
            Builder::Host(host) => Some(host),
        };
        host.into_iter().flat_map(Host::secrets)
    }
}

/// GitHub, or an Enterprise server.
#[derive(Debug, Clone)]
pub struct GithubConfig {
    /// Web pages and git: `https://github.com`.
    pub url: Url,
    /// The REST interface: `https://api.github.com`.
    pub api_url: Url,
    /// The OAuth app.
    pub client_id: String,
    /// The name of the secret that holds the OAuth app's own secret.
    pub client_secret: String,
    /// The name of the secret that holds a token to read repositories, members and teams with.
    pub token: String,
}

/// A role for some people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRule {
    /// The project; every one where absent.
    pub project: Option<ProjectName>,
    /// The role.
    pub role: Role,
    /// For whom.
    pub who: Who,
}

/// Some people on GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Members of a team, `organisation/slug`.
    Team(String),
    /// Members of an organisation.
    Org(String),
    /// One person.
    Login(Login),
}
