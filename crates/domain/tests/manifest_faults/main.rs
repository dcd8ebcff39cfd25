//! What a manifest's author is told: for each kind of fault its place, its key, what is wrong and what to do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;

mod fitting;
mod values;

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
