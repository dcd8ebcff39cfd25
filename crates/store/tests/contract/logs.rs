//! Logs: numbered without gaps, read by number from either end, searched, and fast enough.
use std::time::Instant;

use domain::log::Stream;
use domain::{Ms, StepId};
use store::{Claim, NewLine};

use crate::world::*;

stories!(
    lines_are_numbered_and_read_from_either_end,
    a_line_may_hold_anything,
    a_reader_beside_a_writer_sees_no_gap_and_no_double,
    two_writers_of_one_log_share_its_numbers,
    lines_whose_answer_was_lost_are_stored_once,
    a_text_is_found_in_either_case_up_to_the_limit,
    the_first_line_that_looks_like_an_error_is_known,
    the_place_in_the_source_is_stored_with_the_lines,
    two_hundred_thousand_lines_are_stored_and_read_back,
);

const STEP: StepId = BUILD;

fn line(text: impl Into<String>) -> NewLine {
    NewLine {
        at: Ms(7),
        stream: Stream::Out,
        text: text.into(),
    }
}

async fn claimed(world: &World) -> Claim {
    world.run_at("dev", 100).await;
    world.claim_at(200).await
}

async fn lines_are_numbered_and_read_from_either_end(world: World) {
    let claim = claimed(&world).await;
    let (store, run) = (&world.store, claim.run);
    let mut last = 0;
    for size in [1, 30, 0, 69] {
        let lines: Vec<_> = (last + 1..=last + size)
            .map(|n| line(format!("line {n}")))
            .collect();
        assert_eq!(
            store
                .append_lines(&claim, STEP, &lines, None, None)
                .await
                .unwrap(),
            last + size
        );
        last += size;
    }
    store
        .append_lines(&claim, CHECKOUT, &[line("another log")], None, None)
        .await
        .unwrap();
    assert_eq!(store.line_count(run, STEP).await.unwrap(), 100);
    let after = async |n, limit| numbers(store.lines_after(run, STEP, n, limit).await.unwrap());
    let before = async |n, limit| numbers(store.lines_before(run, STEP, n, limit).await.unwrap());
    assert_eq!(after(0, 1000).await, (1..=100).collect::<Vec<_>>());
    assert_eq!(
        after(29, 5).await,
        vec![30, 31, 32, 33, 34],
        "across the borders of chunks"
    );
    assert_eq!(after(99, 5).await, vec![100]);
    assert_eq!(after(100, 5).await, Vec::<i64>::new());
    assert_eq!(after(5, 0).await, Vec::<i64>::new());
    assert_eq!(before(33, 4).await, vec![29, 30, 31, 32]);
    assert_eq!(before(3, 10).await, vec![1, 2]);
    assert_eq!(before(1, 10).await, Vec::<i64>::new());
    assert_eq!(before(i64::MAX, 3).await, vec![98, 99, 100], "the tail");
    assert_eq!(
        numbers(store.lines_after(run, DEPLOY, 0, 10).await.unwrap()),
        Vec::<i64>::new()
    );
}

/// The numbers of lines whose text says the same number.
fn numbers(lines: Vec<domain::log::LogLine>) -> Vec<i64> {
    lines
        .into_iter()
        .map(|line| {
            assert_eq!(line.text, format!("line {}", line.n));
            line.n
        })
        .collect()
}

async fn a_line_may_hold_anything(world: World) {
    let claim = claimed(&world).await;
    let texts = [
        "",
        "nul \0 inside",
        "\u{1b}[31mred\u{1b}[0m",
        "10 %\r20 %",
        "✗ größer",
        &"long ".repeat(100_000),
    ];
    let streams = [
        Stream::Out,
        Stream::Err,
        Stream::Portal,
        Stream::Out,
        Stream::Err,
        Stream::Out,
    ];
    let lines: Vec<_> = texts
        .iter()
        .zip(streams)
        .zip(0..)
        .map(|((text, stream), at)| NewLine {
            at: Ms(at),
            stream,
            text: (*text).to_owned(),
        })
        .collect();
    world
        .store
        .append_lines(&claim, STEP, &lines, None, None)
        .await
        .unwrap();
    let read = world
        .store
        .lines_after(claim.run, STEP, 0, 100)
        .await
        .unwrap();
    for (line, read) in lines.iter().zip(&read) {
        assert_eq!(
            (line.at, line.stream, &line.text),
            (read.at, read.stream, &read.text)
        );
    }
    assert_eq!(read.len(), lines.len());
}

async fn a_reader_beside_a_writer_sees_no_gap_and_no_double(world: World) {
    const LINES: i64 = 3000;
    let claim = claimed(&world).await;
    let (store, run) = (world.store.clone(), claim.run);
    let writer = tokio::spawn(async move {
        let mut n = 0;
        while n < LINES {
            let size = (n % 23 + 1).min(LINES - n);
            let lines: Vec<_> = (n + 1..=n + size)
                .map(|n| line(format!("line {n}")))
                .collect();
            n = store
                .append_lines(&claim, STEP, &lines, None, None)
                .await
                .unwrap();
        }
    });
    let mut cursor = 0;
    while cursor < LINES {
        for n in numbers(
            world
                .store
                .lines_after(run, STEP, cursor, 100)
                .await
                .unwrap(),
        ) {
            assert_eq!(n, cursor + 1);
            cursor = n;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(world.store.line_count(run, STEP).await.unwrap(), LINES);
}

async fn two_writers_of_one_log_share_its_numbers(world: World) {
    let claim = claimed(&world).await;
    let write = async |stream| {
        for n in 0..50 {
            let line = NewLine {
                stream,
                ..line(format!("{n}"))
            };
            world
                .store
                .append_lines(&claim, STEP, &[line.clone(), line], None, None)
                .await
                .unwrap();
        }
    };
    tokio::join!(write(Stream::Out), write(Stream::Err));
    let read = world
        .store
        .lines_after(claim.run, STEP, 0, 1000)
        .await
        .unwrap();
    assert_eq!(
        read.iter().map(|line| line.n).collect::<Vec<_>>(),
        (1..=200).collect::<Vec<_>>()
    );
    for stream in [Stream::Out, Stream::Err] {
        let texts: Vec<_> = read
            .iter()
            .filter(|line| line.stream == stream)
            .map(|line| line.text.clone())
            .collect();
        let expected: Vec<_> = (0..50)
            .flat_map(|n| [n.to_string(), n.to_string()])
            .collect();
        assert_eq!(texts, expected, "each writer's lines keep their order");
    }
}

async fn a_text_is_found_in_either_case_up_to_the_limit(world: World) {
    let claim = claimed(&world).await;
    for start in [0, 5000] {
        let lines: Vec<_> = (start + 1..=start + 5000)
            .map(|n| {
                line(if n % 1000 == 0 {
                    format!("Needle 50% _ {n}")
                } else {
                    format!("some hay that fills a chunk {n}")
                })
            })
            .collect();
        world
            .store
            .append_lines(&claim, STEP, &lines, None, None)
            .await
            .unwrap();
    }
    let search = async |text: &str, limit| {
        world
            .store
            .search(claim.run, STEP, text, limit)
            .await
            .unwrap()
    };
    let all: Vec<i64> = (1..=10).map(|n| n * 1000).collect();
    let found = search("nEEdle", 10).await;
    assert_eq!((found.lines, found.more), (all.clone(), false));
    let found = search("50% _", 3).await;
    assert_eq!(
        (found.lines, found.more),
        (all[..3].to_vec(), true),
        "nothing is a wild card"
    );
    for nothing in ["nowhere", "50% x", ""] {
        let found = search(nothing, 10).await;
        assert_eq!((found.lines.len(), found.more), (0, false));
    }
}

async fn the_first_line_that_looks_like_an_error_is_known(world: World) {
    let claim = claimed(&world).await;
    let first = async || world.store.first_error(claim.run, STEP).await.unwrap();
    world
        .store
        .append_lines(
            &claim,
            STEP,
            &[line("all is well"), line("still")],
            None,
            None,
        )
        .await
        .unwrap();
    assert_eq!(first().await, None);
    world
        .store
        .append_lines(
            &claim,
            STEP,
            &[
                line("well"),
                line("ERROR: no such table"),
                line("error again"),
            ],
            None,
            None,
        )
        .await
        .unwrap();
    assert_eq!(first().await, Some(4));
    world
        .store
        .append_lines(&claim, STEP, &[line("error once more")], None, None)
        .await
        .unwrap();
    assert_eq!(first().await, Some(4));
}

async fn lines_whose_answer_was_lost_are_stored_once(world: World) {
    let claim = claimed(&world).await;
    let (store, run) = (&world.store, claim.run);
    let lines = [line("one"), line("two")];
    for (after, lines, last) in [
        (Some(0), &lines[..], 2),
        (Some(0), &lines[..], 2),
        (Some(2), &lines[..], 4),
        (Some(2), &lines[..], 4),
        (Some(4), &lines[..1], 5),
        // Whoever does not know where the log stands adds to it.
        (None, &lines[..1], 6),
    ] {
        let stored = store.append_lines(&claim, STEP, lines, None, after).await;
        assert_eq!(stored.unwrap(), last);
        assert_eq!(store.line_count(run, STEP).await.unwrap(), last);
    }
    let read = store.lines_after(run, STEP, 0, 100).await.unwrap();
    let read: Vec<_> = read.iter().map(|line| (line.n, &*line.text)).collect();
    let told = ["one", "two", "one", "two", "one", "one"];
    assert_eq!(read, (1..).zip(told).collect::<Vec<_>>());
}

async fn the_place_in_the_source_is_stored_with_the_lines(world: World) {
    let claim = claimed(&world).await;
    let store = &world.store;
    assert_eq!(store.log_cursor(claim.run, STEP).await.unwrap(), None);
    for (text, told, kept) in [
        ("the portal's own", None, None),
        ("the first of the source", Some("10.1"), Some("10.1")),
        ("the portal's own again", None, Some("10.1")),
        ("the next of the source", Some("20.2"), Some("20.2")),
    ] {
        store
            .append_lines(&claim, STEP, &[line(text)], told, None)
            .await
            .unwrap();
        let cursor = store.log_cursor(claim.run, STEP).await.unwrap();
        assert_eq!(cursor.as_deref(), kept, "after “{text}”");
    }
    assert_eq!(store.log_cursor(claim.run, CHECKOUT).await.unwrap(), None);
}

async fn two_hundred_thousand_lines_are_stored_and_read_back(world: World) {
    const LINES: i64 = 200_000;
    const BATCH: i64 = 500;
    let claim = claimed(&world).await;
    let text = "a line of a usual length, such as a build tool or a web server writes, with some words and numbers 0123456789 ";
    let start = Instant::now();
    for _ in 0..LINES / BATCH {
        let lines: Vec<_> = (0..BATCH).map(|_| line(text)).collect();
        world
            .store
            .append_lines(&claim, STEP, &lines, None, None)
            .await
            .unwrap();
    }
    let wrote = start.elapsed();
    let start = Instant::now();
    let page = world
        .store
        .lines_after(claim.run, STEP, 180_000, 10_000)
        .await
        .unwrap();
    let read = start.elapsed();
    assert_eq!((page[0].n, page.len()), (180_001, 10_000));
    let start = Instant::now();
    assert!(
        world
            .store
            .search(claim.run, STEP, "not there", 10)
            .await
            .unwrap()
            .lines
            .is_empty()
    );
    let searched = start.elapsed();
    let per_second = LINES as f64 / wrote.as_secs_f64();
    let place = if world.dir.is_some() {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    println!(
        "{place}: {LINES} lines in {wrote:.1?} ({per_second:.0} lines/s, {:.1} MB/s), 10,000 from the middle in {read:.1?}, searched in {searched:.1?}",
        per_second * text.len() as f64 / 1e6
    );
    assert_eq!(
        world.store.line_count(claim.run, STEP).await.unwrap(),
        LINES
    );
}
