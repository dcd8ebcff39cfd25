//! What the tests say about themselves, and what becomes of the step.
use adapters::reports::junit;
use domain::report::TestReport;
use domain::step::Outcome;

use super::super::StepError;
use super::bench::Bench;

/// The largest report that is read.
const LARGEST: usize = 8 << 20;
/// How many failed tests a failure names; the results hold all.
const NAMED: usize = 5;

/// What is known of the tests.
#[derive(Default)]
pub(super) struct Results {
    pub(super) report: Option<TestReport>,
    /// It is from the file that the manifest names, and not from what was printed.
    from_file: bool,
}

/// A command that failed.
pub(super) struct Ended {
    pub(super) command: String,
    pub(super) code: i64,
    pub(super) out_of_memory: bool,
}

/// Reads the report that the manifest names; it says more than what was printed.
pub(super) async fn of_file(
    bench: &Bench<'_>,
    container: &str,
    results: &mut Results,
) -> Result<(), StepError> {
    let Some(report) = &bench.test.report else {
        return Ok(());
    };
    bench.work.check()?;
    let found = bench.engine.inspect(container).await?;
    let workdir = found.map(|found| found.workdir).unwrap_or_default();
    let dir = bench.test.dir.as_deref();
    let dir = dir.filter(|_| bench.test.is_in_built_image());
    let path = path_of(report, &workdir, dir);
    let files = bench.engine.files(container, &path, LARGEST);
    let files = bench.work.unless_halted(files).await?;
    let Some(files) = files else {
        bench.say(format!("the tests left no report at {path}"));
        return Ok(());
    };
    let is_one = files.len() == 1;
    let mut read = Vec::new();
    for file in files
        .iter()
        .filter(|file| is_one || file.path.ends_with(".xml"))
    {
        match junit(&file.content, |text| bench.work.log.clean(text)) {
            Ok(report) => read.push(report),
            Err(error) => bench.say(format!("the report {} cannot be read: {error}", file.path)),
        }
    }
    if let Some(report) = read.into_iter().reduce(TestReport::and) {
        results.report = Some(report);
        results.from_file = true;
    }
    Ok(())
}

/// A path as the commands see it.
fn path_of(report: &str, workdir: &str, dir: Option<&str>) -> String {
    if report.starts_with('/') {
        return report.to_owned();
    }
    let parts = [workdir, dir.unwrap_or_default(), report];
    let parts = parts.iter().flat_map(|part| part.split('/'));
    let parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}

impl Results {
    /// Adds what a command printed.
    pub(super) fn printed(&mut self, report: Option<TestReport>) {
        let both = [self.report.take(), report];
        self.report = both.into_iter().flatten().reduce(TestReport::and);
    }

    /// What the step comes to. The commands' statuses decide; a report that names failed tests is believed even where
    /// the commands say that all is well.
    pub(super) fn verdict(self, failed: Option<Ended>) -> Result<Outcome, StepError> {
        let report = self.report.as_ref();
        let failing = report.filter(|report| report.failed > 0).map(failures);
        let what = match (failed, failing) {
            (None, Some(failing)) if self.from_file => {
                format!("{failing}; the report says so, although every command ended with status 0")
            }
            (None, _) => {
                return Ok(Outcome::Tested {
                    passed: report.map(|report| report.passed),
                    skipped: report.map(|report| report.skipped),
                });
            }
            (Some(ended), None) => ended.told(),
            (Some(ended), Some(failing)) => format!("{failing}; {}", ended.told()),
        };
        Err(StepError::advised(
            what,
            "look at the step's log and its test results; a lead may deploy all the same, with a reason",
        ))
    }
}

/// `2 of 14 tests failed: a, b`.
fn failures(report: &TestReport) -> String {
    let all = report.passed.saturating_add(report.failed);
    let tests = if all == 1 { "test" } else { "tests" };
    let names: Vec<&str> = report
        .failures
        .iter()
        .map(|test| test.name.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let mut text = format!("{} of {all} {tests} failed", report.failed);
    if !names.is_empty() {
        let first = &names[..names.len().min(NAMED)];
        text = format!("{text}: {}", first.join(", "));
        let more = usize::try_from(report.failed).unwrap_or_default();
        if more > first.len() {
            text = format!("{text} and {} more", more - first.len());
        }
    }
    text
}

impl Ended {
    fn told(&self) -> String {
        let Self { command, code, .. } = self;
        match code {
            _ if self.out_of_memory => {
                format!("`{command}` was killed because it used too much memory")
            }
            137 => format!(
                "`{command}` was killed (status 137), as happens when the builder runs out of memory"
            ),
            code => format!("`{command}` ended with status {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::report::FailedTest;

    use super::*;

    fn report(passed: u32, failed: u32) -> TestReport {
        let failures = (1..=failed).map(|n| FailedTest {
            name: format!("test_{n}"),
            message: String::new(),
        });
        TestReport {
            passed,
            failed,
            skipped: 1,
            failures: failures.collect(),
        }
    }

    fn verdict(
        report: Option<TestReport>,
        from_file: bool,
        ended: Option<(i64, bool)>,
    ) -> Result<Outcome, String> {
        let ended = ended.map(|(code, out_of_memory)| Ended {
            command: "make test".into(),
            code,
            out_of_memory,
        });
        match (Results { report, from_file }).verdict(ended) {
            Ok(outcome) => Ok(outcome),
            Err(StepError::Failed { failure, .. }) => Err(failure.what),
            Err(halted) => panic!("{halted:?}"),
        }
    }

    #[test]
    fn statuses_decide_and_reports_say_more() {
        let tested = |passed, skipped| Ok(Outcome::Tested { passed, skipped });
        assert_eq!(verdict(None, false, None), tested(None, None));
        let good = Some(report(3, 0));
        assert_eq!(verdict(good, false, None), tested(Some(3), Some(1)));
        for (report, from_file, ended, want) in [
            (None, false, (2, false), "`make test` ended with status 2"),
            (
                Some(report(12, 2)),
                false,
                (1, false),
                "2 of 14 tests failed: test_1, test_2; `make test` ended with status 1",
            ),
            (
                Some(report(0, 8)),
                true,
                (1, false),
                "8 of 8 tests failed: test_1, test_2, test_3, test_4, test_5 and 3 more; `make test` ended with status 1",
            ),
            (
                Some(report(4, 0)),
                false,
                (1, false),
                "`make test` ended with status 1",
            ),
            (
                None,
                false,
                (137, true),
                "`make test` was killed because it used too much memory",
            ),
            (
                None,
                false,
                (137, false),
                "`make test` was killed (status 137), as happens when the builder runs out of memory",
            ),
        ] {
            assert_eq!(verdict(report, from_file, Some(ended)), Err(want.into()));
        }
    }

    #[test]
    fn a_report_that_names_a_failed_test_fails_the_step_whatever_the_command_says() {
        let want = "1 of 1 test failed: test_1; the report says so, although every command ended with status 0";
        assert_eq!(verdict(Some(report(0, 1)), true, None), Err(want.into()));
        // What is printed may be about other tests than its own.
        assert!(verdict(Some(report(0, 1)), false, None).is_ok());
    }

    #[test]
    fn a_report_is_looked_for_where_the_commands_run() {
        for (report, workdir, dir, want) in [
            ("/tmp/junit.xml", "/app", None, "/tmp/junit.xml"),
            ("out/junit.xml", "/app", None, "/app/out/junit.xml"),
            ("./junit.xml", "/app/", Some("a/b"), "/app/a/b/junit.xml"),
            ("junit.xml", "", None, "/junit.xml"),
        ] {
            assert_eq!(path_of(report, workdir, dir), want);
        }
    }
}
