//! Jest and Vitest, whose summaries look alike and are not.
use domain::report::{FailedTest, TestReport};

use super::{add, add_to, counts};

/// What is gathered of one runner's output until its summary comes.
#[derive(Debug, Default)]
struct Gathered {
    report: TestReport,
    found: bool,
    /// A failed test, and its first words once they have come.
    open: Option<(String, String)>,
    failures: Vec<FailedTest>,
    /// Files that could not be run at all; the summary does not count them among the tests.
    broken: u32,
}

impl Gathered {
    /// A test that failed; what it said follows.
    fn failed(&mut self, name: String) {
        self.open = Some((name, String::new()));
    }

    /// Takes the first line with something in it as what the failed test said.
    fn words(&mut self, line: &str) {
        if let Some((_, message)) = &mut self.open
            && message.is_empty()
            && !line.trim().is_empty()
        {
            line.trim().clone_into(message);
        }
    }

    /// Nothing more comes of the failed test.
    fn close(&mut self) {
        if let Some((name, message)) = self.open.take() {
            add(&mut self.failures, &name, &message);
        }
    }

    /// A summary; there may be several runs one after the other.
    fn summary(&mut self, mut report: TestReport) {
        add_to(&mut report.failed, std::mem::take(&mut self.broken));
        report.failures = std::mem::take(&mut self.failures);
        self.report = std::mem::take(&mut self.report).and(report);
        self.found = true;
    }

    fn report(self) -> Option<TestReport> {
        self.found.then_some(self.report)
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
    all: Gathered,
    /// The file whose failures are told.
    file: Option<String>,
}

impl Jest {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(file) = line.strip_prefix("FAIL ") {
            self.all.close();
            // Where it is slow, the time follows.
            let file = file.split(" (").next().unwrap_or(file);
            self.file = Some(file.trim().to_owned());
        } else if line.starts_with("PASS ") {
            self.all.close();
            self.file = None;
        } else if let (Some(file), Some(test)) = (&self.file, line.strip_prefix("  ● ")) {
            self.all.close();
            let name = match test {
                "Test suite failed to run" => file.clone(),
                test => format!("{file} › {test}"),
            };
            if name == *file && !self.all.failures.iter().any(|known| known.name == name) {
                self.all.broken += 1;
            }
            self.all.failed(name);
        } else if line.starts_with("Test Suites:") {
            self.all.close();
            self.file = None;
        } else if let Some(report) = line
            .strip_prefix("Tests:")
            .and_then(|rest| counts(rest, ","))
            .and_then(tally)
        {
            self.all.summary(report);
        } else {
            self.all.words(line);
        }
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.all.report()
    }
}

#[derive(Debug, Default)]
pub(super) struct Vitest {
    all: Gathered,
}

impl Vitest {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix(" FAIL  ") {
            self.all.close();
            // A file that fails as a whole is told as `src/a.test.ts [ src/a.test.ts ]`.
            let (name, whole) = match test.split_once(" [ ") {
                Some((file, _)) if !test.contains(" > ") => (file, true),
                _ => (test, false),
            };
            self.all.broken += u32::from(whole);
            self.all.failed(name.to_owned());
        } else if line.starts_with(" Test Files  ") {
            self.all.close();
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
            if let Some(report) = report {
                self.all.summary(report);
            }
        } else {
            self.all.words(line);
        }
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.all.report()
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
