//! What a container is started with, every reference resolved, and its form for the Engine API.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig,
    NetworkingConfig, PortBinding, ResourcesUlimits,
};
use domain::manifest::{Bytes, HealthCheck, LogDriver, Mount, Port, Restart, Span, Ulimit};
use secrecy::{ExposeSecret, SecretString};

use super::restart::RestartPolicy;

/// The arguments of `docker run`. [`ContainerSpec::new`] is a container with none of them.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// The image: by tag, by digest or by id. It must be on the engine already.
    pub image: String,
    /// In place of the image's command; empty leaves the image's.
    pub command: Vec<String>,
    /// In place of the image's entrypoint; empty leaves the image's.
    pub entrypoint: Vec<String>,
    /// `-e`; of a name that comes twice the last counts.
    pub env: Vec<(String, SecretString)>,
    /// `-p`.
    pub ports: Vec<Port>,
    /// `-v`.
    pub volumes: Vec<Mount>,
    /// `--network`; the first at creation, the others joined before the start. None means the default bridge.
    pub networks: Vec<String>,
    /// `--network-alias`: further names on the first of the networks.
    pub aliases: Vec<String>,
    /// `--add-host`: name and address.
    pub hosts: Vec<(String, SecretString)>,
    /// `--restart`.
    pub restart: Restart,
    /// `--user`.
    pub user: Option<String>,
    /// `--workdir`.
    pub workdir: Option<String>,
    /// `--memory`.
    pub memory: Option<Bytes>,
    /// `--cpus`.
    pub cpus: Option<f64>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--log-driver` and `--log-opt`.
    pub log: Option<LogDriver>,
    /// `--health-cmd` and its options.
    pub healthcheck: Option<HealthCheck>,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--ulimit`.
    pub ulimits: Vec<(String, Ulimit)>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--tmpfs`: path and options.
    pub tmpfs: Vec<(String, String)>,
    /// `--stop-timeout`.
    pub stop_timeout: Option<Span>,
}

impl ContainerSpec {
    /// A container of an image, with nothing else set.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            command: Vec::new(),
            entrypoint: Vec::new(),
            env: Vec::new(),
            ports: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            aliases: Vec::new(),
            hosts: Vec::new(),
            restart: Restart::No,
            user: None,
            workdir: None,
            memory: None,
            cpus: None,
            labels: BTreeMap::new(),
            log: None,
            healthcheck: None,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            ulimits: Vec::new(),
            read_only: false,
            tmpfs: Vec::new(),
            stop_timeout: None,
        }
    }

    /// The body of `POST /containers/create`. It holds secrets: it is sent and dropped, never shown.
    pub(super) fn to_body(&self) -> ContainerCreateBody {
        let some = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
        let network = self.networks.first();
        ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: some(&self.command),
            entrypoint: some(&self.entrypoint),
            env: Some(
                self.env
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.expose_secret()))
                    .collect(),
            ),
            exposed_ports: Some(self.ports.iter().map(inside).collect()),
            labels: Some(self.labels.clone().into_iter().collect()),
            user: self.user.clone(),
            working_dir: self.workdir.clone(),
            healthcheck: self.healthcheck.as_ref().map(health),
            stop_timeout: self
                .stop_timeout
                .map(|span| i64::try_from(span.duration().as_secs()).unwrap_or(i64::MAX)),
            networking_config: network.map(|name| NetworkingConfig {
                endpoints_config: Some(HashMap::from([(
                    name.clone(),
                    EndpointSettings {
                        aliases: some(&self.aliases),
                        ..EndpointSettings::default()
                    },
                )])),
            }),
            host_config: Some(HostConfig {
                network_mode: network.cloned(),
                port_bindings: Some(self.bindings()),
                binds: Some(self.volumes.iter().map(ToString::to_string).collect()),
                extra_hosts: Some(
                    self.hosts
                        .iter()
                        .map(|(name, at)| format!("{name}:{}", at.expose_secret()))
                        .collect(),
                ),
                restart_policy: Some(RestartPolicy::from(self.restart).into()),
                memory: self.memory.map(|Bytes(bytes)| bytes),
                // Billionths of a processor.
                nano_cpus: self.cpus.map(|cpus| (cpus * 1e9) as i64),
                log_config: self.log.as_ref().map(|log| HostConfigLogConfig {
                    typ: Some(log.driver.clone()),
                    config: Some(
                        log.options
                            .iter()
                            .map(|(k, v)| (k.clone(), v.clone()))
                            .collect(),
                    ),
                }),
                cap_add: some(&self.cap_add),
                cap_drop: some(&self.cap_drop),
                ulimits: Some(self.ulimits.iter().map(ulimit).collect()),
                readonly_rootfs: Some(self.read_only),
                tmpfs: Some(self.tmpfs.iter().cloned().collect()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    fn bindings(&self) -> HashMap<String, Option<Vec<PortBinding>>> {
        let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
        for port in &self.ports {
            let binding = PortBinding {
                host_ip: port.address.map(|address| address.to_string()),
                host_port: Some(port.host.to_string()),
            };
            bindings
                .entry(inside(port))
                .or_default()
                .get_or_insert_default()
                .push(binding);
        }
        bindings
    }
}

fn inside(port: &Port) -> String {
    format!("{}/{}", port.container, port.protocol.as_str())
}

fn health(check: &HealthCheck) -> HealthConfig {
    let ns = |span: Span| i64::try_from(span.duration().as_nanos()).unwrap_or(i64::MAX);
    HealthConfig {
        test: Some(vec!["CMD-SHELL".into(), check.command.clone()]),
        interval: Some(ns(check.every)),
        timeout: Some(ns(check.timeout)),
        retries: Some(check.retries.into()),
        start_period: Some(ns(check.start_period)),
        start_interval: None,
    }
}

fn ulimit((name, limit): &(String, Ulimit)) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_becomes_the_engines_json() {
        let mut spec = ContainerSpec::new("app@sha256:00");
        spec.env = vec![("TOKEN".into(), "s3cret=".into())];
        spec.ports = vec![
            "127.0.0.1:8000:8000".parse().unwrap(),
            "9000:8000".parse().unwrap(),
        ];
        spec.volumes = vec!["/srv/media:/app/media:ro".parse().unwrap()];
        spec.hosts = vec![("backend".into(), "10.0.0.1".into())];
        spec.restart = Restart::UnlessStopped;
        spec.memory = Some("512m".parse().unwrap());
        spec.cpus = Some(1.5);
        spec.ulimits = vec![("nofile".into(), "1024:4096".parse().unwrap())];
        let body = serde_json::to_value(spec.to_body()).unwrap();
        assert_eq!(body["Env"], serde_json::json!(["TOKEN=s3cret="]));
        assert_eq!(
            body["ExposedPorts"],
            serde_json::json!({"8000/tcp": {}}).clone()
        );
        let host = &body["HostConfig"];
        assert_eq!(
            host["PortBindings"]["8000/tcp"],
            serde_json::json!([{"HostIp": "127.0.0.1", "HostPort": "8000"}, {"HostPort": "9000"}])
        );
        assert_eq!(
            host["Binds"],
            serde_json::json!(["/srv/media:/app/media:ro"])
        );
        assert_eq!(host["ExtraHosts"], serde_json::json!(["backend:10.0.0.1"]));
        assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
        assert_eq!(host["Memory"], 512 << 20);
        assert_eq!(host["NanoCpus"], 1_500_000_000);
        assert_eq!(
            host["Ulimits"],
            serde_json::json!([{"Name": "nofile", "Soft": 1024, "Hard": 4096}])
        );
        assert!(
            body.get("Cmd").is_none() && body.get("Entrypoint").is_none(),
            "an empty command would hide the image's"
        );
    }

    #[test]
    fn a_spec_does_not_show_its_secrets() {
        let mut spec = ContainerSpec::new("app");
        spec.env = vec![("TOKEN".into(), "s3cret".into())];
        assert!(!format!("{spec:?}").contains("s3cret"));
    }
}
