//! What a manifest's author is told: for each kind of fault its place, its key, what is wrong and what to do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::EXAMPLE;
use domain::manifest::Manifest;

/// A manifest with nothing but what it must have.
const SMALL: &str = r#"name = "shop"
repository = "team/shop"
[[registries]]
name = "main"
prefix = "registry.example.com/team"
[components.web]
image = "shop-web"
build = {}
container = { name = "web" }
[environments.dev]
branch = "main"
hosts.web = { address = "10.0.0.1", user = "root", agent = true }
"#;

/// Every problem of `text`, as it is printed.
fn told(text: &str) -> Vec<String> {
    Manifest::parse(text)
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// [`SMALL`] with one thing replaced.
fn small(from: &str, to: &str) -> String {
    assert_eq!(
        SMALL.matches(from).count(),
        1,
        "{from:?} must stand in SMALL once"
    );
    SMALL.replace(from, to)
}

/// Each case: what stands in [`SMALL`], what stands there instead, and all that is told about it.
fn check(cases: &[(&str, &str, &[&str])]) {
    for (from, to, expected) in cases {
        assert_eq!(told(&small(from, to)), *expected, "{from:?} became {to:?}");
    }
}

#[test]
fn the_smallest_manifest_is_enough() {
    assert_eq!(told(SMALL), [""; 0]);
}

#[test]
fn an_unknown_key_is_told_with_the_known_one_that_was_meant() {
    check(&[
        (
            "build = {}",
            "build = { contxt = \".\" }",
            &["8:11: components.web.build.contxt: is not a known key; did you mean `context`?"],
        ),
        (
            "[[registries]]",
            "titel = \"Shop\"\n[[registries]]",
            &["3:1: titel: is not a known key; did you mean `title`?"],
        ),
        (
            "agent = true",
            "agent = true, prot = 22",
            &["12:66: environments.dev.hosts.web.prot: is not a known key; did you mean `port`?"],
        ),
        (
            "prefix = \"registry.example.com/team\"",
            "prefix = \"registry.example.com/team\"\nmirror = true",
            &[
                "6:1: registries[0].mirror: is not a known key; known keys here: name, password, prefix, username",
            ],
        ),
    ]);
}

#[test]
fn a_missing_section_is_told_with_an_example() {
    assert_eq!(
        told(""),
        [
            "1:1: name: is missing; add `name = \"projectmeats\"`",
            "1:1: repository: is missing; add `repository = \"owner/name\"`",
            "1:1: components: is missing; add `components = { backend = { … } }`",
            "1:1: environments: is missing; add `environments = { dev = { … } }`",
        ]
    );
    check(&[
        (
            "build = {}\n",
            "",
            &[
                "6:1: components.web.build: is missing; add `build = { context = \".\", dockerfile = \"Dockerfile\" }`",
            ],
        ),
        // Whether a configuration leads anywhere is asked through the web server, never left out.
        (
            "build = {}",
            "build = {}\nproxy = { kind = \"nginx\", path = \"/etc/nginx/conf.d/a.conf\", template = \"a.conf\" }",
            &["9:9: components.web.proxy.health: is missing; add `health = \"http://localhost/\"`"],
        ),
        (
            "branch = \"main\"\n",
            "",
            &["10:1: environments.dev.branch: is missing; add `branch = \"main\"`"],
        ),
        (
            "[[registries]]\nname = \"main\"\nprefix = \"registry.example.com/team\"\n",
            "",
            &["1:1: registries: is missing; add a `[[registries]]` table with `name` and `prefix`"],
        ),
        (
            "[components.web]\nimage = \"shop-web\"\nbuild = {}\ncontainer = { name = \"web\" }",
            "[components]",
            &[
                "6:2: components: is empty; describe at least one component, as `[components.backend]`",
            ],
        ),
        (
            "hosts.web = { address = \"10.0.0.1\", user = \"root\", agent = true }",
            "",
            &[
                "10:15: environments.dev.hosts: has no `web`, where component `web` runs; add `hosts.web = { address = …, user = …, … }`",
            ],
        ),
        (
            "hosts.web",
            "hosts.wbe",
            &[
                "12:1: environments.dev.hosts: has no `web`, where component `web` runs; did you mean `wbe`?",
            ],
        ),
    ]);
}

#[test]
fn a_wrong_type_is_told_with_the_one_that_was_expected() {
    check(&[
        (
            "\"shop-web\"",
            "7",
            &["7:9: components.web.image: expected a text in quotes, found a whole number"],
        ),
        (
            "build = {}",
            "build = \".\"",
            &["8:9: components.web.build: expected a table, found a text"],
        ),
        (
            "[components.web]",
            "[[components.web]]",
            &["6:1: components.web: expected a table, found a list"],
        ),
        (
            "agent = true",
            "agent = \"yes\"",
            &["12:60: environments.dev.hosts.web.agent: expected true or false, found a text"],
        ),
        (
            "name = \"web\"",
            "name = \"web\", ports = \"80:80\"",
            &["9:37: components.web.container.ports: expected a list, found a text"],
        ),
        (
            "name = \"web\"",
            "name = \"web\", ports = [\"80:80\", 81]",
            &[
                "9:47: components.web.container.ports[1]: expected a text in quotes, found a whole number",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", cpus = 2026-11-23",
            &["9:36: components.web.container.cpus: expected a number, found a date"],
        ),
    ]);
}

#[test]
fn a_value_of_the_wrong_shape_is_told_with_an_example() {
    check(&[
        (
            "name = \"shop\"",
            "name = \"Šhop\"",
            &[
                "1:8: name: `Šhop` is not a project name: expected 1-40 lower-case letters, digits and hyphens, starting with a letter",
            ],
        ),
        (
            "\"team/shop\"",
            "\"https://github.com/team/shop\"",
            &["2:14: repository: a repository is `owner/name`, as in `Meats-Central/ProjectMeats`"],
        ),
        (
            "branch = \"main\"",
            "branch = \"a..b\"",
            &["11:10: environments.dev.branch: not a branch name that git accepts"],
        ),
        (
            "[components.web]",
            "[components.Web]",
            &[
                "6:13: components.Web: `Web` is not a component name: expected 1-40 lower-case letters, digits and hyphens, starting with a letter",
            ],
        ),
        (
            "build = {}",
            "build = { timeout = \"1 hour\" }",
            &[
                "8:21: components.web.build.timeout: a time is a whole number and a unit, such as `250ms`, `5s`, `2m` or `1h`",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", ports = [\"8000\"]",
            &[
                "9:38: components.web.container.ports[0]: a port is `[ADDRESS:]HOST:CONTAINER[/tcp|udp|sctp]`, as in `8000:8000`",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", volumes = [\"./a:/b\"]",
            &[
                "9:40: components.web.container.volumes[0]: a volume is `SOURCE:TARGET[:ro]`, as in `/srv/media:/app/media`; the target is an absolute path",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", restart = \"allways\"",
            &[
                "9:39: components.web.container.restart: `allways` is not known here; use one of `no`, `always`, `unless-stopped`, `on-failure`",
            ],
        ),
        (
            "agent = true",
            "agent = true, port = 0",
            &[
                "12:73: environments.dev.hosts.web.port: is out of range; give a whole number from 1 to 65535",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", cpus = -0.5",
            &["9:36: components.web.container.cpus: is out of range; give a number above 0"],
        ),
        (
            "name = \"web\"",
            "name = \"web\", env = { \"A=B\" = \"1\" }",
            &[
                "9:37: components.web.container.env.A=B: a name may not hold `=` or control characters",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web\", env = { A = \"\\u0000\" }",
            &["9:41: components.web.container.env.A: holds a NUL character; remove it"],
        ),
        (
            "build = {}",
            "build = {}\nfiles = [{ path = \"/a\", template = \"a\", mode = \"999\" }]",
            &[
                "9:10: components.web.files[0]: `999` is not a file mode; give octal digits, as in \"0644\"",
            ],
        ),
        (
            "build = {}",
            "build = {}\nhealth = { url = \"localhost:8000\" }",
            &[
                "9:12: components.web.health.url: `localhost:8000` cannot be probed; give an http:// URL as seen from the host, such as `http://localhost:8000/health/`",
            ],
        ),
    ]);
}

#[test]
fn tests_that_could_not_be_run_are_refused() {
    check(&[
        (
            "build = {}",
            "build = {}\ntest = { in = \"node:18\", run = [], dir = \"/srv\", report = \"\" }",
            &[
                "9:26: components.web.test.run: is empty; give the command that tests, as in `[\"make test\"]`",
                "9:36: components.web.test.dir: `/srv` is not a path inside the repository; leave out a leading `/` and `..`",
                "9:50: components.web.test.report: is not a path; give the file that the tests write, such as `junit.xml`",
            ],
        ),
        (
            "build = {}",
            "build = {}\ntest = { in = \"node:18\", run = [\"x\"], services = { \"my db\" = { image = \"postgres\" } } }",
            &[
                "9:39: components.web.test.services: `my db` cannot be a host name; use letters, digits, `-`, `_` and `.`",
            ],
        ),
    ]);
}

#[test]
fn what_is_secret_by_its_nature_may_only_be_named() {
    let login = "hosts.web = { address = \"10.0.0.1\", user = \"root\", agent = true }";
    let says = "holds a secret itself; put it into a secret source of the portal, and name it here as in `secret:NAME`";
    let prefix = "prefix = \"registry.example.com/team\"";
    for (from, to, place) in [
        (
            login,
            "hosts.web = { address = \"10.0.0.1\", user = \"root\", password = \"hunter2\" }",
            "12:52: environments.dev.hosts.web.password",
        ),
        (
            login,
            "hosts.web = { address = \"10.0.0.1\", user = \"root\", key = \"secret:K\", passphrase = \"x\" }",
            "12:70: environments.dev.hosts.web.passphrase",
        ),
        (
            prefix,
            "prefix = \"registry.example.com/team\"\nusername = \"team\"\npassword = \"hunter2\"",
            "7:1: registries[0].password",
        ),
        (
            "[components.web]",
            "[notify]\nslack = \"https://hooks.example/T0/B0/x\"\n[components.web]",
            "7:1: notify.slack",
        ),
        (
            "[components.web]",
            "[notify.webhook]\nurl = \"https://ops.example/\"\nsecret = \"hunter2\"\n[components.web]",
            "8:1: notify.webhook.secret",
        ),
        (
            login,
            "notify = { slack = \"https://hooks.example/T0/B0/x\" }\nhosts.web = { address = \"10.0.0.1\", user = \"root\", agent = true }",
            "12:12: environments.dev.notify.slack",
        ),
    ] {
        let told = told(&small(from, to));
        assert_eq!(told, [format!("{place}: {says}")]);
        assert!(!told[0].contains("hunter2"), "it is not repeated");
    }
}

#[test]
fn a_path_that_leaves_its_place_is_refused() {
    check(&[
        (
            "build = {}",
            "build = { context = \"../other\" }",
            &[
                "8:11: components.web.build.context: `../other` is not a path inside the repository; leave out a leading `/` and `..`",
            ],
        ),
        (
            "build = {}",
            "build = {}\nfiles = [{ path = \"/a\", template = \"a\" }, { path = \"b\", template = \"../secrets.env\" }]",
            &[
                "9:45: components.web.files[1].path: `b` is not an absolute path; start it with `/` and leave out `..`",
                "9:57: components.web.files[1].template: `../secrets.env` is not the name of a template; name a file of the project's `templates` folder",
            ],
        ),
        (
            "name = \"web\"",
            "name = \"web; reboot\"",
            &[
                "9:15: components.web.container.name: `web; reboot` is not a container name; use letters, digits, `-`, `_` and `.`",
            ],
        ),
    ]);
}

#[test]
fn a_secret_stands_only_where_it_stays_one() {
    check(&[
        (
            "agent = true",
            "password = \"secret:ssh-password\"",
            &[
                "12:63: environments.dev.hosts.web.password: a secret is named like an environment variable: letters, digits and `_`, as in `secret:SSH_PASSWORD`",
            ],
        ),
        (
            "build = {}",
            "build = { args = { TOKEN = \"secret:TOKEN\" } }",
            &[
                "8:20: components.web.build.args.TOKEN: is a secret; build arguments stay readable in the image; give the secret to the container instead",
            ],
        ),
    ]);
}

#[test]
fn a_host_without_exactly_one_way_to_log_in_is_refused() {
    let expected = "12:13: environments.dev.hosts.web: does not say how to log in; give exactly one of `password`, `key` (with or without `passphrase`) or `agent = true`";
    for login in [
        "agent = false",
        "password = \"secret:A\", key = \"secret:B\"",
        "password = \"secret:A\", passphrase = \"secret:B\"",
        "agent = true, key = \"secret:B\"",
    ] {
        assert_eq!(told(&small("agent = true", login)), [expected], "{login}");
    }
}

#[test]
fn a_reference_to_something_unknown_is_told_with_what_was_meant() {
    check(&[
        (
            "image = \"shop-web\"",
            "after = [\"bakend\"]\nimage = \"shop-web\"",
            &[
                "7:1: components.web.after: there is no component `bakend`; name a component of this file",
            ],
        ),
        (
            "image = \"shop-web\"",
            "after = [\"wbe\"]\nimage = \"shop-web\"",
            &["7:1: components.web.after: there is no component `wbe`; did you mean `web`?"],
        ),
        (
            "branch = \"main\"",
            "branch = \"main\"\nfollows = \"deb\"",
            &["12:1: environments.dev.follows: there is no environment `deb`; did you mean `dev`?"],
        ),
        (
            "[components.web]",
            "[secrets]\nA = { environments = [\"prod\"] }\n[components.web]",
            &[
                "7:7: secrets.A.environments: there is no environment `prod`; name an environment of this file",
            ],
        ),
    ]);
}

#[test]
fn a_circle_is_told_with_its_way_round() {
    check(&[(
        "image = \"shop-web\"",
        "after = [\"web\"]\nimage = \"shop-web\"",
        &["7:1: components.web.after: goes round in a circle: web → web; take one of them out"],
    )]);
    let mut text = EXAMPLE.replacen(
        "[components.backend]",
        "[components.backend]\nafter = [\"frontend\"]",
        1,
    );
    text = text.replacen(
        "branch = \"development\"",
        "branch = \"development\"\nfollows = \"prod\"",
        1,
    );
    let told = told(&text);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].ends_with("components.backend.after: goes round in a circle: backend → frontend → backend; take one of them out"));
    assert!(told[1].ends_with("environments.dev.follows: goes round in a circle: dev → prod → uat → dev; let one environment follow none"));
}

#[test]
fn two_circles_are_both_told() {
    let environment = |name: &str, follows: &str| {
        format!(
            "[environments.{name}]\nbranch = \"{name}\"\nfollows = \"{follows}\"\nhosts.web = {{ address = \"a\", user = \"b\", agent = true }}\n"
        )
    };
    let circles = environment("a", "b")
        + &environment("b", "a")
        + &environment("c", "d")
        + &environment("d", "c");
    let told = told(&format!("{SMALL}{circles}"));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("environments.a.follows: goes round in a circle: a → b → a"));
    assert!(told[1].contains("environments.c.follows: goes round in a circle: c → d → c"));
}

#[test]
fn two_things_that_want_the_same_name_or_port_are_told_apart() {
    let second = "[components.api]\nimage = \"shop-api\"\nbuild = {}\nhost = \"web\"\ncontainer = { name = \"NAME\", ports = [\"PORT\"] }\n[environments.dev]";
    let with = |name: &str, port: &str| {
        small(
            "[environments.dev]",
            &second.replace("NAME", name).replace("PORT", port),
        )
        .replace(
            "container = { name = \"web\" }",
            "container = { name = \"web\", ports = [\"127.0.0.1:80:80\"] }",
        )
    };
    assert_eq!(
        told(&with("web", "0.0.0.0:80:8080")),
        [
            "14:15: components.api.container.name: `web` is the name of `web`'s container on the same host; give each its own",
            "14:38: components.api.container.ports[0]: port 80 is `web`'s on the same host; give each its own",
        ]
    );
    for apart in ["81:80", "80:80/udp", "127.0.0.2:80:80"] {
        assert_eq!(told(&with("api", apart)), [""; 0], "{apart}");
    }
    check(&[(
        "[components.web]",
        "[[registries]]\nname = \"main\"\nprefix = \"UPPER\"\nusername = \"u\"\n[components.web]",
        &[
            "6:1: registries[1]: has only one of `username` and `password`; give both or none",
            "7:1: registries[1].name: `main` is taken; give each registry its own name",
            "8:1: registries[1].prefix: `UPPER` is not a registry's host and path in lower case; write it as in `registry.digitalocean.com/team`",
        ],
    )]);
    let twice = format!(
        "{SMALL}[environments.uat]\nbranch = \"main\"\nhosts.web = {{ address = \"a\", user = \"b\", agent = true }}\n"
    );
    assert_eq!(
        told(&twice),
        ["14:1: environments.uat.branch: `main` is already the branch of `dev`; give each its own"]
    );
}

#[test]
fn what_is_not_toml_is_told_where_it_begins() {
    let syntax = "; see https://toml.io for the syntax";
    for (from, to, expected) in [
        (
            "\"shop\"",
            "shop",
            "1:8: string values must be quoted, expected literal string",
        ),
        (
            "\"shop-web\"",
            "\"shop-web",
            "7:18: invalid basic string, expected `\"`",
        ),
        ("image =", "image = \"x\"\nimage =", "8:1: duplicate key"),
        // Nothing is said to be missing that the fault itself may have swallowed.
        (
            "[components.web]",
            "[components.web",
            "6:16: unclosed table, expected `]`",
        ),
        (
            "\"shop-web\"",
            "",
            "7:9: string values must be quoted, expected literal string",
        ),
    ] {
        assert_eq!(
            told(&small(from, to)),
            [format!("{expected}{syntax}")],
            "{from:?} became {to:?}"
        );
    }
}

#[test]
fn columns_count_characters_and_any_line_end_will_do() {
    assert_eq!(
        told(&small(
            "branch = \"main\"",
            "vars = { \"größe\" = 1 }\nbranch = \"main\""
        )),
        ["11:20: environments.dev.vars.größe: expected a text in quotes, found a whole number"]
    );
    let windows = small("build = {}", "build = { contxt = \".\" }").replace('\n', "\r\n");
    assert_eq!(
        told(&windows),
        ["8:11: components.web.build.contxt: is not a known key; did you mean `context`?"]
    );
    assert_eq!(told(&format!("\u{feff}{SMALL}")), [""; 0]);
}

#[test]
fn whole_numbers_may_be_written_as_toml_allows() {
    let text = small("name = \"web\"", "name = \"web\", cpus = 0x10")
        .replace("agent = true", "agent = true, port = 2_222");
    let manifest = Manifest::parse(&text).unwrap();
    let (web, dev) = (&manifest.components[0], &manifest.environments[0]);
    assert_eq!((web.container.cpus, dev.hosts[0].port), (Some(16.0), 2222));
}

#[test]
fn several_faults_are_all_told_in_the_order_of_the_file() {
    let text = small("\"shop\"\n", "\"Shop\"\n")
        .replace("build = {}", "build = { contxt = \".\", timeout = 5 }")
        .replace("name = \"web\"", "name = \"web\", ports = [\"80\", \"x\"]")
        .replace("branch = \"main\"\n", "")
        .replace("agent = true", "agent = 1");
    assert_eq!(
        told(&text),
        [
            "1:8: name: `Shop` is not a project name: expected 1-40 lower-case letters, digits and hyphens, starting with a letter",
            "8:11: components.web.build.contxt: is not a known key; did you mean `context`?",
            "8:35: components.web.build.timeout: expected a text in quotes, found a whole number",
            "9:38: components.web.container.ports[0]: a port is `[ADDRESS:]HOST:CONTAINER[/tcp|udp|sctp]`, as in `8000:8000`",
            "9:44: components.web.container.ports[1]: a port is `[ADDRESS:]HOST:CONTAINER[/tcp|udp|sctp]`, as in `8000:8000`",
            "10:1: environments.dev.branch: is missing; add `branch = \"main\"`",
            "11:60: environments.dev.hosts.web.agent: expected true or false, found a whole number",
        ]
    );
}

#[test]
fn an_unknown_key_does_not_hide_how_the_parts_fit_together() {
    let text = small(
        "image = \"shop-web\"",
        "after = [\"web\"]\nimage = \"shop-web\"",
    )
    .replace("build = {}", "build = { contxt = \".\" }");
    assert_eq!(
        told(&text),
        [
            "7:1: components.web.after: goes round in a circle: web → web; take one of them out",
            "9:11: components.web.build.contxt: is not a known key; did you mean `context`?",
        ]
    );
}
