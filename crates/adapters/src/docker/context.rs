//! A build context, which is a tar, on its way to the builder: files that `.dockerignore` names are left out.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use super::ignore::Ignore;

/// A tar is made of blocks of this many bytes.
const BLOCK: usize = 512;
/// The longest extended header: a path and a few words.
const LONGEST: usize = 1 << 20;

/// The context without what the rules leave out. The files that the engine reads the rules and the build from always
/// go with it; it leaves them out of the image by itself.
pub(super) fn filtered(
    context: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ignore: Ignore,
    dockerfile: &str,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut sieve = Sieve {
        ignore,
        always: [dockerfile.to_owned(), ".dockerignore".to_owned()],
        input: BytesMut::new(),
        held: BytesMut::new(),
        path: None,
        size: None,
        state: State::Header,
    };
    context
        .map(move |piece| sieve.feed(&piece?))
        .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
}

struct Sieve {
    ignore: Ignore,
    always: [String; 2],
    /// What came and is not yet looked at.
    input: BytesMut,
    /// Extended headers, which belong to the entry after them.
    held: BytesMut,
    /// What those say of the entry.
    path: Option<String>,
    size: Option<u64>,
    state: State,
}

enum State {
    /// A header comes.
    Header,
    /// The content of an extended header comes: so many blocks' bytes of this kind, of which these count.
    Extended { kind: u8, size: usize },
    /// An entry's content comes.
    Content { left: u64, sent: bool },
    /// The end: zeros.
    End,
}

impl Sieve {
    fn feed(&mut self, piece: &[u8]) -> io::Result<Bytes> {
        self.input.extend_from_slice(piece);
        let mut out = BytesMut::with_capacity(piece.len());
        loop {
            match self.state {
                State::Header => {
                    if self.input.len() < BLOCK {
                        break;
                    }
                    let header = self.input.split_to(BLOCK);
                    self.header(&header, &mut out)?;
                }
                State::Extended { kind, size } => {
                    let padded = size.next_multiple_of(BLOCK);
                    if self.input.len() < padded {
                        break;
                    }
                    let content = self.input.split_to(padded);
                    self.extended(kind, content.get(..size).unwrap_or_default());
                    self.held.extend_from_slice(&content);
                    self.state = State::Header;
                }
                State::Content { left: 0, .. } => self.state = State::Header,
                State::Content { left, sent } => {
                    if self.input.is_empty() {
                        break;
                    }
                    let here = usize::try_from(left).unwrap_or(usize::MAX);
                    let taken = self.input.split_to(here.min(self.input.len()));
                    if sent {
                        out.extend_from_slice(&taken);
                    }
                    let left = left - taken.len() as u64;
                    self.state = State::Content { left, sent };
                }
                State::End => {
                    out.extend_from_slice(&self.input.split());
                    break;
                }
            }
        }
        Ok(out.freeze())
    }

    fn header(&mut self, header: &[u8], out: &mut BytesMut) -> io::Result<()> {
        if header.iter().all(|byte| *byte == 0) {
            out.extend_from_slice(header);
            self.state = State::End;
            return Ok(());
        }
        let size = number(field(header, 124, 12)).ok_or_else(|| odd("a size is no number"))?;
        let kind = header.get(156).copied().unwrap_or_default();
        if matches!(kind, b'x' | b'L' | b'K') {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > LONGEST {
                return Err(odd("a header is longer than a path can be"));
            }
            self.held.extend_from_slice(header);
            self.state = State::Extended { kind, size };
            return Ok(());
        }
        let size = self.size.take().unwrap_or(size);
        // One for all entries that follow, such as git's with the commit, is no file.
        let sent = kind == b'g' || self.sends(header);
        let held = self.held.split();
        if sent {
            out.extend_from_slice(&held);
            out.extend_from_slice(header);
        }
        let left = size.next_multiple_of(BLOCK as u64);
        self.state = State::Content { left, sent };
        Ok(())
    }

    fn sends(&mut self, header: &[u8]) -> bool {
        let path = self.path.take().unwrap_or_else(|| {
            let name = text(field(header, 0, 100));
            // Only this format has a second field for the folders.
            let folders = match field(header, 257, 6) {
                b"ustar\0" => text(field(header, 345, 155)),
                _ => String::new(),
            };
            if folders.is_empty() {
                name
            } else {
                format!("{folders}/{name}")
            }
        });
        let path = path.trim_start_matches("./").trim_end_matches('/');
        self.always.iter().any(|always| always == path) || self.ignore.sends(path)
    }

    /// Takes in what an extended header says: POSIX's `<length> <key>=<value>\n`, or GNU's long path.
    fn extended(&mut self, kind: u8, mut content: &[u8]) {
        if kind == b'L' {
            self.path = Some(text(content));
        }
        if kind != b'x' {
            return;
        }
        while !content.is_empty() {
            let digits = content
                .iter()
                .position(|byte| *byte == b' ')
                .unwrap_or_default();
            let length: usize = text(&content[..digits]).parse().unwrap_or_default();
            let Some(record) = content.get(digits + 1..length) else {
                break;
            };
            content = content.get(length..).unwrap_or_default();
            let record = String::from_utf8_lossy(record);
            match record.trim_end_matches('\n').split_once('=') {
                Some(("path", path)) => self.path = Some(path.to_owned()),
                Some(("size", size)) => self.size = size.parse().ok(),
                _ => {}
            }
        }
    }
}

fn field(header: &[u8], at: usize, length: usize) -> &[u8] {
    header.get(at..at + length).unwrap_or_default()
}

/// Up to the first NUL.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
}

/// Octal digits, or GNU's binary form of what is too large for them.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        return rest.iter().try_fold(0_u64, |sum, byte| {
            sum.checked_mul(256)?.checked_add((*byte).into())
        });
    }
    let digits = text(field);
    u64::from_str_radix(digits.trim_matches(' '), 8).ok()
}

fn odd(why: &str) -> io::Error {
    io::Error::other(format!("the build context is no tar: {why}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use futures::{TryStreamExt, stream};

    use super::*;

    /// What is left of a tar that is cut into pieces of so many bytes.
    async fn sieved(tar: &[u8], pieces: usize, rules: &str) -> Vec<u8> {
        let cut: Vec<_> = tar
            .chunks(pieces)
            .map(Bytes::copy_from_slice)
            .map(Ok)
            .collect();
        let left = filtered(stream::iter(cut), Ignore::parse(rules), "build/Dockerfile");
        let left: Vec<Bytes> = left.try_collect().await.unwrap();
        left.concat()
    }

    fn listed(tar: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), tar).unwrap();
        let out = Command::new("tar")
            .arg("-tf")
            .arg(file.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{out:?}");
        let names = String::from_utf8(out.stdout).unwrap();
        let mut names: Vec<_> = names
            .lines()
            .map(|name| name.trim_start_matches("./").to_owned())
            .collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names
    }

    #[tokio::test]
    async fn files_that_the_rules_name_are_left_out_wherever_the_tar_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("keep/{}/{}", "d".repeat(120), "f".repeat(120));
        let secret = format!("{}/{}/.env", "e".repeat(120), "g".repeat(120));
        for (path, size) in [
            (".dockerignore", 10),
            ("build/Dockerfile", 700),
            (".env", 20),
            ("src/main", 2000),
            ("node_modules/big", 300_000),
            (long.as_str(), 512),
            (secret.as_str(), 30),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![b'x'; size]).unwrap();
        }
        for format in ["ustar", "pax", "gnu"] {
            let names = if format == "ustar" {
                vec![".dockerignore", ".env", "build", "src", "node_modules"]
            } else {
                vec!["."]
            };
            let tar = Command::new("tar")
                .arg("-C")
                .arg(folder.path())
                .arg(format!("--format={format}"))
                .arg("-c")
                .args(names)
                .stderr(Stdio::inherit())
                .output()
                .unwrap()
                .stdout;
            let all = listed(&tar);
            for pieces in [100, 512, 70_000, 10_000_000] {
                assert_eq!(sieved(&tar, pieces, "").await, tar, "{format}");
                let left = listed(
                    &sieved(
                        &tar,
                        pieces,
                        "**/.env\n**/node_modules\nbuild\n.dockerignore",
                    )
                    .await,
                );
                let mut wanted = all.clone();
                wanted.retain(|name| {
                    !name.ends_with(".env") && !name.starts_with("node_modules") && name != "build/"
                });
                assert_eq!(left, wanted, "{format} in pieces of {pieces}");
                assert!(left.contains(&"build/Dockerfile".to_owned()), "{left:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_tar_is_an_error() {
        let junk = stream::iter([Ok(Bytes::from(vec![b'z'; 2000]))]);
        let left = filtered(junk, Ignore::parse("a"), "Dockerfile");
        let error = left.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.to_string().contains("no tar"), "{error}");
    }
}
