//! The redactor against forms that were made by other people's encoders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use adapters::redact::{MARK, Redactor};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use secrecy::SecretString;

const PEM: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\nQyNTUxOQAAACDvb\n-----END OPENSSH PRIVATE KEY-----\n";

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<SecretString> = secrets
        .iter()
        .map(|text| SecretString::from(*text))
        .collect();
    Redactor::new(&secrets).unwrap()
}

fn in_chunks(redactor: &Redactor, text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut stream = redactor.stream();
    let (mut out, mut rest, mut sizes) = (Vec::new(), text, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
        out.extend(stream.feed(&rest[..size]));
        rest = &rest[size..];
    }
    out.extend(stream.finish());
    out
}

fn whole(redactor: &Redactor, text: &str) -> String {
    String::from_utf8(in_chunks(redactor, text.as_bytes(), &[usize::MAX])).unwrap()
}

#[test]
fn every_form_is_taken_out() {
    let secret = "p@ss w/rd+\"é<";
    let redactor = redactor(&[secret]);
    for form in [
        secret,
        "p%40ss%20w%2Frd%2B%22%C3%A9%3C",
        "p%40ss%20w%2frd%2b%22%c3%a9%3c",
        "p%40ss+w%2Frd%2B%22%C3%A9%3C",
        "p@ss w/rd+\\\"é<",
        "p@ss w\\/rd+\\\"\\u00e9<",
        "p@ss w/rd+\\\"\\u00e9\\u003c",
        "p@ss w/rd+\\\"é\\u003c",
        &BASE64_STANDARD.encode(secret),
        &BASE64_URL_SAFE_NO_PAD.encode(secret),
    ] {
        assert_eq!(
            whole(&redactor, &format!("a {form} b")),
            format!("a {MARK} b"),
            "{form}"
        );
        assert_eq!(
            redactor.redact_line(&format!("a {form} b")),
            format!("a {MARK} b"),
            "{form}"
        );
    }
}

#[test]
fn forms_made_by_the_libraries_of_this_project_are_taken_out() {
    let secret = "a&b=c?d/e:f@g h~'(é)*";
    let mut url = url::Url::parse("postgres://u@db/x").unwrap();
    url.set_password(Some(secret)).unwrap();
    url.query_pairs_mut().append_pair("key", secret);
    let json = serde_json::json!({ "key": secret }).to_string();
    let redactor = redactor(&[secret]);
    assert_eq!(
        whole(&redactor, url.as_str()),
        format!("postgres://u:{MARK}@db/x?key={MARK}")
    );
    assert_eq!(whole(&redactor, &json), format!("{{\"key\":\"{MARK}\"}}"));
}

#[test]
fn a_secret_inside_of_encoded_text_leaves_at_most_a_character_at_each_end() {
    let secret = "correct horse battery";
    let redactor = redactor(&[secret]);
    for before in ["", "u", "us", "use"] {
        for after in ["", "x", "xy", "xyz"] {
            let encoded = BASE64_STANDARD.encode(format!("{before}{secret}{after}"));
            let out = whole(&redactor, &encoded);
            assert!(out.contains(MARK), "{before} {after}: {out}");
            let left = out.replacen(MARK, "", 1).trim_end_matches('=').len();
            let outside = (before.len() + after.len()) * 4 / 3;
            assert!(left <= outside + 3, "{before:?} {after:?}: {out}");
        }
    }
}

#[test]
fn a_key_of_several_lines_is_taken_out_line_by_line_and_whole() {
    let redactor = redactor(&[PEM]);
    assert_eq!(
        redactor.redact_line("key: b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"),
        format!("key: {MARK}")
    );
    assert_eq!(
        redactor.redact_line("-----BEGIN OPENSSH PRIVATE KEY-----"),
        "-----BEGIN OPENSSH PRIVATE KEY-----"
    );
    for text in [
        PEM.to_owned(),
        PEM.trim().replace('\n', "\r\n"),
        serde_json::to_string(PEM).unwrap(),
    ] {
        let out = whole(&redactor, &text);
        assert!(
            out.contains(MARK) && !out.contains("b3Blb") && !out.contains("QyNT"),
            "{out}"
        );
    }
    let wrapped: Vec<String> = BASE64_STANDARD
        .encode(PEM)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    for line in &wrapped {
        assert_eq!(redactor.redact_line(line), MARK);
    }
}

#[test]
fn overlapping_secrets_leave_nothing_of_either() {
    let redactor = redactor(&["abcd1234", "1234wxyz", "4wxy"]);
    assert_eq!(whole(&redactor, "-abcd1234wxyz-"), format!("-{MARK}-"));
    assert_eq!(redactor.redact_line("abcd1234wxy"), MARK);
}

#[test]
fn ordinary_text_is_given_out_at_once() {
    let redactor = redactor(&["hunter2"]);
    let mut stream = redactor.stream();
    assert_eq!(stream.feed(b"hello\n"), b"hello\n");
    assert_eq!(stream.feed(b"a hunt"), b"a ");
    assert_eq!(stream.feed(b"er"), b"");
    assert_eq!(stream.feed(b"s hunter"), b"hunters ");
    assert_eq!(stream.feed(b"2!"), format!("{MARK}!").as_bytes());
    assert_eq!(stream.feed(b"hunter"), b"");
    assert_eq!(stream.finish(), b"hunter");
}

#[test]
fn short_secrets_are_left_alone_and_counted() {
    let redactor = redactor(&["abc", "", "1\n"]);
    assert_eq!(redactor.too_short(), 2);
    assert_eq!(redactor.redact_line("abc 1"), "abc 1");
    assert_eq!(whole(&redactor, "abc 1"), "abc 1");
}

#[test]
fn a_redactor_does_not_show_what_it_looks_for() {
    assert!(!format!("{:?}", redactor(&["hunter2"])).contains("hunter2"));
}

/// Text in which secrets, their forms and their beginnings are frequent.
fn text(secrets: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let piece = (
        0..secrets.len(),
        0..8_u8,
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<u8>(), 0..6),
    );
    prop::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut out = Vec::new();
        for (which, kind, cut, noise) in pieces {
            let secret = &secrets[which];
            match kind {
                0 | 1 => out.extend(secret.as_bytes()),
                2 => out.extend(BASE64_STANDARD.encode(secret).as_bytes()),
                3 => out.extend(BASE64_URL_SAFE_NO_PAD.encode(secret).as_bytes()),
                4 => out.extend(serde_json::to_string(secret).unwrap().as_bytes()),
                5 => out.extend(
                    url::form_urlencoded::byte_serialize(secret.as_bytes()).flat_map(str::bytes),
                ),
                6 => out.extend(&secret.as_bytes()[..cut.index(secret.len())]),
                _ => out.extend(noise),
            }
        }
        out
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

proptest! {
    #[test]
    fn whatever_the_chunks_the_result_is_the_same_and_holds_no_secret(
        // Few letters, so that secrets overlap and repeat; none of them in the mark.
        (secrets, text) in prop::collection::vec("[ab]{3}[ab é\"%\n]{0,9}[xy]", 1..4).prop_flat_map(|s| (Just(s.clone()), text(s))),
        sizes in prop::collection::vec(1_usize..9, 1..6),
    ) {
        let all: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = redactor(&all);
        let at_once = in_chunks(&redactor, &text, &[usize::MAX]);
        prop_assert_eq!(&in_chunks(&redactor, &text, &sizes), &at_once);
        prop_assert_eq!(&in_chunks(&redactor, &text, &[1]), &at_once);
        for secret in &secrets {
            for form in [
                secret.clone(),
                BASE64_STANDARD.encode(secret),
                BASE64_URL_SAFE_NO_PAD.encode(secret),
                serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            ] {
                prop_assert!(!contains(&at_once, form.as_bytes()), "{form:?} is left");
            }
        }
    }

    #[test]
    fn a_text_without_secrets_is_not_changed(text in "[c-w\n]{0,300}", sizes in prop::collection::vec(1_usize..9, 1..6)) {
        let redactor = redactor(&["abab-abab", "xyxyxyxy"]);
        prop_assert_eq!(in_chunks(&redactor, text.as_bytes(), &sizes), text.as_bytes());
    }
}
