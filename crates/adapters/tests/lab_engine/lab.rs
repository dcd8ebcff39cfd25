//! The lab as these tests need it.

use std::{
    path::Path,
    process::{Command, Output},
};

use adapters::{
    docker::{ContainerSpec, Engine},
    registry::Credentials,
    ssh::{Auth, Host, Hosts, Target},
};
use serde_json::Value;

pub struct Lab(Value);

impl Lab {
    pub fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lab/lab.json");
        let text = std::fs::read(path).expect("these tests need the lab: start it with `make lab`");
        Self(serde_json::from_slice(&text).unwrap())
    }

    pub fn target(&self, droplet: &str) -> Target {
        let found = &self.0["droplets"][droplet];
        let text = |key: &str| found[key].as_str().map(ToOwned::to_owned);
        let auth = match text("password") {
            Some(password) => Auth::Password(password.into()),
            None => {
                let pem = std::fs::read_to_string(text("key_file").unwrap()).unwrap();
                Auth::Key {
                    pem: pem.into(),
                    passphrase: None,
                }
            }
        };
        Target {
            address: text("address").unwrap(),
            port: 22,
            user: text("user").unwrap(),
            auth,
            host_key: Some(text("host_key").unwrap().parse().unwrap()),
        }
    }

    pub async fn host(&self, droplet: &str) -> Host {
        Hosts::new()
            .connect(droplet, &self.target(droplet))
            .await
            .unwrap()
    }

    /// The name of the container that a droplet is.
    pub fn container(&self, droplet: &str) -> &str {
        self.0["droplets"][droplet]["container"].as_str().unwrap()
    }

    pub fn local(&self) -> Engine {
        Engine::local(&format!(
            "unix://{}",
            self.0["docker_socket"].as_str().unwrap()
        ))
        .unwrap()
    }

    pub fn registry(&self, name: &str) -> (String, Credentials) {
        let registries = self.0["registries"].as_array().unwrap();
        let found = registries
            .iter()
            .find(|registry| registry["name"] == name)
            .unwrap();
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        (
            text("address"),
            Credentials {
                username: text("username").into(),
                password: text("password").into(),
            },
        )
    }

    /// An engine of a droplet that has the image `fairlead-test`, a plain Debian.
    pub async fn engine(&self, droplet: &str) -> Engine {
        let engine = self.host(droplet).await.docker().await.unwrap();
        if engine.image("fairlead-test").await.unwrap().is_none() {
            let (registry, account) = self.registry("docr");
            let reference = format!("{registry}/fairlead-test:base");
            let local = self.local();
            local.tag("debian:bookworm-slim", &reference).await.unwrap();
            local
                .push(&reference, Some(&account), |_| {})
                .await
                .unwrap();
            engine
                .pull(&reference, Some(&account), |_| {})
                .await
                .unwrap();
            engine.tag(&reference, "fairlead-test").await.unwrap();
        }
        engine
    }
}

/// A shell script in a container of the test image, with a label of its own, and nothing of that label left over.
pub async fn script(engine: &Engine, name: &str, text: &str) -> ContainerSpec {
    let label = format!("fairlead-test={name}");
    for old in engine.list(&[&label]).await.unwrap() {
        engine.remove(&old.id).await.unwrap();
    }
    let mut spec = ContainerSpec::new("fairlead-test");
    spec.labels = [("fairlead-test".to_owned(), name.to_owned())].into();
    spec.command = ["bash", "-c", text].map(ToOwned::to_owned).to_vec();
    spec
}

/// Creates and starts it, and gives its id.
pub async fn run(engine: &Engine, name: &str, text: &str) -> String {
    let spec = script(engine, name, text).await;
    let id = engine.create(name, &spec).await.unwrap();
    engine.start(&id).await.unwrap();
    id
}

/// The docker program of this machine, for what is not the adapter's job.
pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap()
}
