//! JUnit XML as every test runner can write it: `testcase` elements, wherever they are.
use domain::report::TestReport;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::add;

/// A report that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not JUnit XML: {0}")]
pub struct JunitError(String);

/// A test that is being read.
struct Case {
    name: String,
    /// What it said, once it is known to have failed.
    failure: Option<String>,
    skipped: bool,
}

/// Reads a report. Numbers that it gives itself are not trusted: its tests are counted. `clean` takes out of a text what
/// must not be seen, before the text is shortened: half a secret is one that nobody knows.
pub fn junit(content: &[u8], clean: impl Fn(&mut String)) -> Result<TestReport, JunitError> {
    let text = String::from_utf8_lossy(content);
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut report = TestReport::default();
    let mut case: Option<Case> = None;
    // The text of a failure, while it is read and no attribute has said what it is.
    let mut told: Option<String> = None;
    let (mut depth, mut known) = (0_usize, false);
    loop {
        let event = reader
            .read_event()
            .map_err(|error| JunitError(format!("byte {}: {error}", reader.error_position())))?;
        match event {
            Event::Start(element) => {
                depth += 1;
                known |= open(&element, &mut case, &mut told)?;
            }
            Event::Empty(element) => {
                known |= open(&element, &mut case, &mut told)?;
                close(
                    element.local_name().as_ref(),
                    &mut case,
                    &mut told,
                    &mut report,
                    &clean,
                );
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                close(
                    element.local_name().as_ref(),
                    &mut case,
                    &mut told,
                    &mut report,
                    &clean,
                );
            }
            Event::Text(text) => more(&mut told, &text.xml10_content()),
            Event::CData(text) => more(&mut told, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten();
                match (character, resolve_predefined_entity(&reference)) {
                    (Some(character), _) => more(&mut told, character.encode_utf8(&mut [0; 4])),
                    (None, entity) => more(&mut told, entity.unwrap_or_default()),
                }
            }
            Event::Eof if depth > 0 => return Err(JunitError("it breaks off".into())),
            Event::Eof if !known => {
                return Err(JunitError("there is no `testsuite` in it".into()));
            }
            Event::Eof => return Ok(report),
            _ => {}
        }
    }
}

/// Takes the beginning of an element; true when the document is known by it.
fn open(
    element: &BytesStart<'_>,
    case: &mut Option<Case>,
    told: &mut Option<String>,
) -> Result<bool, JunitError> {
    let attribute = |name: &str| -> Result<String, JunitError> {
        let found = element
            .try_get_attribute(name)
            .map_err(|error| JunitError(error.to_string()))?;
        let value = found.map(|found| found.normalized_value(XmlVersion::Implicit1_0));
        let value = value
            .transpose()
            .map_err(|error| JunitError(error.to_string()))?;
        Ok(value.unwrap_or_default().into_owned())
    };
    match element.local_name().as_ref() {
        "testsuites" | "testsuite" => return Ok(true),
        "testcase" => {
            *case = Some(Case {
                name: name_of(&attribute("classname")?, &attribute("name")?),
                failure: None,
                skipped: false,
            });
        }
        "skipped" => {
            if let Some(case) = case {
                case.skipped = true;
            }
        }
        "failure" | "error" => {
            if let Some(case) = case
                && case.failure.is_none()
            {
                let message = attribute("message")?;
                *told = message.trim().is_empty().then(String::new);
                case.failure = Some(message);
            }
        }
        _ => {}
    }
    Ok(false)
}

fn close(
    element: &str,
    case: &mut Option<Case>,
    told: &mut Option<String>,
    report: &mut TestReport,
    clean: &impl Fn(&mut String),
) {
    match element {
        "failure" | "error" => {
            if let (Some(case), Some(told)) = (case, told.take()) {
                let first = told.lines().map(str::trim).find(|line| !line.is_empty());
                case.failure = Some(first.unwrap_or_default().to_owned());
            }
        }
        "testcase" => match case.take() {
            Some(Case {
                mut name,
                failure: Some(mut message),
                ..
            }) => {
                report.failed += 1;
                clean(&mut name);
                clean(&mut message);
                add(&mut report.failures, &name, &message);
            }
            Some(Case { skipped: true, .. }) => report.skipped += 1,
            Some(_) => report.passed += 1,
            None => {}
        },
        _ => {}
    }
}

fn more(told: &mut Option<String>, text: &str) {
    if let Some(told) = told {
        told.push_str(text);
    }
}

/// Classes are joined as languages join them; some runners put a file or a sentence in their place.
fn name_of(class: &str, name: &str) -> String {
    if class.is_empty() || name.starts_with(class) {
        name.to_owned()
    } else if class.contains(['/', ' ']) {
        format!("{class} > {name}")
    } else {
        format!("{class}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn tests_of_all_suites_are_counted_and_failures_named() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites tests="99">
  <testsuite name="pytest" tests="4">
    <properties><property name="failure" value="x"/></properties>
    <testcase classname="tests.test_a.TestA" name="test_ok" time="0.1"/>
    <testcase classname="tests.test_a.TestA" name="test_one">
      <failure message="assert 1 == 2&#10;more">Traceback</failure>
      <system-out>out</system-out>
    </testcase>
    <testcase classname="src/a.test.ts" name="App &gt; greets">
      <failure type="AssertionError">
        expected &lt;b&gt; &#38; &quot;c&quot;
          at a.test.ts:3
      </failure>
    </testcase>
    <testcase name="alone"><error><![CDATA[boom <now>]]></error><error message="again"/></testcase>
  </testsuite>
  <testsuite><testsuite>
    <testcase classname="adds up" name="adds up"><skipped message="later"/></testcase>
    <testcase classname="c" name="flaky"><rerunFailure message="x"/></testcase>
  </testsuite></testsuite>
</testsuites>"#;
        let failures = vec![
            ("tests.test_a.TestA.test_one", "assert 1 == 2\nmore"),
            ("src/a.test.ts > App > greets", "expected <b> & \"c\""),
            ("alone", "boom <now>"),
        ];
        assert_eq!(
            told(&junit(text.as_bytes(), |_| ()).unwrap()),
            (2, 3, 1, failures)
        );
    }

    #[test]
    fn a_secret_across_the_cut_is_found() {
        let secret = "correct horse";
        let message = format!("{} {secret} {}", "x".repeat(490), "y".repeat(90));
        let text = format!(
            "<testsuite><testcase name=\"a\"><failure message=\"{message}\"/></testcase></testsuite>"
        );
        let clean = |text: &mut String| *text = text.replace(secret, "[REDACTED]");
        let report = junit(text.as_bytes(), clean).unwrap();
        let told = &report.failures[0].message;
        assert!(!told.contains("correct"), "{told}");
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (text, says) in [
            ("", "no `testsuite`"),
            ("no XML", "no `testsuite`"),
            ("<html><testcase/></html>", "no `testsuite`"),
            ("<testsuite><testcase>", "breaks off"),
            ("<testsuite></testcase>", "byte"),
        ] {
            let error = junit(text.as_bytes(), |_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let empty = "\u{feff}<testsuite/>";
        assert_eq!(junit(empty.as_bytes(), |_| ()), Ok(TestReport::default()));
    }
}
