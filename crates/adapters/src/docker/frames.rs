//! The engine's framing of a container's output, taken apart.
//!
//! One frame per line: eight bytes of header, a timestamp, the text. A terminal's output has the timestamps only.

use bytes::{Buf, Bytes, BytesMut};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::logs::LogLine;
use crate::redact::Redactor;
use crate::ssh::Source;

/// A line is handed over without its end when it gets longer than this.
const LONGEST_LINE: usize = 1 << 20;

/// Bytes in, lines out.
pub(super) struct Frames {
    raw: BytesMut,
    tty: bool,
    /// A line in pieces, by stream: the engine cuts at 16 KiB and puts the timestamp before each piece.
    open: [Option<(i64, BytesMut)>; 2],
    /// What must not lie across a cut. Without it lines are handed over whole, however long they are.
    whole: Option<Redactor>,
}

impl Frames {
    pub(super) fn new(tty: bool, whole: Option<Redactor>) -> Self {
        Self {
            raw: BytesMut::new(),
            tty,
            open: [None, None],
            whole,
        }
    }

    pub(super) fn feed(&mut self, data: &[u8]) {
        self.raw.extend_from_slice(data);
    }

    /// The next whole line. At the end of the stream a line without an end counts as whole.
    pub(super) fn next(&mut self, ended: bool) -> Option<LogLine> {
        while let Some((source, frame)) = self.frame(ended) {
            if let Some(line) = self.join(source, frame) {
                return Some(line);
            }
        }
        if ended {
            for source in [Source::Stdout, Source::Stderr] {
                if let Some((at_ns, text)) = self.open[source as usize].take() {
                    return Some(LogLine {
                        at_ns,
                        source,
                        text: text.freeze(),
                    });
                }
            }
        }
        None
    }

    fn frame(&mut self, ended: bool) -> Option<(Source, Bytes)> {
        if self.tty {
            let end = match self.raw.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if ended && !self.raw.is_empty() => self.raw.len(),
                None => return None,
            };
            return Some((Source::Stdout, self.raw.split_to(end).freeze()));
        }
        let header = self.raw.first_chunk::<8>()?;
        let source = if header[0] == 2 {
            Source::Stderr
        } else {
            Source::Stdout
        };
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if self.raw.len() < 8 + length {
            self.raw.reserve(8 + length - self.raw.len());
            return None;
        }
        self.raw.advance(8);
        Some((source, self.raw.split_to(length).freeze()))
    }

    fn join(&mut self, source: Source, frame: Bytes) -> Option<LogLine> {
        let (at_ns, mut text) = stamp(frame);
        let whole = text.last() == Some(&b'\n');
        if whole {
            text.truncate(text.len() - 1);
            if text.last() == Some(&b'\r') {
                text.truncate(text.len() - 1);
            }
        }
        let open = &mut self.open[source as usize];
        match open {
            None if whole => {
                return Some(LogLine {
                    at_ns,
                    source,
                    text,
                });
            }
            None => *open = Some((at_ns, BytesMut::from(text))),
            Some((_, begun)) => begun.extend_from_slice(&text),
        }
        let (at_ns, begun) = open.as_mut()?;
        let cut = match &self.whole {
            _ if whole => begun.len(),
            Some(secrets) if begun.len() > LONGEST_LINE => secrets.cut(begun),
            _ => return None,
        };
        let line = LogLine {
            at_ns: *at_ns,
            source,
            text: begun.split_to(cut).freeze(),
        };
        if begun.is_empty() {
            *open = None;
        }
        (whole || cut > 0).then_some(line)
    }
}

/// Splits `2026-11-23T18:53:02.123456789Z text`. A frame without a time, which no engine is known to send, counts as 0.
fn stamp(mut frame: Bytes) -> (i64, Bytes) {
    let space = frame.iter().take(40).position(|byte| *byte == b' ');
    let time = space
        .and_then(|end| std::str::from_utf8(&frame[..end]).ok())
        .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok())
        .and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok());
    match (time, space) {
        (Some(ns), Some(end)) => {
            frame.advance(end + 1);
            (ns, frame)
        }
        _ => (0, frame),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::redact::MARK;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    fn read(bytes: &[u8], size: usize, tty: bool) -> Vec<(i64, Source, String)> {
        let (mut frames, mut lines) = (Frames::new(tty, None), Vec::new());
        let mut take = |frames: &mut Frames, ended| {
            while let Some(line) = frames.next(ended) {
                lines.push((
                    line.at_ns,
                    line.source,
                    String::from_utf8_lossy(&line.text).into_owned(),
                ));
            }
        };
        for piece in bytes.chunks(size) {
            frames.feed(piece);
            take(&mut frames, false);
        }
        take(&mut frames, true);
        lines
    }

    #[test]
    fn frames_become_lines_however_they_are_cut() {
        let bytes = [
            frame(1, "1970-01-01T00:00:01.000000005Z hello\n"),
            frame(2, "1970-01-01T00:00:02.000000000Z half "),
            frame(1, "1970-01-01T00:00:02.500000000Z between\r\n"),
            frame(2, "1970-01-01T00:00:02.000000000Z and half\n"),
            frame(1, "1970-01-01T00:00:03.000000000Z \n"),
            frame(1, "1970-01-01T00:00:04.000000000Z no end"),
        ]
        .concat();
        let want = [
            (1_000_000_005, Source::Stdout, "hello"),
            (2_500_000_000, Source::Stdout, "between"),
            (2_000_000_000, Source::Stderr, "half and half"),
            (3_000_000_000, Source::Stdout, ""),
            (4_000_000_000, Source::Stdout, "no end"),
        ]
        .map(|(at, source, text)| (at, source, text.to_owned()));
        for size in [1, 7, 8, 9, 64, bytes.len()] {
            assert_eq!(read(&bytes, size, false), want, "in pieces of {size}");
        }
    }

    #[test]
    fn a_terminals_output_has_no_frames() {
        let text = b"1970-01-01T00:00:01.000000000Z one\r\n1970-01-01T00:00:02.000000000Z two";
        let want = [
            (1_000_000_000, Source::Stdout, "one".to_owned()),
            (2_000_000_000, Source::Stdout, "two".to_owned()),
        ];
        assert_eq!(read(text, 5, true), want);
    }

    #[test]
    fn a_line_without_end_is_cut_beside_a_secret_and_not_within() {
        let secret = SecretString::from("hunter2");
        let redactor = Redactor::new([&secret]).unwrap();
        let piece = 16 << 10;
        for shift in 0..9 {
            let filling = LONGEST_LINE + piece - shift;
            let text = format!("{}hunter2{}", "x".repeat(filling), "y".repeat(2 * piece));
            let mut frames = Frames::new(false, Some(redactor.clone()));
            for part in text.as_bytes().chunks(piece) {
                let part = str::from_utf8(part).unwrap();
                frames.feed(&frame(1, &format!("1970-01-01T00:00:01.000000005Z {part}")));
            }
            frames.feed(&frame(1, "1970-01-01T00:00:01.000000005Z \n"));
            let mut lines = Vec::new();
            while let Some(line) = frames.next(false) {
                assert_eq!(line.at_ns, 1_000_000_005);
                lines.push(String::from_utf8(line.text.into()).unwrap());
            }
            assert_eq!(lines.len(), 2, "one cut");
            assert_eq!(lines.concat(), text);
            let clean: Vec<_> = lines
                .iter()
                .map(|line| redactor.redact_line(line))
                .collect();
            assert_eq!(clean.concat(), text.replace("hunter2", MARK), "{shift}");
        }
    }

    #[test]
    fn without_a_cut_a_line_stays_whole() {
        let text = "x".repeat(LONGEST_LINE);
        let bytes =
            ["", "", "\n"].map(|end| frame(1, &format!("1970-01-01T00:00:01Z {text}{end}")));
        let lines = read(&bytes.concat(), 1 << 20, false);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].2.len(), 3 * LONGEST_LINE);
    }
}
