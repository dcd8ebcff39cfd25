//! Two things that want the same name, port, file or branch.
use std::collections::BTreeMap;

use super::super::{Component, Port};
use super::Checks;
use crate::{ComponentName, HostName};

impl Checks<'_> {
    pub(super) fn collisions(&mut self) {
        let mut names = BTreeMap::new();
        let mut ports: Vec<(HostName, &Port, &ComponentName)> = Vec::new();
        let mut files = BTreeMap::new();
        let mut found = Vec::new();
        for (name, component) in &self.manifest.components {
            let host = component.host_or(name);
            if let Some(other) =
                names.insert((host.clone(), component.container.name.clone()), name)
            {
                found.push((
                    format!("components.{name}.container.name"),
                    format!(
                        "`{}` is the name of `{other}`'s container on the same host",
                        component.container.name
                    ),
                ));
            }
            for (index, port) in component.container.ports.iter().enumerate() {
                if let Some((_, _, other)) = ports
                    .iter()
                    .find(|(at, taken, _)| *at == host && collide(taken, port))
                {
                    found.push((
                        format!("components.{name}.container.ports[{index}]"),
                        format!("port {} is `{other}`'s on the same host", port.host),
                    ));
                }
                ports.push((host.clone(), port, name));
            }
            for (key, path) in written(name, component) {
                let other = files.insert((host.clone(), plain(path)), key.clone());
                if let Some(other) = other {
                    let message = format!("`{path}` is also `{other}` on the same host");
                    found.push((key, message));
                }
            }
        }
        let mut branches = BTreeMap::new();
        for (name, environment) in &self.manifest.environments {
            if let Some(other) = branches.insert(environment.branch.as_str(), name) {
                found.push((
                    format!("environments.{name}.branch"),
                    format!(
                        "`{}` is already the branch of `{other}`",
                        environment.branch
                    ),
                ));
            }
        }
        for (key, message) in found {
            self.report(&key, message, "give each its own");
        }
    }
}

/// The files that a deploy of a component writes on its host: the key that names each, and its path.
fn written<'c>(
    name: &ComponentName,
    component: &'c Component,
) -> impl Iterator<Item = (String, &'c str)> {
    let files = component.files.iter().enumerate();
    let files = files.map(move |(index, file)| (format!("files[{index}].path"), &*file.path));
    let proxy = component.proxy.iter();
    let proxy = proxy.map(|proxy| ("proxy.path".to_owned(), &*proxy.path));
    let keyed = files.chain(proxy);
    keyed.map(move |(part, path)| (format!("components.{name}.{part}"), path))
}

/// A path without what does not tell it from others: `/etc//app/./a` is `/etc/app/a`.
fn plain(path: &str) -> Vec<&str> {
    let parts = path.split('/');
    parts.filter(|part| !matches!(*part, "" | ".")).collect()
}

/// Whether two published ports cannot be open on one host at the same time.
fn collide(a: &Port, b: &Port) -> bool {
    let every = |port: &Port| port.address.is_none_or(|address| address.is_unspecified());
    a.host == b.host && a.protocol == b.protocol && (a.address == b.address || every(a) || every(b))
}
