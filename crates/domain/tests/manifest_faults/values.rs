//! Values of the right type that mean nothing, lead out of their place, or would give a secret away.
use crate::{check, small, told};

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
