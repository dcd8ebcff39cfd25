//! How tests went, read from what test runners print and from the JUnit XML that they write.
//!
//! Nothing here decides whether tests passed: their commands' exit status does. What is not understood is left out, so
//! that a report says less rather than something wrong.
use domain::log::plain;
use domain::report::{FailedTest, TestReport};

use crate::redact::whole_words;

mod javascript;
mod junit;
mod pytest;
mod tap;
mod unittest;

pub use junit::{JunitError, junit};

use self::javascript::{Jest, Vitest};
use self::pytest::Pytest;
use self::tap::Tap;
use self::unittest::Unittest;

/// Most bytes of a failed test's name, and of what it said.
pub const LONGEST: usize = 500;

/// One stream of a command's output, read line by line. It takes little memory, however much is printed.
#[derive(Debug, Default)]
pub struct Output {
    unittest: Unittest,
    pytest: Pytest,
    jest: Jest,
    vitest: Vitest,
    tap: Tap,
}

impl Output {
    /// Takes the next line, colours and all.
    pub fn line(&mut self, line: &str) {
        let line = plain(line);
        self.unittest.line(&line);
        self.pytest.line(&line);
        self.jest.line(&line);
        self.vitest.line(&line);
        self.tap.line(&line);
    }

    /// What was understood: unittest's summary (Django's too), pytest's, Jest's, Vitest's, and TAP; all of them together
    /// where a command runs several.
    pub fn report(self) -> Option<TestReport> {
        [
            self.unittest.report(),
            self.pytest.report(),
            self.jest.report(),
            self.vitest.report(),
            self.tap.report(),
        ]
        .into_iter()
        .flatten()
        .reduce(TestReport::and)
    }
}

/// Adds a failed test, unless it is there already or there are enough. Counting is up to the caller.
fn add(failures: &mut Vec<FailedTest>, name: &str, message: &str) {
    let name = short(name);
    if failures.len() < TestReport::MOST && failures.iter().all(|known| known.name != name) {
        let message = short(message);
        failures.push(FailedTest { name, message });
    }
}

fn short(text: &str) -> String {
    let text = text.trim();
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    match whole_words(text, LONGEST) {
        // Names without a space are this long where a test has parameters; one without a name helps nobody.
        "" => format!("{}…", &text[..text.floor_char_boundary(LONGEST)]),
        words => format!("{words}…"),
    }
}

/// `3 failed`, `12 passed` and their like, by `separator`; `None` where a part is not of this shape.
fn counts<'l>(text: &'l str, separator: &str) -> Option<Vec<(u32, &'l str)>> {
    let part = |part: &'l str| {
        let (number, word) = part.trim().split_once(' ')?;
        Some((number.parse().ok()?, word.trim()))
    };
    text.split(separator).map(part).collect()
}

/// Adds a number that was printed, which may be any.
fn add_to(count: &mut u32, number: u32) {
    *count = count.saturating_add(number);
}

#[cfg(test)]
fn read(text: &str) -> Option<TestReport> {
    let mut output = Output::default();
    text.lines().for_each(|line| output.line(line));
    output.report()
}

#[cfg(test)]
fn told(report: &TestReport) -> (u32, u32, u32, Vec<(&str, &str)>) {
    let failures = report.failures.iter();
    let failures = failures.map(|test| (test.name.as_str(), test.message.as_str()));
    (
        report.passed,
        report.failed,
        report.skipped,
        failures.collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_anything_else_tells_nothing() {
        for text in [
            "",
            "ok",
            "Tests: none",
            "3 passed",
            "Ran 3 errands",
            "1..2",
            "not ok",
            "===== 3 passed",
            "FAILED tests/a.py::b - c",
            "added 120 packages in 3s\n2 packages are looking for funding",
            "Found 2 errors in 0.1s.",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn colours_do_not_hide_a_summary() {
        let text = "\u{1b}[31m\u{1b}[1m1 failed\u{1b}[0m, \u{1b}[32m2 passed\u{1b}[0m\u{1b}[31m in 0.12s\u{1b}[0m\r";
        assert_eq!(told(&read(text).unwrap()), (2, 1, 0, vec![]));
    }

    #[test]
    fn a_command_that_runs_two_kinds_of_tests_has_one_report() {
        let report = read("Ran 2 tests in 0.1s\n\nOK\n5 passed, 1 skipped in 0.12s").unwrap();
        assert_eq!(told(&report), (7, 0, 1, vec![]));
    }

    #[test]
    fn numbers_that_no_run_has_break_nothing() {
        let most = u32::MAX;
        for text in [
            format!("{most} failed, {most} errors, {most} passed, {most} xpassed in 0.12s"),
            format!(
                "Ran {most} tests in 0.1s\n\nFAILED (failures={most}, errors={most}, skipped={most})"
            ),
            format!("Tests:       {most} failed, {most} failed, {most} total"),
            format!("      Tests  {most} failed | {most} failed ({most})"),
        ] {
            let report = read(&format!("{text}\n{text}")).unwrap();
            assert_eq!(report.failed, most, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_words_and_a_long_word_at_a_character() {
        let mut failures = Vec::new();
        add(&mut failures, &"ä".repeat(900), &"a secret ".repeat(99));
        assert_eq!(failures[0].name, format!("{}…", "ä".repeat(LONGEST / 2)));
        let message = format!("{}a…", "a secret ".repeat(55));
        assert_eq!(failures[0].message, message);
    }
}
