//! Python's unittest, which Django's `manage.py test` is too.
use domain::report::{FailedTest, TestReport};

use super::{add, add_to};

#[derive(Debug, Default)]
pub(super) struct Unittest {
    report: TestReport,
    found: bool,
    ran: Option<u32>,
    place: Place,
    failures: Vec<FailedTest>,
}

/// Where in the account of a failed test the next line is: between `=====` and `-----` its name, then what it said.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Outside,
    Name,
    Named(String),
    Account {
        name: String,
        last: String,
    },
}

impl Unittest {
    pub(super) fn line(&mut self, line: &str) {
        let rules = |mark: u8| line.len() >= 60 && line.bytes().all(|byte| byte == mark);
        if rules(b'=') || rules(b'-') {
            let next = match (std::mem::take(&mut self.place), rules(b'=')) {
                (Place::Named(name), false) => Place::Account {
                    name,
                    last: String::new(),
                },
                (Place::Account { name, last }, double) => {
                    add(&mut self.failures, &name, &last);
                    if double { Place::Name } else { Place::Outside }
                }
                (_, true) => Place::Name,
                (_, false) => Place::Outside,
            };
            self.place = next;
            return;
        }
        match &mut self.place {
            Place::Name => {
                let test = ["FAIL: ", "ERROR: "]
                    .iter()
                    .find_map(|word| line.strip_prefix(word));
                self.place = test.map_or(Place::Outside, |test| Place::Named(name_of(test)));
            }
            // The first line of the test's docstring.
            Place::Named(_) => {}
            Place::Account { last, .. } if !line.trim().is_empty() => line.clone_into(last),
            Place::Account { .. } => {}
            Place::Outside => self.summary(line),
        }
    }

    fn summary(&mut self, line: &str) {
        if let Some(ran) = ran(line) {
            self.ran = Some(ran);
            return;
        }
        let failed = line == "FAILED" || line.starts_with("FAILED (");
        let passed = line == "OK" || line.starts_with("OK (") || line.starts_with("NO TESTS RAN");
        let Some(ran) = self.ran.filter(|_| failed || passed) else {
            return;
        };
        self.ran = None;
        let mut report = TestReport::default();
        let inside = line
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        for part in inside.unwrap_or_default().split(", ") {
            let Some((word, number)) = part.split_once('=') else {
                continue;
            };
            let number: u32 = number.parse().unwrap_or_default();
            match word {
                "failures" | "errors" | "unexpected successes" => {
                    add_to(&mut report.failed, number)
                }
                "skipped" => add_to(&mut report.skipped, number),
                // An expected failure is a test that did what it should.
                _ => {}
            }
        }
        report.passed = ran.saturating_sub(report.failed.saturating_add(report.skipped));
        report.failures = std::mem::take(&mut self.failures);
        self.report = std::mem::take(&mut self.report).and(report);
        self.found = true;
    }

    pub(super) fn report(self) -> Option<TestReport> {
        self.found.then_some(self.report)
    }
}

/// `Ran 14 tests in 0.120s`.
fn ran(line: &str) -> Option<u32> {
    let rest = line.strip_prefix("Ran ")?;
    let (number, rest) = rest.split_once(" test")?;
    let time = rest.trim_start_matches('s').strip_prefix(" in ")?;
    time.ends_with('s').then(|| number.parse().ok())?
}

/// Since Python 3.11 `test_a (apps.x.tests.Case.test_a)`, before it `test_a (apps.x.tests.Case)`; a subtest's
/// parameters follow in brackets of their own.
fn name_of(test: &str) -> String {
    let Some((method, rest)) = test.split_once(" (") else {
        return test.to_owned();
    };
    let Some((place, more)) = rest.split_once(')') else {
        return test.to_owned();
    };
    // A module that cannot be imported.
    if place.starts_with("unittest.loader._FailedTest") {
        return method.to_owned();
    }
    let own = place
        .strip_suffix(method)
        .is_some_and(|class| class.ends_with('.'));
    match own {
        true => format!("{place}{more}"),
        false => format!("{place}.{method}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read, told};

    const DOUBLE: &str = "======================================================================";
    const SINGLE: &str = "----------------------------------------------------------------------";

    #[test]
    fn django_tells_names_and_last_words_of_what_failed() {
        let text = format!(
            "Found 6 test(s).
Operations to perform:
System check identified no issues (0 silenced).
test_added (apps.orders.tests.Orders.test_added) ... ok
test_removed (apps.orders.tests.Orders.test_removed)
An order can be removed. ... FAIL
test_broken (apps.orders.tests.Orders.test_broken) ... ERROR
test_later (apps.orders.tests.Orders.test_later) ... skipped 'not yet'
test_known (apps.orders.tests.Orders.test_known) ... expected failure
Destroying test database for alias 'default' ('test_postgres')...

{DOUBLE}
ERROR: test_broken (apps.orders.tests.Orders.test_broken)
{SINGLE}
Traceback (most recent call last):
  File \"/app/apps/orders/tests.py\", line 9, in test_broken
    order.prize
AttributeError: 'Order' object has no attribute 'prize'

{DOUBLE}
FAIL: test_removed (apps.orders.tests.Orders.test_removed)
An order can be removed.
{SINGLE}
Traceback (most recent call last):
  File \"/app/apps/orders/tests.py\", line 5, in test_removed
    self.assertEqual(1, 2)
AssertionError: 1 != 2

{DOUBLE}
FAIL: test_each (apps.orders.tests.Orders.test_each) (size=3)
{SINGLE}
AssertionError: 3 is not true

{SINGLE}
Ran 6 tests in 0.120s

FAILED (failures=2, errors=1, skipped=1, expected failures=1)
"
        );
        let report = read(&text).unwrap();
        let failures = vec![
            (
                "apps.orders.tests.Orders.test_broken",
                "AttributeError: 'Order' object has no attribute 'prize'",
            ),
            (
                "apps.orders.tests.Orders.test_removed",
                "AssertionError: 1 != 2",
            ),
            (
                "apps.orders.tests.Orders.test_each (size=3)",
                "AssertionError: 3 is not true",
            ),
        ];
        assert_eq!(told(&report), (2, 3, 1, failures));
    }

    #[test]
    fn older_pythons_and_modules_that_cannot_be_imported_are_named_too() {
        let text = format!(
            "{DOUBLE}\nFAIL: test_a (tests.Case)\n{SINGLE}\nAssertionError\n\n{DOUBLE}\nERROR: apps.x.tests (unittest.loader._FailedTest)\n{SINGLE}\nImportError: Failed to import test module: apps.x.tests\nModuleNotFoundError: No module named 'y'\n\n\n{SINGLE}\nRan 2 tests in 0.001s\n\nFAILED (failures=1, errors=1)"
        );
        let report = read(&text).unwrap();
        let failures = vec![
            ("tests.Case.test_a", "AssertionError"),
            ("apps.x.tests", "ModuleNotFoundError: No module named 'y'"),
        ];
        assert_eq!(told(&report), (0, 2, 0, failures));
    }

    #[test]
    fn what_passes_is_counted_over_all_runs_of_a_command() {
        let one = format!("{SINGLE}\nRan 1 test in 0.001s\n\nOK\n");
        let more = format!("{SINGLE}\nRan 4 tests in 12.001s\n\nOK (skipped=1)\n");
        assert_eq!(
            told(&read(&format!("{one}{more}")).unwrap()),
            (4, 0, 1, vec![])
        );
        let none = format!("{SINGLE}\nRan 0 tests in 0.000s\n\nNO TESTS RAN");
        assert_eq!(told(&read(&none).unwrap()), (0, 0, 0, vec![]));
        let cut_off = format!("test_a (t.Case.test_a) ... ok\n{SINGLE}\nRan 4 tests in 12.001s\n");
        assert_eq!(read(&cut_off), None);
    }
}
