//! pytest: its last line, and the names in its short summary.
use domain::report::{FailedTest, TestReport};

use super::{add, add_to, counts};

#[derive(Debug, Default)]
pub(super) struct Pytest {
    report: TestReport,
    found: bool,
    in_names: bool,
    failures: Vec<FailedTest>,
}

impl Pytest {
    pub(super) fn line(&mut self, line: &str) {
        if line.contains("short test summary info") && line.starts_with('=') {
            self.in_names = true;
        } else if let Some(mut report) = summary(line) {
            report.failures = std::mem::take(&mut self.failures);
            self.report = std::mem::take(&mut self.report).and(report);
            self.found = true;
            self.in_names = false;
        } else if self.in_names
            && let Some(test) = ["FAILED ", "ERROR "]
                .iter()
                .find_map(|word| line.strip_prefix(word))
        {
            let (name, message) = named(test);
            add(&mut self.failures, name, message);
        }
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.found.then_some(self.report)
    }
}

/// A test's name and what it said: `tests/a.py::test_x[a - b] - assert 1 == 2`.
fn named(test: &str) -> (&str, &str) {
    let Some(dash) = test.find(" - ") else {
        return (test, "");
    };
    let parameters = test[..dash].contains('[') && !test[..dash].ends_with(']');
    let dash = match test.find("] - ") {
        Some(end) if parameters => end + 1,
        _ => dash,
    };
    (&test[..dash], &test[dash + 3..])
}

/// `==== 1 failed, 2 passed, 1 warning in 0.12s ====`, with `-q` without the rules.
fn summary(line: &str) -> Option<TestReport> {
    let line = line.trim_matches(['=', ' ']);
    let (numbers, time) = line.rsplit_once(" in ")?;
    let seconds = time.split(' ').next()?.strip_suffix('s')?;
    seconds.parse::<f64>().ok()?;
    if numbers == "no tests ran" {
        return Some(TestReport::default());
    }
    let mut report = TestReport::default();
    let mut tests = false;
    for (number, word) in counts(numbers, ", ")? {
        match word {
            "passed" | "xpassed" => add_to(&mut report.passed, number),
            "failed" | "error" | "errors" => add_to(&mut report.failed, number),
            "skipped" | "xfailed" => add_to(&mut report.skipped, number),
            "deselected" | "warning" | "warnings" | "rerun" => continue,
            _ => return None,
        }
        tests = true;
    }
    tests.then_some(report)
}

#[cfg(test)]
mod tests {
    use super::super::{read, told};

    #[test]
    fn the_last_line_has_the_numbers_and_the_summary_the_names() {
        let text =
            "============================= test session starts ==============================
collected 8 items

tests/test_a.py .F.s                                                     [ 50%]
FAILED (this is what a test prints)
=================================== FAILURES ===================================
E       assert 1 == 2
=========================== short test summary info ============================
FAILED tests/test_a.py::test_x[a - b] - assert 1 == 2
FAILED tests/test_a.py::TestY::test_z
ERROR tests/test_b.py - ModuleNotFoundError: No module named 'y'
SKIPPED [1] tests/test_a.py:3: not yet
====== 2 failed, 4 passed, 1 skipped, 1 xfailed, 3 warnings, 1 error in 1.02s ======
";
        let failures = vec![
            ("tests/test_a.py::test_x[a - b]", "assert 1 == 2"),
            ("tests/test_a.py::TestY::test_z", ""),
            (
                "tests/test_b.py",
                "ModuleNotFoundError: No module named 'y'",
            ),
        ];
        assert_eq!(told(&read(text).unwrap()), (4, 3, 2, failures));
    }

    #[test]
    fn short_and_long_runs_are_understood() {
        for (line, want) in [
            ("3 passed in 0.01s", (3, 0, 0)),
            ("=== 3 passed in 75.03s (0:01:15) ===", (3, 0, 0)),
            ("=== no tests ran in 0.01s ===", (0, 0, 0)),
            ("1 failed, 2 deselected in 0.05s", (0, 1, 0)),
        ] {
            let report = read(line).unwrap();
            let numbers = (report.passed, report.failed, report.skipped);
            assert_eq!(numbers, want, "{line}");
        }
    }
}
