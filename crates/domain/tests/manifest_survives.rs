//! Whatever text a manifest's file holds, reading it ends, without panic, in a manifest or in at least one problem
//! with a place inside the file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::time::{Duration, Instant};

use common::EXAMPLE;
use domain::manifest::Manifest;
use proptest::prelude::*;
use proptest::sample::Index;

/// Reads `text` and holds what is told against the text.
fn survives(text: &str) {
    match Manifest::parse(text) {
        // What was read can be stored and read again.
        Ok(manifest) => {
            let json = serde_json::to_string(&manifest).unwrap();
            assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            assert!(
                problems.is_sorted_by_key(|p| (p.line, p.column)),
                "not in the order of the file: {problems:#?}"
            );
            let lines: Vec<&str> = text.split('\n').collect();
            for problem in problems {
                assert!(!problem.message.is_empty());
                let line = lines
                    .get(problem.line as usize - 1)
                    .expect("a line of the file");
                assert!(
                    (1..=line.chars().count() + 1).contains(&(problem.column as usize)),
                    "{problem}"
                );
            }
        }
    }
}

fn lines() -> Vec<&'static str> {
    EXAMPLE.lines().collect()
}

/// Pieces that mean something in TOML or in a manifest.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\[\\]{}=,.\"'#\n\\\\0-9a-z_: -]{0,12}",
        prop::sample::select(vec![
            "\"\"\"",
            "'''",
            "[[",
            "]]",
            " = ",
            "\n\n",
            "\r",
            "\\u0000",
            "\0",
            "é",
            "secret:",
            "inf",
            "0x",
            "1e999",
            "99999999999999999999",
            "true",
            "1979-05-27",
            "[environments.dev]",
            "after",
            "follows = \"prod\"",
            "..",
            "{}",
            "[]",
        ])
        .prop_map(String::from),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_mixture_of_toml_is_survived(pieces in prop::collection::vec(piece(), 0..40)) {
        survives(&pieces.concat());
    }

    #[test]
    fn the_example_with_pieces_put_in_and_taken_out_is_survived(
        edits in prop::collection::vec((any::<Index>(), 0_usize..20, piece()), 1..6),
    ) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for (at, taken, put) in edits {
            let at = at.index(text.len());
            let end = (at + taken).min(text.len());
            text.splice(at..end, put.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn the_example_with_lines_lost_doubled_and_moved_is_survived(
        edits in prop::collection::vec((any::<Index>(), any::<Index>(), 0_u8..3), 1..8),
    ) {
        let mut lines = lines();
        for (from, to, edit) in edits {
            let line = lines[from.index(lines.len())];
            match edit {
                0 => drop(lines.remove(from.index(lines.len()))),
                1 => lines.insert(to.index(lines.len()), line),
                _ => {
                    let line = lines.remove(from.index(lines.len()));
                    lines.insert(to.index(lines.len() + 1), line);
                }
            }
        }
        survives(&lines.join("\n"));
    }

    #[test]
    fn the_example_with_values_exchanged_is_survived(
        edits in prop::collection::vec((any::<Index>(), any::<Index>()), 1..6),
    ) {
        let mut lines: Vec<String> = EXAMPLE.lines().map(String::from).collect();
        let assignments: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].contains(" = ")).collect();
        for (from, to) in edits {
            let (from, to) = (assignments[from.index(assignments.len())], assignments[to.index(assignments.len())]);
            let value = lines[from].split_once(" = ").unwrap().1.to_owned();
            let key = lines[to].split_once(" = ").unwrap().0.to_owned();
            lines[to] = format!("{key} = {value}");
        }
        survives(&lines.join("\n"));
    }
}

#[test]
fn the_example_without_any_one_line_is_survived() {
    for lost in 0..lines().len() {
        let mut lines = lines();
        lines.remove(lost);
        survives(&lines.join("\n"));
    }
}

#[test]
fn the_example_cut_anywhere_is_survived() {
    for (end, _) in EXAMPLE.char_indices().step_by(7) {
        survives(&EXAMPLE[..end]);
    }
}

#[test]
fn a_deep_nest_is_survived() {
    let depth = 20_000;
    survives(&format!("name = {}", "[".repeat(depth)));
    survives(&format!(
        "name = {}{}",
        "[".repeat(depth),
        "]".repeat(depth)
    ));
    survives(&format!("name = {}", "{a=".repeat(depth)));
    survives(&format!("{}a = 1", "a.".repeat(depth)));
    survives(&format!("[{}a]", "a.".repeat(depth)));
    survives(&format!("components.{}a = 1", "a.".repeat(depth)));
}

/// The example with so many more variables, and how long it takes to read it: the least of five times, since a machine
/// that does something else meanwhile only adds to it.
fn read_with(vars: usize) -> (Manifest, Duration) {
    let lines: String = (0..vars).map(|n| format!("v{n} = \"{n}\"\n")).collect();
    let table = "[environments.dev.vars]";
    let text = EXAMPLE.replacen(table, &format!("{table}\n{lines}"), 1);
    let read = || {
        let began = Instant::now();
        (Manifest::parse(&text).unwrap(), began.elapsed())
    };
    let times = std::iter::repeat_with(|| read().1).take(5);
    (read().0, times.min().unwrap())
}

#[test]
fn a_large_file_is_read_in_time_that_grows_with_it() {
    let (_, small) = read_with(2_500);
    let (manifest, large) = read_with(20_000);
    assert_eq!(manifest.environments[0].vars.len(), 20_003);
    // Eight times as much text; were each line held against all others, it would take sixty-four times as long.
    assert!(
        large < small * 24,
        "{small:?} for 2,500, {large:?} for 20,000"
    );
}
