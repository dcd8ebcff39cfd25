//! What a world writes for its portal: the manifest, templates and secrets, and the configuration.
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use adapters::secrets::Source;
use portal::{Builder, Config, GithubConfig};

use super::{HOOK_SECRET, Spec, World};

impl World {
    pub(super) fn projects(&self) -> PathBuf {
        self.folder().join("projects")
    }

    /// Writes the manifest, after something was set.
    pub fn write_manifest(&self) {
        let Spec {
            name,
            port,
            attempts,
            build,
            container,
            component,
            branch,
            more,
            ..
        } = &self.spec;
        let (place, road) = (self.place(), self.road.address);
        let (user, key) = (
            &self.droplet.described.user,
            &self.droplet.described.host_key,
        );
        let [first, second] = &self.lab.registries[..] else {
            panic!("the lab has two registries");
        };
        let first = (self.spec.registry.clone()).unwrap_or(format!("{}/faults", first.address));
        let mut registries = vec![("docr", first)];
        if self.spec.two_registries {
            registries.push(("ghcr", format!("{}/faults", second.address)));
        }
        let mut text =
            format!("name = \"{name}\"\ntitle = \"Faults\"\nrepository = \"faults/app\"\n");
        if self.spec.one_is_enough {
            text.push_str("registries_required = \"any\"\n");
        }
        for (registry, prefix) in registries {
            let upper = registry.to_uppercase();
            let _ = write!(
                text,
                "[[registries]]\nname = \"{registry}\"\nprefix = \"{prefix}\"\nusername = \"secret:{upper}_USER\"\npassword = \"secret:{upper}_PASSWORD\"\n"
            );
        }
        let (files, volume) = match self.spec.greeting {
            true => (
                format!("files = [{{ path = \"{place}/text\", template = \"greeting\" }}]\n"),
                format!("volumes = [\"{place}:/greeting:ro\"],"),
            ),
            false => (String::new(), String::new()),
        };
        let migrate = match self.spec.migrate.as_str() {
            "" => String::new(),
            migrate => format!("migrate = {{ {migrate} }}\n"),
        };
        let lint = match self.spec.lint {
            true => "[lint]\nworkflows = \".github/workflows\"\n",
            false => "",
        };
        let test = match self.spec.test {
            "" => String::new(),
            lines => format!("[components.web.test]\n{lines}"),
        };
        let receiver = self.spec.receiver.map_or(String::new(), |address| {
            format!("webhook = {{ url = \"http://{address}/\", secret = \"secret:HOOK_SECRET\" }}")
        });
        let _ = write!(
            text,
            r#"
[components.web]
host = "server"
image = "{name}"
build = {{ context = ".", dockerfile = "dockerfile", {build} }}
container = {{ name = "faults-{name}", ports = ["{port}:8000"], stop_timeout = "3s", {volume} {container} }}
health = {{ url = "http://localhost:{port}/", attempts = {attempts}, every = "1s" }}
{files}{migrate}{component}
{test}
[notify]
slack = "secret:SLACK_WEBHOOK_URL"
{receiver}
{lint}[environments.dev]
branch = "{branch}"
secrets = "DEV_"
hosts.server = {{ address = "{}", port = {}, user = "{user}", password = "secret:SSH_PASSWORD", host_key = "{key}" }}
{more}
"#,
            road.ip(),
            road.port(),
        );
        // `key = value, }` is what an empty addition leaves behind; TOML 1.0 wants no comma before the brace.
        let mut text = text.replace("  }", " }");
        while let Some(at) = text.find(", }") {
            text.replace_range(at..at + 3, " }");
        }
        std::fs::create_dir_all(self.projects()).unwrap();
        std::fs::write(self.projects().join(format!("{name}.toml")), text).unwrap();
    }

    /// Writes the secrets: what the lab says, except for these, which may be others too. An empty value leaves a name out.
    pub fn write_secrets(&self, except: &[(&str, &str)]) {
        let password = self
            .droplet
            .described
            .password
            .clone()
            .expect("a droplet with a password");
        let mut secrets = vec![
            ("DEV_SSH_PASSWORD".to_owned(), password),
            (
                "SLACK_WEBHOOK_URL".to_owned(),
                format!("http://{}/services/T0/B0/faults", self.slack.address()),
            ),
            ("HOOK_SECRET".to_owned(), HOOK_SECRET.to_owned()),
        ];
        for (name, registry) in ["DOCR", "GHCR"].iter().zip(&self.lab.registries) {
            secrets.push((format!("{name}_USER"), registry.username.clone()));
            secrets.push((format!("{name}_PASSWORD"), registry.password.clone()));
        }
        for (name, value) in except {
            secrets.retain(|(other, _)| other != name);
            secrets.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut text = String::new();
        for (name, value) in secrets {
            if !value.is_empty() {
                let _ = writeln!(text, "{name}={value}");
            }
        }
        let path = self.folder().join("secrets.env");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// What a portal with its folder here is told.
pub fn config(folder: &Path) -> Config {
    let nowhere = "http://127.0.0.1:9".parse::<url::Url>().unwrap();
    Config {
        public_url: "http://localhost:3000".parse().unwrap(),
        database: format!("sqlite://{}", folder.join("portal/fairlead.db").display()).into(),
        data_dir: folder.join("portal"),
        projects_dir: folder.join("projects"),
        builder: Builder::Socket("unix:///var/run/docker.sock".into()),
        github: GithubConfig {
            url: format!("file://{}", folder.join("git").display())
                .parse()
                .unwrap(),
            api_url: nowhere,
            client_id: "none".into(),
            client_secret: "GITHUB_CLIENT_SECRET".into(),
            token: "GITHUB_TOKEN".into(),
        },
        secrets: vec![Source::File(folder.join("secrets.env"))],
        members: Vec::new(),
    }
}
