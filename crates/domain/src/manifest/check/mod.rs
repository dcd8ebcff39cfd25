//! Holds the parts of a manifest against each other: references, cycles, collisions, shapes of paths and URLs.
mod collisions;
mod cycles;

use self::cycles::cycles;
use super::container::is_docker_name;
use super::decode::Places;
use super::problem::nearest;
use super::{Component, Environment, HostLogin, Manifest, Notify, Problem, Test, Value};
use crate::{ComponentName, EnvName};

pub(super) fn check(manifest: &Manifest, places: &Places<'_>) -> Vec<Problem> {
    let mut checks = Checks {
        manifest,
        places,
        problems: Vec::new(),
    };
    checks.whole();
    for registry in 0..manifest.registries.len() {
        checks.registry(registry);
    }
    for (name, component) in &manifest.components {
        checks.component(name, component);
    }
    for (name, environment) in &manifest.environments {
        checks.environment(name, environment);
    }
    checks.collisions();
    checks.problems
}

struct Checks<'m> {
    manifest: &'m Manifest,
    places: &'m Places<'m>,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn report(&mut self, key: &str, message: impl Into<String>, advice: impl Into<String>) {
        let (line, column) = self.places.of(key);
        self.problems.push(Problem {
            line,
            column,
            key: key.into(),
            message: message.into(),
            advice: advice.into(),
        });
    }

    fn whole(&mut self) {
        if self.manifest.components.is_empty() {
            self.report(
                "components",
                "is empty",
                "describe at least one component, as `[components.backend]`",
            );
        }
        if self.manifest.environments.is_empty() {
            self.report(
                "environments",
                "is empty",
                "describe at least one environment, as `[environments.dev]`",
            );
        }
        if self.manifest.registries.is_empty() {
            self.report(
                "registries",
                "is missing",
                "add a `[[registries]]` table with `name` and `prefix`",
            );
        }
        if let Some(notify) = &self.manifest.notify {
            self.notify("notify", notify);
        }
        if let Some(lint) = &self.manifest.lint {
            self.inside("lint.workflows", &lint.workflows.clone());
        }
        let after = self
            .manifest
            .components
            .iter()
            .map(|(name, c)| (name.as_str(), c.after.iter().map(|a| a.as_str()).collect()));
        for cycle in cycles(after.collect()) {
            let first = format!("components.{}.after", cycle[0]);
            self.report(
                &first,
                format!("goes round in a circle: {}", cycle.join(" → ")),
                "take one of them out",
            );
        }
        let follows = self.manifest.environments.iter().map(|(name, e)| {
            (
                name.as_str(),
                e.follows.iter().map(|f| f.as_str()).collect(),
            )
        });
        for cycle in cycles(follows.collect()) {
            let first = format!("environments.{}.follows", cycle[0]);
            self.report(
                &first,
                format!("goes round in a circle: {}", cycle.join(" → ")),
                "let one environment follow none",
            );
        }
        for (name, requirement) in &self.manifest.secrets {
            for environment in &requirement.environments {
                if !self.manifest.environments.contains_key(environment) {
                    self.unknown_environment(&format!("secrets.{name}.environments"), environment);
                }
            }
        }
    }

    fn registry(&mut self, index: usize) {
        let registry = &self.manifest.registries[index];
        let host = registry
            .prefix
            .trim_start_matches("http://")
            .trim_start_matches("https://");
        let shaped = !host.is_empty()
            && !host.starts_with('/')
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_/:".contains(&b));
        if !shaped {
            self.report(
                &format!("registries[{index}].prefix"),
                format!(
                    "`{}` is not a registry's host and path in lower case",
                    registry.prefix
                ),
                "write it as in `registry.digitalocean.com/team`",
            );
        }
        if let Some(password) = &registry.password {
            self.referred(&format!("registries[{index}].password"), password);
        }
        if registry.username.is_some() != registry.password.is_some() {
            self.report(
                &format!("registries[{index}]"),
                "has only one of `username` and `password`",
                "give both or none",
            );
        }
        if self.manifest.registries[..index]
            .iter()
            .any(|earlier| earlier.name == registry.name)
        {
            self.report(
                &format!("registries[{index}].name"),
                format!("`{}` is taken", registry.name),
                "give each registry its own name",
            );
        }
    }

    fn component(&mut self, name: &ComponentName, component: &Component) {
        let key = |part: &str| format!("components.{name}.{part}");
        for other in &component.after {
            if !self.manifest.components.contains_key(other) {
                let near = nearest(
                    other.as_str(),
                    self.manifest.components.keys().map(ComponentName::as_str),
                );
                let advice = did_you_mean(near, "name a component of this file");
                self.report(
                    &key("after"),
                    format!("there is no component `{other}`"),
                    advice,
                );
            }
        }
        let image_ok = component
            .image
            .split('/')
            .all(|part| is_docker_name(part) && part.bytes().all(|b| !b.is_ascii_uppercase()));
        if !image_ok {
            self.report(
                &key("image"),
                format!("`{}` is not an image name", component.image),
                "use lower-case letters, digits, `-`, `_` and `.`; the tag comes from Fairlead",
            );
        }
        self.inside(&key("build.context"), &component.build.context);
        self.inside(&key("build.dockerfile"), &component.build.dockerfile);
        for (arg, value) in &component.build.args {
            if value.starts_with("secret:") {
                self.report(&key(&format!("build.args.{arg}")), "is a secret", "build arguments stay readable in the image; give the secret to the container instead");
            }
        }
        if let Some(test) = &component.test {
            self.test(&key("test"), test);
        }
        if !is_docker_name(&component.container.name) {
            self.report(
                &key("container.name"),
                format!("`{}` is not a container name", component.container.name),
                "use letters, digits, `-`, `_` and `.`",
            );
        }
        for label in component
            .container
            .labels
            .keys()
            .filter(|label| label.starts_with("fairlead."))
        {
            self.report(
                &key("container.labels"),
                format!("`{label}` is one of Fairlead's own labels"),
                "choose another name",
            );
        }
        if let Some(path) = component.container.env_file.as_ref() {
            self.absolute(&key("container.env_file"), path);
        }
        for (index, file) in component.files.iter().enumerate() {
            self.absolute(&key(&format!("files[{index}].path")), &file.path);
            self.template(&key(&format!("files[{index}].template")), &file.template);
        }
        if let Some(proxy) = &component.proxy {
            self.absolute(&key("proxy.path"), &proxy.path);
            self.template(&key("proxy.template"), &proxy.template);
            self.probed(&key("proxy.health"), &proxy.health);
        }
        if let Some(health) = &component.health {
            self.probed(&key("health.url"), &health.url);
            if health.every.0 == 0 || health.timeout.0 == 0 {
                self.report(
                    &key("health"),
                    "has a time of zero",
                    "give at least `100ms`",
                );
            }
        }
    }

    fn test(&mut self, table: &str, test: &Test) {
        let key = |part: &str| format!("{table}.{part}");
        if test.run.is_empty() {
            self.report(
                &key("run"),
                "is empty",
                "give the command that tests, as in `[\"make test\"]`",
            );
        }
        if let Some(dir) = &test.dir {
            self.inside(&key("dir"), dir);
        }
        if let Some(report) = &test.report
            && (report.is_empty() || report.chars().any(char::is_control))
        {
            self.report(
                &key("report"),
                "is not a path",
                "give the file that the tests write, such as `junit.xml`",
            );
        }
        for service in test.services.keys().filter(|name| !is_docker_name(name)) {
            self.report(
                &key("services"),
                format!("`{service}` cannot be a host name"),
                "use letters, digits, `-`, `_` and `.`",
            );
        }
    }

    fn probed(&mut self, key: &str, url: &str) {
        let rest = url.strip_prefix("http://").unwrap_or("");
        if rest.is_empty()
            || rest.starts_with('/')
            || url.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            self.report(key, format!("`{url}` cannot be probed"), "give an http:// URL as seen from the host, such as `http://localhost:8000/health/`");
        }
    }

    fn notify(&mut self, table: &str, notify: &Notify) {
        if let Some(slack) = &notify.slack {
            self.referred(&format!("{table}.slack"), slack);
        }
        if let Some(webhook) = &notify.webhook {
            self.referred(&format!("{table}.webhook.secret"), &webhook.secret);
        }
    }

    fn environment(&mut self, name: &EnvName, environment: &Environment) {
        let key = |part: &str| format!("environments.{name}.{part}");
        if let Some(follows) = &environment.follows
            && !self.manifest.environments.contains_key(follows)
        {
            self.unknown_environment(&key("follows"), follows);
        }
        if !environment
            .secrets
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            self.report(
                &key("secrets"),
                format!("`{}` is not a prefix of secret names", environment.secrets),
                "use letters, digits and `_`, as in `DEV_`",
            );
        }
        if let Some(notify) = &environment.notify {
            self.notify(&key("notify"), notify);
        }
        for (host, described) in &environment.hosts {
            let login = |part: &str| key(&format!("hosts.{host}.{part}"));
            match &described.login {
                HostLogin::Password(password) => self.referred(&login("password"), password),
                HostLogin::Key {
                    key: private,
                    passphrase,
                } => {
                    self.referred(&login("key"), private);
                    if let Some(passphrase) = passphrase {
                        self.referred(&login("passphrase"), passphrase);
                    }
                }
                HostLogin::Agent => {}
            }
        }
        for (component, described) in &self.manifest.components {
            let host = described.host_or(component);
            if !environment.hosts.contains_key(&host) {
                let near = nearest(host.as_str(), environment.hosts.keys().map(|h| h.as_str()));
                let advice = did_you_mean(
                    near,
                    &format!("add `hosts.{host} = {{ address = …, user = …, … }}`"),
                );
                self.report(
                    &key("hosts"),
                    format!("has no `{host}`, where component `{component}` runs"),
                    advice,
                );
            }
        }
    }

    /// Everybody who may see the project can read its manifest, so what is secret by its nature may only be named there.
    fn referred(&mut self, key: &str, value: &Value) {
        if value.secret().is_none() {
            self.report(
                key,
                "holds a secret itself",
                "put it into a secret source of the portal, and name it here as in `secret:NAME`",
            );
        }
    }

    fn unknown_environment(&mut self, key: &str, environment: &EnvName) {
        let near = nearest(
            environment.as_str(),
            self.manifest.environments.keys().map(EnvName::as_str),
        );
        let advice = did_you_mean(near, "name an environment of this file");
        self.report(
            key,
            format!("there is no environment `{environment}`"),
            advice,
        );
    }

    fn absolute(&mut self, key: &str, path: &str) {
        if !path.starts_with('/')
            || path.split('/').any(|part| part == "..")
            || path.chars().any(char::is_control)
        {
            self.report(
                key,
                format!("`{path}` is not an absolute path"),
                "start it with `/` and leave out `..`",
            );
        }
    }

    fn inside(&mut self, key: &str, path: &str) {
        if path.is_empty()
            || path.starts_with('/')
            || path.split('/').any(|part| part == "..")
            || path.chars().any(char::is_control)
        {
            self.report(
                key,
                format!("`{path}` is not a path inside the repository"),
                "leave out a leading `/` and `..`",
            );
        }
    }

    fn template(&mut self, key: &str, name: &str) {
        if name.is_empty()
            || name.starts_with(['/', '.'])
            || name.split('/').any(|part| part == "..")
            || name.chars().any(char::is_control)
        {
            self.report(
                key,
                format!("`{name}` is not the name of a template"),
                "name a file of the project's `templates` folder",
            );
        }
    }
}

fn did_you_mean(near: Option<&str>, otherwise: &str) -> String {
    near.map_or_else(
        || otherwise.to_owned(),
        |near| format!("did you mean `{near}`?"),
    )
}
