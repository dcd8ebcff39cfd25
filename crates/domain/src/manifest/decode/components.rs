//! What is deployed: `[components.NAME]` with how it is built, tested, migrated, run and put behind a web server.
use indexmap::IndexMap;

use super::super::reader::{Node, Read, Whole};
use super::super::{
    Build, Component, Container, File, Health, HealthCheck, LogDriver, Migrate, Proxy, Restart,
    Service, Span, Test,
};

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
        let health = t.required("health", "\"http://localhost/\"");
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
