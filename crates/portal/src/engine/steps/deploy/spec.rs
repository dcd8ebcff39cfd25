//! The manifest's container with every secret filled in, as the engine wants it.
use adapters::docker::ContainerSpec;
use domain::manifest::Container;

use super::super::StepError;
use super::policy::policy_label;
use super::{Site, Wanted, label};

pub(super) fn resolve(
    site: &Site<'_>,
    wanted: &Wanted<'_>,
    image: &str,
) -> Result<ContainerSpec, StepError> {
    let scene = &site.work.scene;
    let Container {
        name: _,
        ports,
        env,
        env_file: _,
        volumes,
        networks,
        hosts,
        restart,
        command,
        entrypoint,
        user,
        memory,
        cpus,
        labels,
        log,
        healthcheck,
        cap_add,
        cap_drop,
        ulimits,
        read_only,
        tmpfs,
        stop_timeout,
    } = &site.component.container;
    let mut environment = wanted.env_file.clone();
    for (name, value) in env {
        environment.retain(|(other, _)| other != name); // `--env` wins over `--env-file`
        environment.push((name.clone(), scene.value(value)?));
    }
    let mut extra_hosts = Vec::new();
    for (name, value) in hosts {
        extra_hosts.push((name.clone(), scene.value(value)?));
    }
    let mut labels: std::collections::BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    labels.extend([
        (label::PROJECT.to_owned(), scene.plan.project.to_string()),
        (
            label::ENVIRONMENT.to_owned(),
            scene.plan.environment.to_string(),
        ),
        (label::COMPONENT.to_owned(), site.name.to_string()),
        (label::COMMIT.to_owned(), scene.plan.commit.sha.to_string()),
        (label::DIGEST.to_owned(), wanted.digest.to_string()),
        (label::RESTART.to_owned(), policy_label(*restart)),
        (label::RUN.to_owned(), scene.key.clone()),
    ]);
    Ok(ContainerSpec {
        image: image.to_owned(),
        command: command.clone(),
        entrypoint: entrypoint.clone(),
        env: environment,
        ports: ports.clone(),
        volumes: volumes.clone(),
        networks: networks.clone(),
        aliases: Vec::new(),
        hosts: extra_hosts,
        restart: *restart,
        user: user.clone(),
        workdir: None,
        memory: *memory,
        cpus: *cpus,
        labels,
        log: log.clone(),
        healthcheck: healthcheck.clone(),
        cap_add: cap_add.clone(),
        cap_drop: cap_drop.clone(),
        ulimits: ulimits
            .iter()
            .map(|(name, limit)| (name.clone(), *limit))
            .collect(),
        read_only: *read_only,
        tmpfs: tmpfs
            .iter()
            .map(|(path, options)| (path.clone(), options.clone()))
            .collect(),
        stop_timeout: Some(*stop_timeout),
    })
}
