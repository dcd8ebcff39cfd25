//! The Test Anything Protocol (<https://testanything.org/tap-version-14-specification.html>), which Node's own runner
//! speaks too. Tests that hold others are not counted beside them.
use domain::report::{FailedTest, TestReport};

use super::add;

#[derive(Debug, Default)]
pub(super) struct Tap {
    report: TestReport,
    /// A version or a plan was seen, without which `ok` is just a word.
    announced: bool,
    results: bool,
    /// Titles of the tests that the next lines are in, with their depths.
    titles: Vec<(usize, String)>,
    /// Depths of results that no test around them has ended yet.
    open: Vec<usize>,
    failed: Option<Failed>,
    failures: Vec<FailedTest>,
}

/// A failed test whose block of details may follow.
#[derive(Debug)]
struct Failed {
    name: String,
    message: String,
    /// The message stands in the next line.
    next: bool,
}

impl Tap {
    pub(super) fn line(&mut self, line: &str) {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if let Some(title) = text.strip_prefix("# Subtest: ") {
            self.close();
            self.titles.retain(|(other, _)| *other < depth);
            self.titles.push((depth, title.trim().to_owned()));
        } else if text.starts_with("TAP version ") || is_plan(text) {
            self.announced = true;
        } else if let Some((passed, rest)) = result(text) {
            self.close();
            self.take(depth, passed, rest);
        } else if self.failed.is_some() {
            self.detail(text);
        }
    }

    fn take(&mut self, depth: usize, passed: bool, rest: &str) {
        self.results = true;
        let holds_others = self.open.iter().any(|other| *other > depth);
        self.open.retain(|other| *other < depth);
        self.open.push(depth);
        if holds_others {
            return;
        }
        // A test without a name may have a directive.
        let split = rest
            .rsplit_once(" # ")
            .or(rest.strip_prefix("# ").map(|end| ("", end)));
        let directive = split.filter(|(_, end)| {
            let end = end.to_ascii_lowercase();
            end.starts_with("skip") || end.starts_with("todo")
        });
        let name = directive.map_or(rest, |(name, _)| name);
        // One that is still to be made may fail.
        if directive.is_some() {
            self.report.skipped += 1;
        } else if passed {
            self.report.passed += 1;
        } else {
            self.report.failed += 1;
            let around = self.titles.iter().filter(|(other, _)| *other < depth);
            let mut path: Vec<&str> = around.map(|(_, title)| title.as_str()).collect();
            path.push(name.trim());
            self.failed = Some(Failed {
                name: path.join(" > "),
                message: String::new(),
                next: false,
            });
        }
    }

    /// A line of the YAML after a failed test.
    fn detail(&mut self, text: &str) {
        let Some(failed) = &mut self.failed else {
            return;
        };
        if std::mem::take(&mut failed.next) {
            text.clone_into(&mut failed.message);
        } else if failed.message.is_empty()
            && let Some(value) = ["error:", "message:"]
                .iter()
                .find_map(|key| text.strip_prefix(key))
        {
            match value.trim() {
                "|-" | "|" | ">-" | ">" => failed.next = true,
                value => value
                    .trim_matches(['\'', '"'])
                    .clone_into(&mut failed.message),
            }
        }
    }

    fn close(&mut self) {
        if let Some(failed) = self.failed.take() {
            add(&mut self.failures, &failed.name, &failed.message);
        }
    }

    pub(super) fn report(mut self) -> Option<TestReport> {
        self.close();
        self.report.failures = self.failures;
        (self.announced && self.results).then_some(self.report)
    }
}

fn is_plan(text: &str) -> bool {
    let count = text.strip_prefix("1..").and_then(|n| n.split(' ').next());
    count.is_some_and(|count| count.parse::<u32>().is_ok())
}

/// `ok 1 - name`, `not ok 2 name`; gives what follows the number.
fn result(text: &str) -> Option<(bool, &str)> {
    let (passed, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.trim_start();
    Some((passed, rest.strip_prefix("- ").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::super::{read, told};

    #[test]
    fn a_flat_list_is_counted() {
        let text = "TAP version 13
1..5
ok 1 - one
not ok 2 - two # is not a directive
  ---
  message: 'got 1'
  severity: fail
  ...
ok 3 # SKIP no database
not ok 4 - four # todo later
not ok 5
";
        let failures = vec![("two # is not a directive", "got 1"), ("", "")];
        let report = read(text).unwrap();
        assert_eq!((report.passed, report.failed, report.skipped), (1, 2, 2));
        assert_eq!(told(&report).3, failures);
    }

    #[test]
    fn tests_within_tests_are_counted_once_and_named_by_their_path() {
        let text = "TAP version 13
# Subtest: cart
    # Subtest: adds up
    ok 1 - adds up
      ---
      duration_ms: 0.5
      ...
    # Subtest: empties
    not ok 2 - empties
      ---
      duration_ms: 1
      error: |-
        Expected values to be strictly equal:
        1 !== 2
      code: 'ERR_ASSERTION'
      ...
    1..2
not ok 1 - cart
  ---
  error: '1 subtest failed'
  ...
# Subtest: alone
ok 2 - alone
1..2
# tests 3
# pass 2
# fail 1
";
        let failures = vec![("cart > empties", "Expected values to be strictly equal:")];
        assert_eq!(told(&read(text).unwrap()), (2, 1, 0, failures));
    }
}
