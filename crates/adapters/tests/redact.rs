//! The redactor against forms that were made by other people's encoders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use adapters::redact::{MARK, Redactor, too_short};
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

/// A line that comes character by character and is cut as soon as it has this size, and its pieces redacted by themselves.
fn in_pieces(redactor: &Redactor, line: &str, size: usize) -> String {
    let (mut held, mut out) = (String::new(), String::new());
    for c in line.chars() {
        held.push(c);
        if held.len() >= size {
            let piece: String = held.drain(..redactor.cut(held.as_bytes())).collect();
            out += &redactor.redact_line(&piece);
        }
    }
    out + &redactor.redact_line(&held)
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
        redactor.redact_line(url.as_str()),
        format!("postgres://u:{MARK}@db/x?key={MARK}")
    );
    assert_eq!(
        redactor.redact_line(&json),
        format!("{{\"key\":\"{MARK}\"}}")
    );
}

#[test]
fn a_secret_inside_of_encoded_text_leaves_at_most_a_character_at_each_end() {
    let secret = "correct horse battery";
    let redactor = redactor(&[secret]);
    for before in ["", "u", "us", "use"] {
        for after in ["", "x", "xy", "xyz"] {
            let encoded = BASE64_STANDARD.encode(format!("{before}{secret}{after}"));
            let out = redactor.redact_line(&encoded);
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
        let out = redactor.redact_line(&text);
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
    assert_eq!(redactor.redact_line("-abcd1234wxyz-"), format!("-{MARK}-"));
    assert_eq!(redactor.redact_line("abcd1234wxy"), MARK);
}

#[test]
fn what_is_learned_later_is_looked_for_beside_the_rest() {
    let mut known = redactor(&["abcd1234"]);
    known.add(redactor(&["1234wxyz"]));
    assert_eq!(known.redact_line("-abcd1234wxyz-"), format!("-{MARK}-"));
    assert_eq!(known.cut(b"-abcd1234wx"), 1);
}

#[test]
fn a_line_is_cut_beside_a_secret_and_not_within() {
    let redactor = redactor(&["hunter2", "ter2+more"]);
    for (text, at) in [
        ("hello!", 6),
        ("a hunt", 2),
        ("a hunters!", 10),
        ("hunter", 0),
        ("a hunter2 b!", 12),
        // The first is whole, and its end may be the beginning of the other one.
        ("a hunter2", 2),
        ("hunter2hunter2!", 15),
    ] {
        assert_eq!(redactor.cut(text.as_bytes()), at, "{text}");
    }
    assert_eq!(Redactor::default().cut(b"hunter"), 6);
}

#[test]
fn a_line_of_nothing_but_secrets_is_not_held_back_for_ever() {
    let redactor = redactor(&["aaaa"]);
    assert_eq!(redactor.cut(&b"a".repeat(1000)), 0);
    let much = 5 << 20;
    assert_eq!(redactor.cut(&b"a".repeat(much)), much);
}

#[test]
fn short_secrets_are_left_alone_and_told_from_empty_ones() {
    let short = |text: &str| too_short(&SecretString::from(text));
    assert!(short("abc") && short("1\n"));
    assert!(!short("") && !short(" \n") && !short("abcd"));
    let redactor = redactor(&["abc", "", "1\n"]);
    assert_eq!(redactor.redact_line("abc 1"), "abc 1");
}

#[test]
fn a_redactor_does_not_show_what_it_looks_for() {
    assert!(!format!("{:?}", redactor(&["hunter2"])).contains("hunter2"));
}

/// Text in which secrets, their forms and their beginnings are frequent.
fn text(secrets: Vec<String>) -> impl Strategy<Value = String> {
    let piece = (
        0..secrets.len(),
        0..8_u8,
        any::<prop::sample::Index>(),
        "[ -~é]{0,6}",
    );
    prop::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut out = String::new();
        for (which, kind, cut, noise) in pieces {
            let secret = &secrets[which];
            match kind {
                0 | 1 => out += secret,
                2 => out += &BASE64_STANDARD.encode(secret),
                3 => out += &BASE64_URL_SAFE_NO_PAD.encode(secret),
                4 => out += &serde_json::to_string(secret).unwrap(),
                5 => out.extend(url::form_urlencoded::byte_serialize(secret.as_bytes())),
                6 => out.extend(secret.chars().take(cut.index(secret.chars().count()))),
                _ => out += &noise,
            }
        }
        out
    })
}

/// Marks that a cut has put beside each other count as one.
fn as_one(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains(&MARK.repeat(2)) {
        text = text.replace(&MARK.repeat(2), MARK);
    }
    text
}

proptest! {
    #[test]
    fn wherever_a_line_is_cut_the_result_is_the_same_and_holds_no_secret(
        // Few letters, so that secrets overlap and repeat; none of them in the mark.
        (secrets, text) in prop::collection::vec("[ab]{3}[ab é\"%\n]{0,9}[xy]", 1..4).prop_flat_map(|s| (Just(s.clone()), text(s))),
        size in 1_usize..40,
    ) {
        let all: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = redactor(&all);
        let at_once = redactor.redact_line(&text);
        prop_assert_eq!(as_one(&in_pieces(&redactor, &text, size)), as_one(&at_once));
        for secret in &secrets {
            for form in [
                secret.clone(),
                BASE64_STANDARD.encode(secret),
                BASE64_URL_SAFE_NO_PAD.encode(secret),
                serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            ] {
                prop_assert!(!at_once.contains(&form), "{form:?} is left");
            }
        }
    }

    #[test]
    fn a_text_without_secrets_is_not_changed(text in "[c-w\n]{0,300}") {
        let redactor = redactor(&["abab-abab", "xyxyxyxy"]);
        prop_assert_eq!(redactor.redact_line(&text), text.as_str());
    }
}
