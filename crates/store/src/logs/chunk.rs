//! How lines are packed into a chunk: per line its time (8 bytes), the length of its text (4 bytes), both little
//! endian, the letter of its stream, and the text. Bytes, because PostgreSQL keeps no NUL in text; lengths instead of
//! separators, because a line may hold anything.
use domain::Ms;
use domain::log::{LogLine, Stream};

use super::NewLine;
use crate::StoreError;

/// The size from which on a chunk takes no more lines, in bytes: 56 KB was the fastest that was measured.
const FULL: usize = 56 * 1024;

/// Packed lines.
pub(super) struct Chunk {
    pub lines: i64,
    pub data: Vec<u8>,
}

/// A line within a chunk.
pub(super) struct Packed<'c> {
    at: i64,
    stream: u8,
    pub text: &'c [u8],
}

impl Packed<'_> {
    pub fn numbered(&self, n: i64) -> Result<LogLine, StoreError> {
        let stream =
            Stream::from_code(char::from(self.stream)).ok_or_else(|| damaged("no such stream"))?;
        let text = std::str::from_utf8(self.text).map_err(damaged)?;
        Ok(LogLine {
            n,
            at: Ms(self.at),
            stream,
            text: text.to_owned(),
        })
    }
}

pub(super) fn pack(lines: &[NewLine]) -> Result<Vec<Chunk>, StoreError> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for line in lines {
        if chunks.last().is_none_or(|chunk| chunk.data.len() >= FULL) {
            chunks.push(Chunk {
                lines: 0,
                data: Vec::with_capacity(FULL / 8),
            });
        }
        let Some(chunk) = chunks.last_mut() else {
            continue;
        };
        let length = u32::try_from(line.text.len())
            .map_err(|_| StoreError::Other("a line of the log is longer than 4 GiB".into()))?;
        chunk.lines += 1;
        chunk.data.extend_from_slice(&line.at.0.to_le_bytes());
        chunk.data.extend_from_slice(&length.to_le_bytes());
        // A stream's letter is ASCII.
        chunk.data.push(line.stream.code() as u8);
        chunk.data.extend_from_slice(line.text.as_bytes());
    }
    Ok(chunks)
}

/// The lines of a chunk; ends with an error where the bytes are not what [`pack`] wrote.
pub(super) fn unpack(mut data: &[u8]) -> impl Iterator<Item = Result<Packed<'_>, StoreError>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let line = split(data);
        data = line.as_ref().map_or(&[], |(_, rest)| rest);
        Some(
            line.map(|(line, _)| line)
                .ok_or_else(|| damaged("it ends within a line")),
        )
    })
}

fn split(data: &[u8]) -> Option<(Packed<'_>, &[u8])> {
    let (at, data) = data.split_first_chunk::<8>()?;
    let (length, data) = data.split_first_chunk::<4>()?;
    let (stream, data) = data.split_first()?;
    let (text, rest) = data.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((
        Packed {
            at: i64::from_le_bytes(*at),
            stream: *stream,
            text,
        },
        rest,
    ))
}

fn damaged(why: impl ToString) -> StoreError {
    StoreError::corrupt("a piece of a log", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes before the text.
    const HEAD: usize = 13;

    fn line(text: &str) -> NewLine {
        NewLine {
            at: Ms(-1),
            stream: Stream::Err,
            text: text.into(),
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let texts = [
            "",
            "plain",
            "nul \0 and \u{1b}[31mred\u{1b}[0m\r50 %",
            "línea\nwith a line end",
            &"x".repeat(200_000),
        ];
        let lines: Vec<NewLine> = texts.iter().map(|text| line(text)).collect();
        let chunks = pack(&lines).unwrap();
        let back: Vec<String> = chunks
            .iter()
            .flat_map(|chunk| {
                unpack(&chunk.data)
                    .map(|line| line.unwrap().numbered(1).unwrap().text)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(back, texts);
        assert_eq!(chunks.iter().map(|chunk| chunk.lines).sum::<i64>(), 5);
    }

    #[test]
    fn a_chunk_is_closed_when_it_is_full() {
        let lines = vec![line(&"x".repeat(1000)); 200];
        let chunks = pack(&lines).unwrap();
        assert_eq!(chunks.len(), 4);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk.data.len() < FULL + 1000 + HEAD)
        );
    }

    #[test]
    fn a_chunk_that_was_cut_short_is_damaged_wherever_the_cut_is() {
        let chunk = &pack(&[line("one"), line("two")]).unwrap()[0];
        for cut in 1..chunk.data.len() {
            let whole = cut == HEAD + 3;
            assert_eq!(
                unpack(&chunk.data[..cut]).all(|line| line.is_ok()),
                whole,
                "cut after {cut} bytes"
            );
        }
    }
}
