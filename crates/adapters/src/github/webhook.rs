//! What GitHub sends by itself: whether a delivery is GitHub's, and what of it is kept
//! (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).
use domain::push::{Push, Told};
use domain::{Login, Sha};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

/// GitHub lists at most this many commits in one payload: as many may be all, or not.
const LISTED: usize = 2048;
/// The most of a commit's title that is kept.
const TITLE: usize = 300;

/// Whether the body was signed with this secret. `signature` is the header `X-Hub-Signature-256`. The comparison takes
/// as long for any wrong signature.
pub fn is_signed(secret: &SecretString, signature: &str, body: &[u8]) -> bool {
    let Some(Ok(given)) = signature.strip_prefix("sha256=").map(hex::decode) else {
        return false;
    };
    // Anybody can sign with an empty one.
    if secret.expose_secret().is_empty() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

/// Only what is used; a payload has hundreds of fields.
#[derive(Deserialize)]
struct AnyPayload {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    before: String,
    after: String,
    #[serde(default)]
    commits: Vec<Listed>,
    head_commit: Option<Head>,
    pusher: Option<Named>,
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

#[derive(Deserialize)]
struct Head {
    message: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

/// The repository that a signed payload is about (empty where it names none), and what is kept of it.
pub fn read(event: &str, json: &[u8]) -> (String, Told) {
    let other = |why: String| Told::Other { why };
    let repository = match serde_json::from_slice::<AnyPayload>(json) {
        Ok(payload) => payload.repository.map(|found| found.full_name),
        Err(error) => return (String::new(), other(unreadable(&error))),
    };
    let told = match event {
        "ping" => other("GitHub says hello: the webhook works".into()),
        "push" => match serde_json::from_slice(json) {
            Ok(payload) => push(payload).map_or_else(other, Told::Push),
            Err(error) => other(unreadable(&error)),
        },
        event => other(format!(
            "nothing is done about the event `{event}`; let the webhook send pushes only"
        )),
    };
    (repository.unwrap_or_default(), told)
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("the payload is not what GitHub documents: {error}")
}

fn push(payload: PushPayload) -> Result<Push, String> {
    let PushPayload {
        reference,
        before,
        after,
        commits,
        head_commit,
        pusher,
        sender,
    } = payload;
    // Who has the account that pushed; `pusher` may be a word such as `none`.
    let names = sender.map(|account| account.login).into_iter();
    let mut names = names.chain(pusher.map(|named| named.name));
    let by = names.find_map(|name| Login::parse(name).ok());
    let (before, after) = (place(&before)?, place(&after)?);
    let commits = match before {
        None if commits.len() < LISTED => {
            let ids = commits.into_iter().map(|commit| Sha::parse(commit.id));
            let ids: Result<Vec<_>, _> = ids.collect();
            Some(ids.map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let message = head_commit.map(|head| head.message).unwrap_or_default();
    Ok(Push {
        reference,
        before,
        after,
        commits,
        title: message
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|letter| !letter.is_control())
            .take(TITLE)
            .collect(),
        by: by.ok_or("the payload names nobody who pushed")?,
    })
}

/// Nothing is written as forty zeros.
fn place(text: &str) -> Result<Option<Sha>, String> {
    if !text.is_empty() && text.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    Sha::parse(text)
        .map(Some)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// GitHub's own example (<https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>).
    #[test]
    fn a_signature_is_github_s_or_none() {
        let secret = SecretString::from("It's a Secret to Everybody");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed(&secret, good, b"Hello, World!"));
        assert!(!is_signed(&secret, good, b"Hello, World"));
        assert!(!is_signed(
            &SecretString::from("another"),
            good,
            b"Hello, World!"
        ));
        for wrong in [
            "",
            "sha256=",
            "sha256=75",
            "sha1=757107ea",
            &good[7..],
            "sha256=zz",
        ] {
            assert!(!is_signed(&secret, wrong, b"Hello, World!"), "{wrong}");
        }
    }

    fn payload() -> Value {
        json!({
            "ref": "refs/heads/main", "before": "a".repeat(40), "after": "b".repeat(40), "forced": false,
            "commits": [{"id": "b".repeat(40), "message": "x", "added": ["a"]}],
            "head_commit": {"id": "b".repeat(40), "message": "Weigh\0 cuts\n\nby the kilo"},
            "pusher": {"name": "none"}, "sender": {"login": "dev"}, "repository": {"full_name": "Acme/Shop"},
        })
    }

    fn told(payload: &Value) -> Told {
        read("push", payload.to_string().as_bytes()).1
    }

    #[test]
    fn of_a_push_is_kept_what_is_used() {
        let (repository, told) = read("push", payload().to_string().as_bytes());
        assert_eq!(repository, "Acme/Shop");
        let expected = Push {
            reference: "refs/heads/main".into(),
            before: Sha::parse("a".repeat(40)).ok(),
            after: Sha::parse("b".repeat(40)).ok(),
            commits: None,
            title: "Weigh cuts".into(),
            by: Login::parse("dev").unwrap(),
        };
        assert_eq!(told, Told::Push(expected));
    }

    #[test]
    fn of_a_new_branch_the_commits_are_kept_where_they_are_all() {
        let mut new = payload();
        new["before"] = json!("0".repeat(40));
        let commits = |told| match told {
            Told::Push(push) => push.commits.map(|commits| commits.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(commits(told(&new)), Some(1));
        new["commits"] = vec![json!({"id": "b".repeat(40)}); LISTED].into();
        assert_eq!(commits(told(&new)), None);
    }

    #[test]
    fn what_is_no_push_says_why_it_starts_nothing() {
        let why = |event: &str, payload: &Value| match read(event, payload.to_string().as_bytes()) {
            (_, Told::Other { why }) => why,
            other => panic!("{other:?}"),
        };
        assert!(why("ping", &json!({"zen": "x"})).contains("hello"));
        assert!(why("star", &payload()).contains("`star`"));
        assert!(why("push", &json!({"ref": 1})).contains("not what GitHub documents"));
        assert!(why("push", &json!([])).contains("not what GitHub documents"));
        let mut nobody = payload();
        nobody["sender"] = Value::Null;
        nobody["pusher"]["name"] = json!("no login");
        assert!(why("push", &nobody).contains("nobody"));
        let mut odd = payload();
        odd["after"] = json!("main");
        assert!(why("push", &odd).contains("commit id"));
    }
}
