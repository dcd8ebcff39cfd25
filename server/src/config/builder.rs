//! Where images are built: a socket of this machine, or a server, described as a manifest describes its hosts.
use std::fmt;
use std::num::NonZeroU16;

use adapters::ssh::Fingerprint;
use domain::manifest::{Host, HostLogin, Value};
use portal::Builder;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use toml::Spanned;

use super::given::Reader;
use super::secret;

/// What `builder` is, in either form.
pub(super) enum Entry {
    Socket(String),
    Host(Box<Table>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    address: Option<Spanned<String>>,
    port: Option<NonZeroU16>,
    user: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    passphrase: Option<Spanned<String>>,
    #[serde(default)]
    agent: bool,
    host_key: Option<Spanned<String>>,
}

/// By hand, because an untagged enum would not say which key of the table is not known.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the socket of a Docker engine, or a table that describes a server")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
                Ok(Entry::Socket(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Entry::Host(Box::new(table)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads `builder`; faults are noted at the reader.
pub(super) fn read(reader: &Reader<'_>, entry: Option<Spanned<Entry>>) -> Option<Builder> {
    let (socket, host) = match entry.map(|entry| (entry.span(), entry.into_inner())) {
        None => (None, None),
        Some((at, Entry::Socket(text))) => (Some(Spanned::new(at, text)), None),
        Some((at, Entry::Host(table))) => (None, Some((at.start, table))),
    };
    match (reader.overridable("builder", socket), host) {
        (Some(socket), _) => reader.parse(socket, engine).map(Builder::Socket),
        (None, Some((at, table))) => server(reader, at, *table).map(Builder::Host),
        (None, None) => Some(Builder::Socket("unix:///var/run/docker.sock".to_owned())),
    }
}

fn server(reader: &Reader<'_>, at: usize, table: Table) -> Option<Host> {
    let Table {
        address,
        port,
        user,
        password,
        key,
        passphrase,
        agent,
        host_key,
    } = table;
    type Parse = fn(&str) -> Result<Value, String>;
    let needed = |name: &str, text: Option<Spanned<String>>, example: &str, parse: Parse| {
        let name = format!("builder.{name}");
        let given = text.map(|text| reader.in_file(&name, text));
        reader.parse(reader.required(&name, given, example)?, parse)
    };
    let hidden = |name: &str, text: Spanned<String>| {
        let given = reader.in_file(&format!("builder.{name}"), text);
        reader.parse(given, secret).map(Value::Secret)
    };
    let address = needed("address", address, "address = \"10.0.0.5\"", text);
    let user = needed("user", user, "user = \"builder\"", text);
    let example = "host_key = \"SHA256:…\"";
    let host_key = needed("host_key", host_key, example, fingerprint);
    let login = match (password, key, passphrase, agent) {
        (Some(password), None, None, false) => {
            hidden("password", password).map(HostLogin::Password)
        }
        (None, Some(key), passphrase, false) => {
            let key = hidden("key", key);
            let passphrase = passphrase.map(|text| hidden("passphrase", text));
            match passphrase {
                Some(None) => None,
                passphrase => key.map(|key| HostLogin::Key {
                    key,
                    passphrase: passphrase.flatten(),
                }),
            }
        }
        (None, None, None, true) => Some(HostLogin::Agent),
        _ => {
            let message = "does not say how to sign in; give exactly one of `password`, `key` (with or without `passphrase`) and `agent = true`";
            reader.fault(at, "builder", message);
            None
        }
    };
    Some(Host {
        address: address?,
        port: port.map_or(22, NonZeroU16::get),
        user: user?,
        login: login?,
        host_key: Some(host_key?),
    })
}

fn engine(text: &str) -> Result<String, String> {
    match text.strip_prefix("unix:///") {
        Some(path) if !path.is_empty() => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not a Docker engine's socket; write it as \"unix:///var/run/docker.sock\", or describe a server in `[builder]`"
        )),
    }
}

fn text(text: &str) -> Result<Value, String> {
    match text.trim() {
        "" => Err("is empty; write it out, or name the secret that holds it".into()),
        text => text.parse(),
    }
}

fn fingerprint(key: &str) -> Result<Value, String> {
    let value = text(key)?;
    match &value {
        Value::Secret(_) => {}
        Value::Plain(key) => {
            key.parse::<Fingerprint>().map_err(|e| e.to_string())?;
        }
    }
    Ok(value)
}
