//! Parts that do not fit together: unknown names, circles, and two that want the same.
use crate::common::EXAMPLE;
use crate::{SMALL, check, small, told};

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
fn two_that_write_the_same_file_on_one_host_are_told_apart() {
    let described = |name: &str, host: &str, file: &str| {
        format!(
            "[components.{name}]\nimage = \"shop-{name}\"\nbuild = {{}}\nhost = \"{host}\"\ncontainer = {{ name = \"{name}\" }}\n\
             files = [{{ template = \"a\", path = \"{file}\" }}]\n\
             proxy = {{ kind = \"nginx\", template = \"b\", health = \"http://localhost/\", path = \"/etc/nginx/{name}\" }}\n"
        )
    };
    let with = |second: &str| {
        let both = described("api", "web", "/srv/app/text") + second + "[environments.dev]";
        small("[environments.dev]", &both)
            + "hosts.other = { address = \"10.0.0.2\", user = \"root\", agent = true }\n"
    };
    let files = |host: &str| described("docs", host, "/srv//app/./text");
    assert_eq!(
        told(&with(&files("web"))),
        [
            "22:28: components.docs.files[0].path: `/srv//app/./text` is also `components.api.files[0].path` on the same host; give each its own"
        ]
    );
    let proxies = described("docs", "web", "/srv/docs").replace("nginx/docs", "nginx/api");
    assert_eq!(
        told(&with(&proxies)),
        [
            "23:73: components.docs.proxy.path: `/etc/nginx/api` is also `components.api.proxy.path` on the same host; give each its own"
        ]
    );
    let one = described("docs", "web", "/etc/nginx/docs").replace(
        "}]",
        "}, { template = \"c\", path = \"/srv/c\" }, { template = \"d\", path = \"/srv/c\" }]",
    );
    assert_eq!(
        told(&with(&one)),
        [
            "22:111: components.docs.files[2].path: `/srv/c` is also `components.docs.files[1].path` on the same host; give each its own",
            "23:73: components.docs.proxy.path: `/etc/nginx/docs` is also `components.docs.files[0].path` on the same host; give each its own",
        ]
    );
    for apart in [files("other"), described("docs", "web", "/srv/app/text2")] {
        assert_eq!(told(&with(&apart)), [""; 0], "{apart}");
    }
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
