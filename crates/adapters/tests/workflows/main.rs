//! Workflow files with each class of error, files that must pass, and files that were made to do harm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adapters::workflows::{WorkflowFile, lint};
use proptest::prelude::*;

/// The files of a folder of this test, as if they were the workflows of a repository.
fn folder(path: &str) -> Vec<WorkflowFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: &PathBuf| WorkflowFile {
        path: format!(
            ".github/workflows/{}",
            path.file_name().unwrap().to_str().unwrap()
        ),
        below: false,
        content: std::fs::read(path).unwrap(),
    };
    paths.iter().map(file).collect()
}

fn told(files: &[WorkflowFile]) -> String {
    let mut text = String::new();
    for finding in lint(files) {
        let file = finding.file.rsplit('/').next().unwrap();
        let (line, column, level) = (finding.line, finding.column, finding.level.as_str());
        let (rule, message) = (finding.rule, finding.message);
        writeln!(text, "{file}:{line}:{column} {level} {rule}: {message}").unwrap();
    }
    text
}

fn one(content: impl Into<Vec<u8>>) -> Vec<WorkflowFile> {
    let path = ".github/workflows/a.yml".to_owned();
    let content = content.into();
    vec![WorkflowFile {
        path,
        below: false,
        content,
    }]
}

/// `FAIRLEAD_GOLDEN=write` writes the list anew; read what changed in it.
#[test]
fn every_class_of_error_is_found_with_its_place_and_what_was_expected() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workflows/broken.txt");
    let told: String = folder("tests/workflows/broken")
        .into_iter()
        .map(|file| told(&[file]))
        .collect();
    if std::env::var("FAIRLEAD_GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&golden, &told).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    for (number, (told, expected)) in told.lines().zip(expected.lines()).enumerate() {
        assert_eq!(told, expected, "line {} of broken.txt", number + 1);
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}

#[test]
fn every_broken_file_has_an_error() {
    for file in folder("tests/workflows/broken") {
        let path = file.path.clone();
        let errors = lint(&[file]);
        let error = errors
            .iter()
            .any(|finding| finding.level.as_str() == "error");
        assert!(error, "{path}");
    }
}

#[test]
fn a_file_below_the_workflows_folder_is_checked_as_yaml_alone() {
    let below = |content: &str| WorkflowFile {
        path: ".github/workflows/shared/a.yml".to_owned(),
        below: true,
        content: content.into(),
    };
    assert_eq!(told(&[below("---\nrules:\n  - one\n")]), "");
    let twice = "a.yml:3:1 error key-duplicates: the key `a` stands here a second time; the first is on line 2\n";
    assert_eq!(told(&[below("---\na: 1\na: 2\n")]), twice);
    // GitHub does not find it there, so no job can use it.
    let caller = "---\non: push\njobs:\n  a:\n    uses: ./.github/workflows/shared/a.yml\n";
    let mut files = one(caller);
    let alone = told(&files);
    assert!(
        alone.contains("is no workflow that can be called"),
        "{alone}"
    );
    files.push(below("---\non: workflow_call\n"));
    assert_eq!(told(&files), alone);
}

/// What an editor would take out of a file.
#[test]
fn blanks_and_line_ends_are_looked_at_as_they_were_committed() {
    let good = "---\non: push\njobs:\n  a:\n    runs-on: b\n    steps:\n      - run: c\n";
    assert_eq!(told(&one(good)), "");
    for (content, expected) in [
        (
            good.replace("runs-on: b", "runs-on: b  \t"),
            "a.yml:5:15 error trailing-spaces: trailing spaces\n",
        ),
        (
            good.trim_end().to_owned(),
            "a.yml:7:15 error new-line-at-end-of-file: no new line character at the end of file\n",
        ),
        (
            format!("{good}\n"),
            "a.yml:8:1 error empty-lines: too many blank lines (1 > 0)\n",
        ),
        (
            format!("\n{good}"),
            "a.yml:1:1 error empty-lines: too many blank lines (1 > 0)\n",
        ),
        (
            good.replace('\n', "\r\n"),
            "a.yml:1:4 error new-lines: wrong new line character: expected \\n, found \\r\\n\n",
        ),
        (
            good.replace("    steps", "\tsteps"),
            "a.yml:6:1 error syntax: a tab is used for indentation; YAML allows only spaces there\n",
        ),
    ] {
        assert_eq!(told(&one(content)), expected);
    }
}

#[test]
fn what_is_no_text_or_too_large_is_refused_at_once() {
    for (content, expected) in [
        (
            b"on: push\nname: \xff\n".to_vec(),
            "a.yml:2:7 error syntax: the file is not UTF-8 from here on\n",
        ),
        (
            vec![b'\n'; 600_000],
            "a.yml:1:1 error limits: the file is larger than 524288 bytes, which is the limit\n",
        ),
        (
            [b"on: push\n# ".to_vec(), vec![b'x'; 70_000]].concat(),
            "a.yml:2:1 error limits: the line has 70002 bytes; 65536 are the limit\n",
        ),
        (
            Vec::new(),
            "a.yml:1:1 error syntax: the file is empty; expected `on` and `jobs`\n",
        ),
    ] {
        assert_eq!(told(&one(content)), expected);
    }
}

#[test]
fn a_call_of_a_workflow_that_the_commit_does_not_hold_is_found() {
    let mut files = folder("tests/workflows/clean");
    files.retain(|file| !file.path.ends_with("/reusable.yml"));
    let told = told(&files);
    let expected = "caller.yml:30:11 error uses: `./.github/workflows/reusable.yml` is no workflow that can be called; this commit holds no such file;";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(told.lines().count(), 1);
}

#[test]
fn ordinary_workflow_files_pass_without_a_word() {
    for path in [
        "tests/workflows/clean",
        "../../end2end/lab/sample/.github/workflows",
    ] {
        let files = folder(path);
        assert!(!files.is_empty());
        assert_eq!(told(&files), "");
    }
}

/// The model may lag behind GitHub, which takes a single name here.
#[test]
fn what_only_the_model_refuses_is_a_warning() {
    let content = "---\non:\n  workflow_run:\n    workflows: CI\njobs:\n  a:\n    runs-on: b\n    steps:\n      - run: c\n";
    let told = told(&one(content));
    let expected =
        "a.yml:3:3 warning model: GitHub may refuse this; the model of its workflows says: ";
    assert!(
        told.starts_with(expected) && told.lines().count() == 1,
        "{told}"
    );
}

#[test]
fn comments_for_yamllint_are_heard_and_do_not_silence_anything_else() {
    let long = format!("name: {}", "long ".repeat(20).trim_end());
    let rest = "on: push\njobs:\n  a:\n    runs-on: b\n    stepz: []\n    steps:\n      - run: c\n";
    let wrong = "unknown key `stepz` in job `a`; did you mean `steps`?\n";
    for (content, line) in [
        (format!("# yamllint disable-file\n{long} \n{rest}"), 7),
        (
            format!("---\n# yamllint disable-line rule:line-length\n{long}\n{rest}"),
            8,
        ),
        (
            format!("---\n# yamllint disable rule:line-length\n{long}\n{rest}"),
            8,
        ),
        (format!("---\n{long} # yamllint disable-line\n{rest}"), 7),
    ] {
        let expected = format!("a.yml:{line}:5 error unknown-key: {wrong}");
        assert_eq!(told(&one(content)), expected);
    }
    let enabled = format!("---\n# yamllint disable\n# yamllint enable\n{long}\n{rest}");
    assert!(told(&one(enabled)).contains("a.yml:4:81 error line-length"));
    let other = format!("---\n{long} # yamllint disable-line rule:braces\n{rest}");
    assert!(told(&one(other)).contains("line-length"));
}

#[test]
fn many_findings_are_told_in_part_with_how_many_there_are() {
    let jobs: String = (0..300).map(|n| format!("  job{n}: {{}}\n")).collect();
    let told = told(&one(format!("---\non: push\njobs:\n{jobs}")));
    assert_eq!(told.lines().count(), 101);
    let last = "error limits: 500 more findings in this file are not told";
    assert!(told.lines().any(|line| line.ends_with(last)), "{told}");
}

/// Files that would take minutes or the whole memory if somebody followed them.
#[test]
fn files_that_were_made_to_do_harm_are_refused_quickly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..3_000 {
        writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    let nested: String = (0..5_000).fold(String::new(), |mut text, level| {
        let _ = writeln!(text, "{:level$}a:", "", level = level % 60);
        text
    });
    let deep: String = (0..300).map(|level| format!("{:level$}a:\n", "")).collect();
    let text = "x".repeat(400_000);
    let mut circles = "---\non: push\njobs:\n".to_owned();
    for job in 0..4_000 {
        writeln!(circles, "  j{job}: {{needs: [j{}]}}", job + 1).unwrap();
    }
    let all: Vec<String> = (0..4_000).map(|job| format!("j{job}")).collect();
    let all = all.join(",\n    ");
    writeln!(circles, "  j4000: {{needs: [\n    {all}]}}").unwrap();
    for (name, content) in [
        ("aliases of aliases", bomb),
        ("a chain of aliases", chain),
        ("brackets", "[".repeat(60_000)),
        ("braces", "{".repeat(60_000)),
        ("mappings in mappings", deep),
        ("steps back and forth", nested),
        ("hyphens", "- ".repeat(30_000)),
        ("question marks", "? ".repeat(30_000)),
        ("one long list", format!("[{}]", "a,".repeat(32_000))),
        ("keys", (0..30_000).map(|n| format!("k{n}:\n")).collect()),
        (
            "one long text",
            format!(
                "---\n- &a |\n  {}\n{}",
                text.as_str()
                    .chars()
                    .collect::<Vec<_>>()
                    .chunks(60_000)
                    .map(|c| c.iter().collect::<String>())
                    .collect::<Vec<_>>()
                    .join("\n  "),
                "- *a\n".repeat(20_000)
            ),
        ),
        (
            "openings",
            format!(
                "on: push\njobs:\n  a: |\n{}",
                "    ${{ ${{ ${{ ${{ ${{ ${{ ${{ ${{ ${{\n".repeat(12_000)
            ),
        ),
        (
            "expressions",
            format!(
                "---\non: push\nenv:\n  A: |\n{}",
                format!("    {}\n", "${{1}}".repeat(100)).repeat(800)
            ),
        ),
        (
            "one long expression",
            format!(
                "---\non: push\nenv:\n  A: |\n    ${{{{ 1\n{}    }}}}\n",
                "    && 1 && 1 && 1 && 1\n".repeat(20_000)
            ),
        ),
        (
            "directives",
            format!(
                "---\n{}{}",
                "# yamllint disable rule:a\n".repeat(9_000),
                " \n".repeat(100_000)
            ),
        ),
        (
            "needs without a job",
            (0..4_000).fold("---\non: push\njobs:\n".to_owned(), |mut text, job| {
                let _ = writeln!(text, "  job{job}: {{needs: [x{job}]}}");
                text
            }),
        ),
        ("circles of needs", circles),
        (
            "parentheses",
            format!("name: ${{{{ {} }}}}\n", "(".repeat(20_000)),
        ),
        ("quotes", "\"".repeat(60_000)),
        ("comments", "#\n".repeat(50_000)),
        ("anchors", "&a ".repeat(20_000)),
        ("tags", "!a ".repeat(20_000)),
        ("documents", "---\n".repeat(20_000)),
    ] {
        let start = Instant::now();
        let findings = lint(&one(content));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{name} took {took:?}");
        assert!(!findings.is_empty(), "{name}");
    }
}

/// What workflow files are made of.
const PIECES: &[&str] = &[
    "on", "jobs", "steps", "run", "uses", "needs", "if", "push", "a", ": ", ":", "- ", "\n",
    "\n  ", "\n    ", "\n      ", "${{ ", " }}", "github.", "'", "\"", "[", "]", "{", "}", ",",
    "&a ", "*a", "|", ">", "#", "? ", "!", "\t", "\r\n", "---\n", "é", "\u{feff}", "🦀", "<<", "%",
    "@", "needs.", "(", ")", " ",
];

/// Texts that look like workflow files here and there.
fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_makes_the_linter_panic(text in prop_oneof![pieces(), any::<String>()]) {
        for finding in lint(&one(text)) {
            prop_assert!(finding.line >= 1 && finding.column >= 1);
        }
    }

    #[test]
    fn no_bytes_make_the_linter_panic(bytes in any::<Vec<u8>>()) {
        lint(&one(bytes));
    }

    /// A good file with something in the wrong place.
    #[test]
    fn no_damage_to_a_file_makes_the_linter_panic(
        which in 0_usize..5, at in any::<prop::sample::Index>(), cut in 0_usize..20, put in pieces()
    ) {
        let files = folder("tests/workflows/clean");
        let text = String::from_utf8(files[which].content.clone()).unwrap();
        let at = at.index(text.len());
        let (before, after) = (text.floor_char_boundary(at), text.floor_char_boundary(at + cut));
        lint(&one([&text[..before], &put, &text[after..]].concat()));
    }
}
