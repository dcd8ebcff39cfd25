//! Jest and Vitest, whose summaries look alike and are not.
use domain::report::{FailedTest, TestReport};

use super::{add, add_to, counts};

/// A failed test whose first words are still to come.
type Open = Option<(String, String)>;

/// Takes the first line with something in it as what the test said.
fn first_words(open: &mut Open, line: &str) {
    if let Some((_, message)) = open
        && message.is_empty()
        && !line.trim().is_empty()
    {
        line.trim().clone_into(message);
    }
}

fn close(open: &mut Open, failures: &mut Vec<FailedTest>) {
    if let Some((name, message)) = open.take() {
        add(failures, &name, &message);
    }
}

/// Numbers of a summary: `1 failed`, `2 passed`, …
fn tally(numbers: Vec<(u32, &str)>) -> Option<TestReport> {
    let mut report = TestReport::default();
    for (number, word) in numbers {
        match word {
            "passed" => add_to(&mut report.passed, number),
            "failed" => add_to(&mut report.failed, number),
            "skipped" | "todo" => add_to(&mut report.skipped, number),
            "total" | "expected fail" => {}
            _ => return None,
        }
    }
    Some(report)
}

#[derive(Debug, Default)]
pub(super) struct Jest {
    report: TestReport,
    found: bool,
    /// The file whose failures are told.
    file: Option<String>,
    open: Open,
    failures: Vec<FailedTest>,
    /// Files that could not be run at all; the summary does not count them among the tests.
    broken: u32,
}

impl Jest {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(file) = line.strip_prefix("FAIL ") {
            close(&mut self.open, &mut self.failures);
            // Where it is slow, the time follows.
            let file = file.split(" (").next().unwrap_or(file);
            self.file = Some(file.trim().to_owned());
        } else if line.starts_with("PASS ") {
            close(&mut self.open, &mut self.failures);
            self.file = None;
        } else if let (Some(file), Some(test)) = (&self.file, line.strip_prefix("  ● ")) {
            close(&mut self.open, &mut self.failures);
            let name = match test {
                "Test suite failed to run" => file.clone(),
                test => format!("{file} › {test}"),
            };
            if name == *file && !self.failures.iter().any(|known| known.name == name) {
                self.broken += 1;
            }
            self.open = Some((name, String::new()));
        } else if line.starts_with("Test Suites:") {
            close(&mut self.open, &mut self.failures);
            self.file = None;
        } else if let Some(mut report) = line
            .strip_prefix("Tests:")
            .and_then(|rest| counts(rest, ","))
            .and_then(tally)
        {
            add_to(&mut report.failed, std::mem::take(&mut self.broken));
            report.failures = std::mem::take(&mut self.failures);
            self.report = std::mem::take(&mut self.report).and(report);
            self.found = true;
        } else {
            first_words(&mut self.open, line);
        }
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.found.then_some(self.report)
    }
}

#[derive(Debug, Default)]
pub(super) struct Vitest {
    report: TestReport,
    found: bool,
    open: Open,
    failures: Vec<FailedTest>,
    /// Files that could not be run at all; the summary does not count them among the tests.
    broken: u32,
}

impl Vitest {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix(" FAIL  ") {
            close(&mut self.open, &mut self.failures);
            // A file that fails as a whole is told as `src/a.test.ts [ src/a.test.ts ]`.
            let (name, whole) = match test.split_once(" [ ") {
                Some((file, _)) if !test.contains(" > ") => (file, true),
                _ => (test, false),
            };
            self.broken += u32::from(whole);
            self.open = Some((name.to_owned(), String::new()));
        } else if line.starts_with(" Test Files  ") {
            close(&mut self.open, &mut self.failures);
        } else if let Some(numbers) = line
            .trim_start()
            .strip_prefix("Tests  ")
            .filter(|_| line.starts_with("   "))
        {
            let numbers = numbers.trim();
            // The total follows in brackets.
            let parts = numbers
                .rsplit_once(" (")
                .map_or(numbers, |(parts, _)| parts);
            let report = match parts {
                "no tests" => Some(TestReport::default()),
                parts => counts(parts, "|").and_then(tally),
            };
            if let Some(mut report) = report {
                add_to(&mut report.failed, std::mem::take(&mut self.broken));
                report.failures = std::mem::take(&mut self.failures);
                self.report = std::mem::take(&mut self.report).and(report);
                self.found = true;
            }
        } else {
            first_words(&mut self.open, line);
        }
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.found.then_some(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read, told};

    #[test]
    fn jest_tells_its_failures_by_file() {
        let text = "PASS src/b.test.js
  ● Console

FAIL src/a.test.js (5.2 s)
  ● Cart › adds up

    expect(received).toBe(expected) // Object.is equality

    Expected: 2
  ● Test suite failed to run of course

    odd

FAIL src/c.test.js
  ● Test suite failed to run

    SyntaxError: Unexpected token

Summary of all failing tests
FAIL src/a.test.js (5.2 s)
  ● Cart › adds up

    expect(received).toBe(expected) // Object.is equality

Test Suites: 2 failed, 1 passed, 3 total
Tests:       2 failed, 1 skipped, 1 todo, 7 passed, 11 total
Snapshots:   0 total
Time:        6.1 s
";
        let failures = vec![
            (
                "src/a.test.js › Cart › adds up",
                "expect(received).toBe(expected) // Object.is equality",
            ),
            ("src/a.test.js › Test suite failed to run of course", "odd"),
            ("src/c.test.js", "SyntaxError: Unexpected token"),
        ];
        assert_eq!(told(&read(text).unwrap()), (7, 3, 2, failures));
    }

    #[test]
    fn vitest_tells_its_failures_after_the_runs() {
        let text = "
 RUN  v3.2.7 /fairlead/source

 ✓ src/b.test.ts (2 tests) 5ms
 ❯ src/a.test.tsx (3 tests | 1 failed) 12ms
   × App > greets 4ms
     → expected 1 to be 2

⎯⎯⎯⎯⎯⎯ Failed Suites 1 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  src/c.test.ts [ src/c.test.ts ]
Error: Failed to resolve import \"./missing\"

⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  src/a.test.tsx > App > greets
AssertionError: expected 1 to be 2 // Object.is equality
 ❯ src/a.test.tsx:9:13

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/2]⎯

 Test Files  2 failed | 1 passed (3)
      Tests  1 failed | 3 passed | 1 skipped (5)
   Start at  10:00:00
   Duration  1.20s (transform 1ms, tests 2ms)
";
        let failures = vec![
            (
                "src/c.test.ts",
                "Error: Failed to resolve import \"./missing\"",
            ),
            (
                "src/a.test.tsx > App > greets",
                "AssertionError: expected 1 to be 2 // Object.is equality",
            ),
        ];
        assert_eq!(told(&read(text).unwrap()), (3, 2, 1, failures));
        let passed = " Test Files  2 passed (2)\n      Tests  5 passed (5)\n";
        assert_eq!(told(&read(passed).unwrap()), (5, 0, 0, vec![]));
    }
}
