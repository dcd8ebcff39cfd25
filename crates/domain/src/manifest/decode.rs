//! Turns TOML tables into the manifest's types. One function per table; each reads every key before it gives up,
//! so that all faults are found.
use std::collections::HashMap;

use indexmap::IndexMap;

use super::reader::{Key, Node, Read, Reader, Table, Whole, read_from_str};
use super::{
    Approvals, Branch, Build, Bytes, Component, Container, Environment, File, Health, HealthCheck,
    Host, HostLogin, Lint, LogDriver, Manifest, Migrate, MigrateOn, Mount, Notify, OnPush,
    PathPattern, Port, Promote, Proxy, ProxyKind, Registry, Repository, Required, Restart,
    SecretName, SecretRequirement, Service, Span, Test, Ulimit, Value, Webhook,
};
use crate::policy::Role;
use crate::{ComponentName, EnvName, HostName, ProjectName};

read_from_str!(
    ProjectName,
    ComponentName,
    EnvName,
    HostName,
    Value,
    Span,
    Repository,
    Branch,
    Port,
    Mount,
    Bytes,
    Ulimit,
    PathPattern
);

macro_rules! keys {
    ($($type:ty),*) => {$(
        impl Key for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse::<$type>().map_err(|error| error.to_string())
            }
        }
    )*};
}
keys!(ComponentName, EnvName, HostName, SecretName);

/// Reads one of a few words.
macro_rules! words {
    ($type:ty { $($word:literal => $value:expr),* $(,)? }) => {
        impl Read for $type {
            fn read(node: &Node<'_>) -> Option<Self> {
                match node.text()? {
                    $($word => Some($value),)*
                    other => {
                        let known = [$(concat!("`", $word, "`")),*].join(", ");
                        node.wrong(format!("`{other}` is not known here"), format!("use one of {known}"));
                        None
                    }
                }
            }
        }
    };
}
words!(Restart { "no" => Restart::No, "always" => Restart::Always, "unless-stopped" => Restart::UnlessStopped, "on-failure" => Restart::OnFailure });
words!(Required { "all" => Required::All, "any" => Required::Any });
words!(Promote { "pull-request" => Promote::PullRequest, "direct" => Promote::Direct });
words!(MigrateOn { "host" => MigrateOn::Host, "container" => MigrateOn::Container });
words!(ProxyKind { "nginx" => ProxyKind::Nginx });
words!(Role { "viewer" => Role::Viewer, "developer" => Role::Developer, "lead" => Role::Lead, "admin" => Role::Admin });

/// Where named things stand in the file, for the checks that come after.
pub(super) struct Places<'s> {
    source: &'s str,
    offsets: HashMap<String, usize>,
}

impl<'s> Places<'s> {
    fn new(reader: &Reader<'s>) -> Self {
        let mut offsets = HashMap::new();
        Self::gather(&reader.root(), &mut offsets);
        Self {
            source: reader.source(),
            offsets,
        }
    }

    /// Line and column of the key that is nearest to `path`.
    pub(super) fn of(&self, path: &str) -> (u32, u32) {
        let mut wanted = path;
        loop {
            if let Some(offset) = self.offsets.get(wanted) {
                return super::reader::place(self.source, *offset);
            }
            match wanted.rfind(['.', '[']) {
                Some(end) => wanted = &wanted[..end],
                None => return (1, 1),
            }
        }
    }

    fn gather(table: &Table<'_>, offsets: &mut HashMap<String, usize>) {
        for (key, value) in table.entries() {
            offsets.insert(key.path.clone(), key.span.start);
            if let Some(inner) = value.inner() {
                Self::gather(&inner, offsets);
            }
            for item in value.items().into_iter().flatten() {
                offsets.insert(item.path.clone(), item.span.start);
                if let Some(inner) = item.inner() {
                    Self::gather(&inner, offsets);
                }
            }
        }
    }
}

pub(super) fn manifest<'s>(reader: &Reader<'s>) -> Option<(Manifest, Places<'s>)> {
    let t = reader.root();
    let name = t.required("name", "\"projectmeats\"");
    let title: Option<Option<String>> = t.optional("title");
    let repository = t.required("repository", "\"owner/name\"");
    let registries = t.or("registries", Vec::new());
    let registries_required = t.or("registries_required", Required::All);
    let lint = t.optional("lint");
    let components = t.required("components", "{ backend = { … } }");
    let environments = t.required("environments", "{ dev = { … } }");
    let notify = t.optional("notify");
    let on_push = t.or("on_push", OnPush::default());
    let secrets = t.or("secrets", IndexMap::new());
    t.finish();
    let name: ProjectName = name?;
    let manifest = Manifest {
        title: title?.unwrap_or_else(|| name.to_string()),
        name,
        repository: repository?,
        registries: registries?,
        registries_required: registries_required?,
        lint: lint?,
        components: components?,
        environments: environments?,
        notify: notify?,
        on_push: on_push?,
        secrets: secrets?,
    };
    Some((manifest, Places::new(reader)))
}

impl Read for Registry {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let name = t.required("name", "\"docr\"");
        let prefix = t.required("prefix", "\"registry.example.com/team\"");
        let username = t.optional("username");
        let password = t.optional("password");
        t.finish();
        Some(Self {
            name: name?,
            prefix: prefix?,
            username: username?,
            password: password?,
        })
    }
}

impl Read for Lint {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let workflows = t.or("workflows", ".github/workflows/".to_owned());
        t.finish();
        Some(Self {
            workflows: workflows?,
        })
    }
}

impl Read for Component {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let after = t.or("after", Vec::new());
        let image = t.required("image", "\"team-backend\"");
        let build = t.required("build", "{ context = \".\", dockerfile = \"Dockerfile\" }");
        let test = t.optional("test");
        let migrate = t.optional("migrate");
        let host = t.optional("host");
        let container = t.required(
            "container",
            "{ name = \"backend\", ports = [\"8000:8000\"] }",
        );
        let files = t.or("files", Vec::new());
        let proxy = t.optional("proxy");
        let health = t.optional("health");
        t.finish();
        Some(Self {
            after: after?,
            image: image?,
            build: build?,
            test: test?,
            migrate: migrate?,
            host: host?,
            container: container?,
            files: files?,
            proxy: proxy?,
            health: health?,
        })
    }
}

impl Read for Build {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let context = t.or("context", ".".to_owned());
        let dockerfile = t.or("dockerfile", "Dockerfile".to_owned());
        let args = t.or("args", IndexMap::new());
        let target = t.optional("target");
        let timeout = t.or("timeout", Span::seconds(3600));
        t.finish();
        Some(Self {
            context: context?,
            dockerfile: dockerfile?,
            args: args?,
            target: target?,
            timeout: timeout?,
        })
    }
}

impl Read for Test {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let within = t.required("in", "\"built image\"");
        let dir = t.optional("dir");
        let run = t.required("run", "[\"make test\"]");
        let services = t.or("services", IndexMap::new());
        let env = t.or("env", IndexMap::new());
        let report = t.optional("report");
        let timeout = t.or("timeout", Span::seconds(1800));
        t.finish();
        Some(Self {
            within: within?,
            dir: dir?,
            run: run?,
            services: services?,
            env: env?,
            report: report?,
            timeout: timeout?,
        })
    }
}

impl Read for Service {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let image = t.required("image", "\"postgres:15\"");
        let env = t.or("env", IndexMap::new());
        let ready = t.optional("ready");
        t.finish();
        Some(Self {
            image: image?,
            env: env?,
            ready: ready?,
        })
    }
}

impl Read for Migrate {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let on = t.required("on", "\"host\"");
        let dir = t.optional("dir");
        let before = t.optional("before");
        let run = t.required("run", "\"python manage.py migrate --noinput\"");
        let plan = t.optional("plan");
        let head = t.optional("head");
        let timeout = t.or("timeout", Span::seconds(1800));
        t.finish();
        Some(Self {
            on: on?,
            dir: dir?,
            before: before?,
            run: run?,
            plan: plan?,
            head: head?,
            timeout: timeout?,
        })
    }
}

impl Read for Container {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let name = t.required("name", "\"backend\"");
        let ports = t.or("ports", Vec::new());
        let env = t.or("env", IndexMap::new());
        let env_file = t.optional("env_file");
        let volumes = t.or("volumes", Vec::new());
        let networks = t.or("networks", Vec::new());
        let hosts = t.or("hosts", IndexMap::new());
        let restart = t.or("restart", Restart::UnlessStopped);
        let command = t.or("command", Vec::new());
        let entrypoint = t.or("entrypoint", Vec::new());
        let user = t.optional("user");
        let memory = t.optional("memory");
        let cpus = t.optional("cpus");
        let labels = t.or("labels", IndexMap::new());
        let log = t.optional("log");
        let healthcheck = t.optional("healthcheck");
        let cap_add = t.or("cap_add", Vec::new());
        let cap_drop = t.or("cap_drop", Vec::new());
        let ulimits = t.or("ulimits", IndexMap::new());
        let read_only = t.or("read_only", false);
        let tmpfs = t.or("tmpfs", IndexMap::new());
        let stop_timeout = t.or("stop_timeout", Span::seconds(10));
        t.finish();
        Some(Self {
            name: name?,
            ports: ports?,
            env: env?,
            env_file: env_file?,
            volumes: volumes?,
            networks: networks?,
            hosts: hosts?,
            restart: restart?,
            command: command?,
            entrypoint: entrypoint?,
            user: user?,
            memory: memory?,
            cpus: cpus?,
            labels: labels?,
            log: log?,
            healthcheck: healthcheck?,
            cap_add: cap_add?,
            cap_drop: cap_drop?,
            ulimits: ulimits?,
            read_only: read_only?,
            tmpfs: tmpfs?,
            stop_timeout: stop_timeout?,
        })
    }
}

impl Read for LogDriver {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let driver = t.required("driver", "\"json-file\"");
        let options = t.or("options", IndexMap::new());
        t.finish();
        Some(Self {
            driver: driver?,
            options: options?,
        })
    }
}

impl Read for HealthCheck {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let command = t.required("command", "\"curl -f http://localhost/\"");
        let every = t.or("every", Span::seconds(30));
        let timeout = t.or("timeout", Span::seconds(30));
        let retries = t.or("retries", Whole::<1, 1000>(3));
        let start_period = t.or("start_period", Span(0));
        t.finish();
        let retries = u32::try_from(retries?.0).unwrap_or(3);
        Some(Self {
            command: command?,
            every: every?,
            timeout: timeout?,
            retries,
            start_period: start_period?,
        })
    }
}

impl Read for File {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let path = t.required("path", "\"/opt/app/env-config.js\"");
        let template = t.required("template", "\"env-config.js\"");
        let mode: Option<Option<String>> = t.optional("mode");
        let mode = match mode {
            Some(Some(text)) => match u32::from_str_radix(&text, 8)
                .ok()
                .filter(|mode| *mode <= 0o7777)
            {
                Some(mode) => Some(mode),
                None => {
                    node.wrong(
                        format!("`{text}` is not a file mode"),
                        "give octal digits, as in \"0644\"",
                    );
                    None
                }
            },
            Some(None) => Some(0o644),
            None => None,
        };
        t.finish();
        Some(Self {
            path: path?,
            template: template?,
            mode: mode?,
        })
    }
}

impl Read for Proxy {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let kind = t.required("kind", "\"nginx\"");
        let path = t.required("path", "\"/etc/nginx/conf.d/app.conf\"");
        let template = t.required("template", "\"app.conf\"");
        let health = t.optional("health");
        t.finish();
        Some(Self {
            kind: kind?,
            path: path?,
            template: template?,
            health: health?,
        })
    }
}

impl Read for Health {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let url = t.required("url", "\"http://localhost:8000/health/\"");
        let attempts = t.or("attempts", Whole::<1, 1000>(20));
        let every = t.or("every", Span::seconds(5));
        let timeout = t.or("timeout", Span::seconds(5));
        t.finish();
        let attempts = u32::try_from(attempts?.0).unwrap_or(20);
        Some(Self {
            url: url?,
            attempts,
            every: every?,
            timeout: timeout?,
        })
    }
}

impl Read for Environment {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let branch = t.required("branch", "\"main\"");
        let follows = t.optional("follows");
        let promote = t.or("promote", Promote::PullRequest);
        let approvals = t.optional("approvals");
        let deploy = t.or("deploy", Role::Developer);
        // Nobody would have been asked.
        let unasked = matches!(approvals, Some(None));
        let deploy_on_push = t.or("deploy_on_push", unasked);
        let notify = t.optional("notify");
        let secrets = t.or("secrets", String::new());
        let vars = t.or("vars", IndexMap::new());
        let hosts = t.or("hosts", IndexMap::new());
        t.finish();
        Some(Self {
            branch: branch?,
            follows: follows?,
            promote: promote?,
            approvals: approvals?,
            deploy: deploy?,
            deploy_on_push: deploy_on_push?,
            notify: notify?,
            secrets: secrets?,
            vars: vars?,
            hosts: hosts?,
        })
    }
}

impl Read for Approvals {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let count = t.or("count", Whole::<1, 20>(1));
        let role = t.or("role", Role::Lead);
        let not_requester = t.or("not_requester", true);
        t.finish();
        Some(Self {
            count: u32::try_from(count?.0).unwrap_or(1),
            role: role?,
            not_requester: not_requester?,
        })
    }
}

impl Read for Host {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let address = t.required("address", "\"secret:HOST\"");
        let port = t.or("port", Whole::<1, 65_535>(22));
        let user = t.required("user", "\"secret:USER\"");
        let password: Option<Option<Value>> = t.optional("password");
        let key: Option<Option<Value>> = t.optional("key");
        let passphrase = t.optional("passphrase");
        let agent = t.or("agent", false);
        let host_key = t.optional("host_key");
        t.finish();
        let passphrase: Option<Value> = passphrase?;
        let login = match (password?, key?, agent?) {
            (Some(password), None, false) if passphrase.is_none() => HostLogin::Password(password),
            (None, Some(key), false) => HostLogin::Key { key, passphrase },
            (None, None, true) if passphrase.is_none() => HostLogin::Agent,
            _ => {
                node.wrong(
                    "does not say how to log in",
                    "give exactly one of `password`, `key` (with or without `passphrase`) or `agent = true`",
                );
                return None;
            }
        };
        let port = u16::try_from(port?.0).unwrap_or(22);
        Some(Self {
            address: address?,
            port,
            user: user?,
            login,
            host_key: host_key?,
        })
    }
}

impl Read for Notify {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let slack: Option<Option<Value>> = t.optional("slack");
        let webhook: Option<Option<Webhook>> = t.optional("webhook");
        t.finish();
        let (slack, webhook) = (slack?, webhook?);
        if slack.is_none() && webhook.is_none() {
            node.wrong(
                "names nobody",
                "give `slack = \"secret:SLACK_WEBHOOK_URL\"`, or `webhook = { url = …, secret = … }`",
            );
            return None;
        }
        Some(Self { slack, webhook })
    }
}

impl Read for Webhook {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let url = t.required("url", "\"https://example.com/fairlead\"");
        let secret = t.required("secret", "\"secret:WEBHOOK_SECRET\"");
        t.finish();
        Some(Self {
            url: url?,
            secret: secret?,
        })
    }
}

impl Read for OnPush {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let ignore = t.or("ignore", Vec::new());
        t.finish();
        Some(Self { ignore: ignore? })
    }
}

impl Read for SecretRequirement {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let description = t.or("description", String::new());
        let optional = t.or("optional", false);
        let environments = t.or("environments", Vec::new());
        t.finish();
        Some(Self {
            description: description?,
            optional: optional?,
            environments: environments?,
        })
    }
}
