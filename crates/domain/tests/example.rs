//! The documented example is a manifest that works: what it says is what is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{EXAMPLE, component, env, example, secret};
use domain::manifest::{
    HostLogin, Manifest, MigrateOn, Mount, Promote, ProxyKind, Restart, Span, Value,
};
use domain::policy::Role;

#[test]
fn the_example_has_no_problem() {
    let problems = Manifest::parse(EXAMPLE).err().unwrap_or_default();
    assert!(
        problems.is_empty(),
        "{}",
        problems
            .iter()
            .map(|p| format!("{p}\n"))
            .collect::<String>()
    );
}

#[test]
fn the_project_and_its_registries_are_read() {
    let example = example();
    assert_eq!(
        (example.name.as_str(), example.title.as_str()),
        ("projectmeats", "ProjectMeats")
    );
    assert_eq!(example.repository.to_string(), "Meats-Central/ProjectMeats");
    let prefixes: Vec<&str> = example
        .registries
        .iter()
        .map(|r| r.prefix.as_str())
        .collect();
    assert_eq!(
        prefixes,
        [
            "registry.digitalocean.com/meatscentral",
            "ghcr.io/meats-central"
        ]
    );
    assert_eq!(
        example.registries[1].password,
        Some(Value::Secret(secret("GHCR_TOKEN")))
    );
    assert_eq!(
        example.lint.as_ref().unwrap().workflows,
        ".github/workflows/"
    );
    assert_eq!(
        example
            .notify
            .as_ref()
            .and_then(|notify| notify.slack.as_ref())
            .and_then(domain::manifest::Value::secret),
        Some(&secret("SLACK_WEBHOOK_URL"))
    );
}

#[test]
fn an_environment_with_a_channel_of_its_own_tells_that_one_alone() {
    let own = "[environments.uat]\nnotify = { slack = \"secret:UAT_CHANNEL\" }";
    let manifest = Manifest::parse(&EXAMPLE.replace("[environments.uat]", own)).unwrap();
    let told = |name| {
        let notify = manifest.notify_of(&env(name)).unwrap();
        notify.slack.as_ref().and_then(Value::secret).cloned()
    };
    assert_eq!(told("uat"), Some(secret("UAT_CHANNEL")));
    assert_eq!(told("dev"), Some(secret("SLACK_WEBHOOK_URL")));
}

#[test]
fn the_backend_is_read_as_its_docker_run() {
    let example = example();
    let backend = &example.components[&component("backend")];
    assert_eq!(backend.image, "projectmeats-backend");
    assert_eq!(backend.build.dockerfile, "backend/dockerfile");
    assert_eq!(backend.build.timeout, Span::seconds(3600), "the default");
    let container = &backend.container;
    assert_eq!(container.name, "pm-backend");
    assert_eq!(container.ports[0].to_string(), "8000:8000");
    assert_eq!(container.restart, Restart::UnlessStopped);
    assert_eq!(
        container.env_file.as_deref(),
        Some("/home/django/ProjectMeats/backend/.env")
    );
    assert_eq!(container.volumes.len(), 2);
    let health = backend.health.as_ref().unwrap();
    assert_eq!(health.url, "http://localhost:8000/api/v1/health/");
    assert_eq!(health.deadline(), Span::seconds(100), "20 × 5 s");
    let test = backend.test.as_ref().unwrap();
    assert_eq!(test.within, "built image");
    assert_eq!(
        test.services["db"].ready.as_deref(),
        Some("pg_isready -U postgres")
    );
    let migrate = backend.migrate.as_ref().unwrap();
    assert_eq!(
        (migrate.on, migrate.plan.as_deref()),
        (MigrateOn::Host, Some("python manage.py migrate --plan"))
    );
    let head = migrate.head.as_deref().unwrap();
    assert!(head.starts_with("python manage.py shell -v 0 -c \"\n"));
    assert!(head.ends_with("[-1:])\n\""));
}

#[test]
fn the_frontend_comes_after_the_backend_with_its_files_and_proxy() {
    let example = example();
    let frontend = &example.components[&component("frontend")];
    assert_eq!(frontend.after, [component("backend")]);
    assert_eq!(
        frontend.container.hosts["backend"].secret(),
        Some(&secret("BACKEND_IP"))
    );
    assert_eq!(
        frontend.container.volumes[0],
        Mount {
            source: "/opt/pm/frontend/env/env-config.js".into(),
            target: "/usr/share/nginx/html/env-config.js".into(),
            read_only: true,
        }
    );
    assert_eq!(
        (frontend.files[0].path.as_str(), frontend.files[0].mode),
        (frontend.container.volumes[0].source.as_str(), 0o644)
    );
    let proxy = frontend.proxy.as_ref().unwrap();
    assert_eq!(
        (proxy.kind, proxy.path.as_str()),
        (ProxyKind::Nginx, "/etc/nginx/conf.d/pm-frontend.conf")
    );
}

#[test]
fn the_environments_follow_one_another_to_production() {
    let example = example();
    let lanes: Vec<&str> = example
        .lanes()
        .into_iter()
        .map(|lane| lane.as_str())
        .collect();
    assert_eq!(lanes, ["dev", "uat", "prod"]);
    let branches: Vec<&str> = example
        .environments
        .values()
        .map(|e| e.branch.as_str())
        .collect();
    assert_eq!(branches, ["development", "uat", "main"]);
    let prefixes: Vec<&str> = example
        .environments
        .values()
        .map(|e| e.secrets.as_str())
        .collect();
    assert_eq!(prefixes, ["DEV_", "UAT_", "PROD_"]);
    let prod = &example.environments[&env("prod")];
    assert_eq!(
        (prod.deploy, prod.promote),
        (Role::Lead, Promote::PullRequest)
    );
    let on_push = |name| example.environments[&env(name)].deploy_on_push;
    assert_eq!(
        (on_push("dev"), on_push("prod")),
        (true, false),
        "a push goes around nobody who must agree"
    );
    let approvals = prod.approvals.as_ref().unwrap();
    assert_eq!(
        (approvals.count, approvals.role, approvals.not_requester),
        (1, Role::Lead, true)
    );
    assert_eq!(
        example.environments[&env("dev")].deploy,
        Role::Developer,
        "the default"
    );
}

#[test]
fn each_server_says_how_to_log_in_and_which_key_is_its_own() {
    let example = example();
    for (name, environment) in &example.environments {
        let hosts: Vec<&str> = environment.hosts.keys().map(|host| host.as_str()).collect();
        assert_eq!(hosts, ["backend", "frontend"], "{name}");
        for host in environment.hosts.values() {
            assert_eq!(host.port, 22, "the default");
            let Some(Value::Plain(key)) = &host.host_key else {
                panic!("{name} has an unpinned host")
            };
            assert_eq!((key.len(), key.starts_with("SHA256:")), (50, true), "{key}");
        }
        let mut logins = environment.hosts.values().map(|host| &host.login);
        assert!(matches!(logins.next(), Some(HostLogin::Password(_))));
        assert!(matches!(
            logins.next(),
            Some(HostLogin::Key {
                passphrase: None,
                ..
            })
        ));
    }
}

#[test]
fn the_checklist_names_every_secret_that_a_deploy_needs() {
    let example = example();
    for environment in example.environments.keys() {
        for needed in example.secrets_of_deploy(environment) {
            assert!(
                example.secrets.contains_key(needed),
                "{needed} is missing in [secrets]"
            );
        }
    }
    let needed: Vec<&str> = example
        .secrets_of_deploy(&env("uat"))
        .into_iter()
        .map(|s| s.as_str())
        .collect();
    assert_eq!(
        needed,
        [
            "BACKEND_IP",
            "DO_ACCESS_TOKEN",
            "FRONTEND_HOST",
            "FRONTEND_SSH_KEY",
            "FRONTEND_USER",
            "GHCR_TOKEN",
            "GHCR_USER",
            "HOST",
            "SLACK_WEBHOOK_URL",
            "SSH_PASSWORD",
            "USER",
        ]
    );
    assert!(example.secrets[&secret("LOG_LEVEL")].optional);
    assert_eq!(
        example.secrets[&secret("VITE_API_BASE_URL")].environments,
        [env("dev")]
    );
}

#[test]
fn every_template_that_is_named_exists_and_asks_for_known_variables() {
    let templates = [
        (
            "env-config.js",
            include_str!("../../../docs/example/templates/env-config.js"),
        ),
        (
            "pm-frontend.conf",
            include_str!("../../../docs/example/templates/pm-frontend.conf"),
        ),
    ];
    let example = example();
    let named = example.components.values().flat_map(|c| {
        c.files
            .iter()
            .map(|file| &file.template)
            .chain(c.proxy.iter().map(|proxy| &proxy.template))
    });
    let mut count = 0;
    for name in named {
        let (_, text) = templates.iter().find(|(known, _)| known == name).unwrap();
        for asked in text.split("{{ vars.").skip(1) {
            let variable = asked.split(" }}").next().unwrap();
            for (environment, described) in &example.environments {
                assert!(
                    described.vars.contains_key(variable),
                    "{environment} has no {variable}"
                );
            }
        }
        count += 1;
    }
    assert_eq!(count, templates.len());
}

#[test]
fn a_manifest_survives_its_way_through_json() {
    let example = example();
    let text = serde_json::to_string(&example).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), example);
}
