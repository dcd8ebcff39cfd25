//! The forms in which a secret shows up in logs: as it is, line by line, in base64, percent-encoded, JSON-escaped.
use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, general_purpose::PAD};

use super::SHORTEST;

/// Bytes that encoders leave as they are, beside letters and digits. The first entry of each pair is what stands for a space.
const URL_ENCODERS: [(&str, &str); 6] = [
    ("%20", "-._~"),                 // RFC 3986
    ("%20", "-._~/"),                // Python's quote
    ("%20", "-._~!*'()"),            // encodeURIComponent
    ("%20", "-._~!*'();,/?:@&=+$#"), // encodeURI
    ("%20", "-._~!*'()&+,%$"), // user and password in a URL, as browsers and Rust's url write them
    ("+", "-._*"),             // HTML forms
];

/// `base64` and MIME break lines at 76 characters, PEM and OpenSSL at 64.
const BASE64_LINES: [usize; 2] = [76, 64];

/// Adds every form of a secret that is long enough to be looked for.
pub(super) fn add(value: &str, forms: &mut HashSet<String>) {
    // A value from a file often ends in a line break that is not there when it is used.
    for text in [value, value.trim()] {
        add_lines(text, forms);
        add_base64(text.as_bytes(), forms);
        add_percent(text, forms);
        add_json(text, forms);
    }
}

fn insert(form: String, forms: &mut HashSet<String>) {
    if form.len() >= SHORTEST {
        forms.insert(form);
    }
}

/// The text itself with both kinds of line breaks, and each of its lines.
fn add_lines(text: &str, forms: &mut HashSet<String>) {
    let unix = text.replace("\r\n", "\n");
    if unix.contains('\n') {
        for line in unix.lines().map(str::trim) {
            // The frame of a key or certificate is the same for everyone and helps the reader.
            if !(line.starts_with("-----") && line.ends_with("-----")) {
                insert(line.to_owned(), forms);
            }
        }
        insert(unix.replace('\n', "\r\n"), forms);
    }
    insert(unix, forms);
    insert(text.to_owned(), forms);
}

/// A secret inside of a longer text that is encoded starts at one of three places within base64's groups of three
/// bytes. The characters that its neighbours have a say in are left out; they hold a few bits of its ends at most.
fn add_base64(bytes: &[u8], forms: &mut HashSet<String>) {
    for alphabet in [&STANDARD, &URL_SAFE] {
        let alone = encode(alphabet, bytes);
        for width in BASE64_LINES {
            if alone.len() > width {
                // Base64 is ASCII, so any cut is between characters.
                let lines: Vec<&str> = (0..alone.len())
                    .step_by(width)
                    .filter_map(|at| alone.get(at..alone.len().min(at + width)))
                    .collect();
                add_lines(&lines.join("\n"), forms);
            }
        }
        insert(alone.trim_end_matches('=').to_owned(), forms);
        insert(alone, forms);
        for (before, drop) in [(0, 0), (1, 2), (2, 3)] {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(bytes);
            let text = encode(alphabet, &shifted);
            let text = text.trim_end_matches('=');
            let end = text.len() - usize::from(shifted.len() % 3 != 0);
            insert(text.get(drop..end).unwrap_or_default().to_owned(), forms);
        }
    }
}

fn encode(alphabet: &Alphabet, bytes: &[u8]) -> String {
    GeneralPurpose::new(alphabet, PAD).encode(bytes)
}

fn add_percent(text: &str, forms: &mut HashSet<String>) {
    for (space, kept) in URL_ENCODERS {
        let mut upper = String::new();
        let mut lower = String::new();
        for byte in text.bytes() {
            match byte {
                b' ' => {
                    upper.push_str(space);
                    lower.push_str(space);
                }
                _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                    upper.push(char::from(byte));
                    lower.push(char::from(byte));
                }
                _ => {
                    upper.push_str(&format!("%{byte:02X}"));
                    lower.push_str(&format!("%{byte:02x}"));
                }
            }
        }
        insert(upper, forms);
        insert(lower, forms);
    }
}

/// JSON as most write it, with `/` escaped (PHP), ASCII only (Python), and safe in HTML (Go).
fn add_json(text: &str, forms: &mut HashSet<String>) {
    let Ok(quoted) = serde_json::to_string(text) else {
        return;
    };
    let plain = quoted.trim_start_matches('"');
    let plain = plain.strip_suffix('"').unwrap_or(plain);
    for form in [plain.to_owned(), plain.replace('/', "\\/")] {
        for ascii in [false, true] {
            for html in [false, true] {
                insert(unicode_escaped(&form, ascii, html), forms);
            }
        }
    }
}

fn unicode_escaped(text: &str, ascii: bool, html: bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if (ascii && !c.is_ascii())
            || (html && matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'))
        {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}
