//! Turns TOML tables into the manifest's types. One function per table; each reads every key before it gives up,
//! so that all faults are found.
mod components;
mod environments;

use std::collections::HashMap;

use indexmap::IndexMap;

use super::reader::{Key, Node, Read, Reader, Table, read_from_str};
use super::{
    Branch, Bytes, Lint, Manifest, MigrateOn, Mount, Notify, OnPush, PathPattern, Port, Promote,
    ProxyKind, Registry, Repository, Required, Restart, SecretName, SecretRequirement, Span,
    Ulimit, Value, Webhook,
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
