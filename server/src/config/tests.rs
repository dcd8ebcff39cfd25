use std::collections::HashMap;
use std::path::Path;

use adapters::secrets::Source;
use domain::manifest::{Host, HostLogin};
use portal::Builder;
use secrecy::ExposeSecret;

use super::*;

const SMALL: &str = r#"
public_url = "http://localhost:3000"
data_dir = "portal"
projects_dir = "projects"
[github]
client_id = "Iv1.x"
client_secret = "secret:A"
token = "secret:B"
"#;

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let variables: HashMap<_, _> = environment
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Config::parse(text, Path::new("/etc/fairlead/fairlead.toml"), &|name| {
        variables.get(name).cloned()
    })
    .map_err(|error| error.to_string())
}

#[test]
fn the_documented_example_is_read() {
    let documented = include_str!("../../../docs/config.md");
    let example = documented
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let config = parse(example, &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(
        config.portal.projects_dir,
        Path::new("/etc/fairlead/projects")
    );
    assert_eq!(config.portal.members.len(), 2);
    assert_eq!(config.metrics_token.unwrap().as_str(), "METRICS_TOKEN");
    assert_eq!(
        config.webhook_secret.unwrap().as_str(),
        "GITHUB_WEBHOOK_SECRET"
    );
    // Every key of the file is described.
    let keys = example
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key);
    for key in keys.filter(|key| !["project", "role", "team", "login"].contains(key)) {
        assert!(
            documented.contains(&format!("`{key}`")) || documented.contains(&format!(".{key}`")),
            "{key}"
        );
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(SMALL, &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    let portal = &config.portal;
    assert_eq!(
        portal.database.expose_secret(),
        "sqlite:///etc/fairlead/portal/fairlead.db"
    );
    assert_eq!(portal.github.api_url.as_str(), "https://api.github.com/");
    assert_eq!(
        portal.secrets,
        [Source::Env {
            prefix: "FAIRLEAD_SECRET_".into()
        }]
    );
    assert_eq!(
        config.log,
        Log {
            format: LogFormat::Text,
            filter: "info".into()
        }
    );
}

#[test]
fn the_environment_takes_the_place_of_the_file() {
    let environment = [
        ("FAIRLEAD_LISTEN", "0.0.0.0:80"),
        ("FAIRLEAD_PUBLIC_URL", "https://deploy.example.com"),
        ("FAIRLEAD_DATA_DIR", "/srv/fairlead"),
        ("FAIRLEAD_LOG_FORMAT", "json"),
    ];
    let config = parse(SMALL, &environment).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.public_url().as_str(), "https://deploy.example.com/");
    assert_eq!(config.portal.data_dir, Path::new("/srv/fairlead"));
    assert_eq!(config.log.format, LogFormat::Json);
    let wrong = parse(SMALL, &[("FAIRLEAD_LISTEN", "here")]).unwrap_err();
    let expected = "environment variable FAIRLEAD_LISTEN: `here` is not an address to listen on; write it as \"127.0.0.1:3000\"";
    assert_eq!(wrong, expected);
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let text = r#"listen = "everywhere"
public_url = "https://deploy.example.com/portal"
data_dir = "portal"
builder = "tcp://10.0.0.1:2375"
[github]
client_id = "Iv1.x"
client_secret = "hunter2"
[[members]]
project = "shop"
role = "boss"
team = "leads"
[[members]]
project = "shop"
role = "lead"
"#;
    let faults = parse(text, &[]).unwrap_err();
    let expected = [
        "1:1: projects_dir: is missing; add it, as in `projects_dir = \"projects\"`",
        "1:1: github.token: is missing; add it, as in `token = \"secret:GITHUB_TOKEN\"`",
        "1:10: listen: `everywhere` is not an address to listen on; write it as \"127.0.0.1:3000\"",
        "2:14: public_url: `https://deploy.example.com/portal` is more than a site; leave out everything after the host and port",
        "4:11: builder: `tcp://10.0.0.1:2375` is not a Docker engine's socket; write it as \"unix:///var/run/docker.sock\", or describe a server in `[builder]`",
        "7:17: github.client_secret: a secret does not stand in this file; write \"secret:NAME\" and put the value into a source of `[secrets]` under that name",
        "10:8: members[0].role: `boss` is not a role: use viewer, developer, lead or admin",
        "11:8: members[0].team: `leads` is not a team; write it as organisation/team, as in its address on GitHub",
        "12:1: members[1]: names nobody or several; write exactly one of `team`, `org` and `login`",
    ];
    let expected: Vec<String> = expected
        .iter()
        .map(|fault| format!("/etc/fairlead/fairlead.toml:{fault}"))
        .collect();
    assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
    assert!(!faults.contains("hunter2"));
}

#[test]
fn a_server_may_be_the_builder_as_documented() {
    let documented = include_str!("../../../docs/config.md");
    let table = documented.split("```toml\n").nth(2).unwrap();
    let table = table.split("```").next().unwrap();
    let config = parse(&format!("{SMALL}{table}"), &[]).unwrap();
    let secret = |name: &str| format!("secret:{name}").parse::<Value>().unwrap();
    let plain = |text: &str| Value::Plain(text.into());
    let builder = Host {
        address: plain("10.0.0.5"),
        port: 22,
        user: plain("builder"),
        login: HostLogin::Key {
            key: secret("BUILDER_SSH_KEY"),
            passphrase: None,
        },
        host_key: Some(plain("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")),
    };
    assert_eq!(config.portal.builder, Builder::Host(builder));
    // A variable names a socket, and takes the place of the table.
    let socket = "unix:///run/docker.sock";
    let config = parse(&format!("{SMALL}{table}"), &[("FAIRLEAD_BUILDER", socket)]);
    assert_eq!(
        config.unwrap().portal.builder,
        Builder::Socket(socket.into())
    );
}

#[test]
fn what_is_wrong_with_a_server_that_builds_is_told_at_once() {
    let faults = |lines: &str| parse(&format!("{SMALL}[builder]\n{lines}"), &[]).unwrap_err();
    let told = faults(
        "address = \"\"\nuser = \"builder\"\npassword = \"hunter2\"\nhost_key = \"MD5:00\"\n",
    );
    let expected = [
        "10:11: builder.address: is empty; write it out, or name the secret that holds it",
        "12:12: builder.password: a secret does not stand in this file; write \"secret:NAME\" and put the value into a source of `[secrets]` under that name",
        "13:12: builder.host_key: `MD5:00` is not a host key fingerprint; expected `SHA256:` and 43 base64 characters, as printed by `fairlead host enrol`",
    ];
    let expected = expected.map(|fault| format!("/etc/fairlead/fairlead.toml:{fault}"));
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);

    let told = faults("agent = true\nkey = \"secret:K\"\n");
    for said in [
        "builder.address: is missing; add it",
        "builder.user: is missing; add it",
        "builder.host_key: is missing; add it",
        "9:1: builder: does not say how to sign in; give exactly one of",
    ] {
        assert!(told.contains(said), "{said:?} is not in {told}");
    }
    for (lines, said) in [
        (
            "adress = \"x\"\n",
            "10:1: unknown field `adress`, expected one of",
        ),
        ("port = 0\n", "10:8: invalid value: integer `0`"),
    ] {
        let told = faults(lines);
        assert!(told.contains(said), "{said:?} is not in {told}");
    }
    let told = parse(&format!("builder = 3{SMALL}"), &[]).unwrap_err();
    assert!(
        told.contains("1:11: invalid type: integer `3`, expected the socket of a Docker engine"),
        "{told}"
    );
}

#[test]
fn a_key_that_is_not_known_is_a_fault() {
    let faults = parse(&SMALL.replace("data_dir", "data_folder"), &[]).unwrap_err();
    assert!(
        faults.starts_with(
            "/etc/fairlead/fairlead.toml:3:1: unknown field `data_folder`, expected one of"
        ),
        "{faults}"
    );
}

#[tokio::test]
async fn the_databases_address_may_be_a_secret() {
    let text = format!("database_url = \"secret:NO_SUCH_DATABASE\"{SMALL}");
    let config = parse(&text, &[]).unwrap();
    let error = config.portal().await.unwrap_err().to_string();
    assert!(
        error.contains("`NO_SUCH_DATABASE`, which resolves to nothing"),
        "{error}"
    );
    let wrong = parse(
        &format!("database_url = \"mysql://me:hunter2@db\"{SMALL}"),
        &[],
    )
    .unwrap_err();
    assert!(
        wrong.contains("database_url") && !wrong.contains("hunter2"),
        "{wrong}"
    );
}
