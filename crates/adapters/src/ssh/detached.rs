//! Commands that outlive the connection they were started over: neither its loss nor the end of the portal ends them
//! or starts them twice.
//!
//! Each has a folder of its own on the host, `~/.fairlead/<key>`, that only its account may read:
//!
//! | in it | what |
//! |---|---|
//! | `script` | what runs; the folder gets its name only once the script is whole |
//! | `group` | those of which one runs at a time, where it belongs to such |
//! | `lock` | held for as long as a process of it lives |
//! | `pid` | the process group |
//! | `begun` | made right before the script runs, which it therefore does once at most |
//! | `out`, `err` | what it writes |
//! | `exit` | its exit status |
//!
//! So every end can be told from every other: without `begun` it has not run, with `exit` it has ended, with a held lock
//! it runs, and otherwise it was killed from outside or the host was restarted, and how far it came is unknown.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    command::{Command, quote},
    error::SshError,
    exec::{Exit, Output, Source},
    hosts::Host,
};
use crate::redact::Redactor;

/// Statuses that the scripts below end with; above those that `sh` and the tools use themselves.
const ABSENT: i32 = 80;
const RUNNING: i32 = 81;
const UNKNOWN: i32 = 82;
const ENDED: i32 = 83;
const NOT_BEGUN: i32 = 84;
const NO_PROGRAM: i32 = 85;

/// Most that one look brings of each stream.
const CHUNK: usize = 256 << 10;
/// How long one look waits for something new: this often a tenth of a second.
const TURNS: &str = "40";
/// How long a killed command may take to be gone, in tenths of a second.
const GONE: u64 = 50;

/// `$1` key. The lock is asked for by sharing it, so that two who look do not mistake each other for the command. The
/// status may be written between two of the questions, so it is asked for last.
macro_rules! phase {
    () => {
        r#"
d=$HOME/.fairlead/$1
phase() {
  if ! [ -d "$d/begun" ]; then p=80
  elif flock -s -n "$d/lock" true; then p=82; [ -f "$d/exit" ] && p=83
  else p=81; [ -f "$d/exit" ] && p=83
  fi
  return 0
}
"#
    };
}

/// `$1` key, `$2` the script's size, `$3` [`RUNNER`], `$4` its group. The size is compared because a broken connection looks like the end
/// of the input. What nobody has looked at for a month goes.
const START: &str = concat!(
    phase!(),
    r#"
set -eu
umask 077
for program in bash flock setsid; do
  command -v "$program" >/dev/null 2>&1 || { echo "$program"; exit 85; }
done
b=$HOME/.fairlead
mkdir -p -- "$b"
chmod 700 -- "$b"
find "$b" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf -- {} + || true
if ! [ -d "$d" ]; then
  t=$(mktemp -d -- "$b/.new.XXXXXXXX")
  trap 'rm -rf -- "$t"' EXIT
  trap 'exit 1' HUP INT TERM
  cat >"$t/script"
  if [ "$(wc -c <"$t/script")" -ne "$2" ]; then echo "it arrived incomplete" >&2; exit 1; fi
  : >"$t/out"; : >"$t/err"; : >"$t/lock"
  printf '%s\n' "$4" >"$t/group"
  sync -- "$t/script" "$t"
  mv -T -- "$t" "$d" 2>/dev/null || [ -d "$d" ]
  sync -- "$b"
fi
phase
if [ "$p" -eq 80 ]; then
  setsid sh -c "$3" sh "$d" </dev/null >/dev/null 2>&1 &
  n=0
  until [ -d "$d/begun" ]; do
    n=$((n + 1))
    [ "$n" -le 100 ] || exit 84
    sleep 0.1
  done
  phase
fi
exit "$p""#
);

/// `$1` folder. The lock passes on to what runs, so that it is held until the last process of it is gone. The script runs
/// in a login shell, as if somebody had signed in and typed it. Marks reach the disk before what they announce.
const RUNNER: &str = r#"
d=$1
unset LC_ALL
cd || cd /
trap : HUP INT TERM
exec 9>>"$d/lock"
flock -n 9 || exit 0
[ -d "$d/begun" ] && exit 0
echo $$ >"$d/pid" || exit 1
sync -- "$d/pid"
mkdir -- "$d/begun" || exit 1
sync -- "$d"
bash -l -- "$d/script" </dev/null >>"$d/out" 2>>"$d/err"
echo $? >"$d/exit.new"
sync -- "$d/exit.new"
mv -f -- "$d/exit.new" "$d/exit"
sync -- "$d""#;

/// `$1` key, `$2` and `$3` bytes of each stream that are known, `$4` most of each to bring, `$5` turns to wait. Whether it
/// has ended is asked first: then all that it wrote is there to be read.
const NEWS: &str = concat!(
    phase!(),
    r#"
n=0
while :; do
  phase
  [ "$p" -eq 81 ] || break
  [ "$(wc -c <"$d/out")" -le "$2" ] || break
  [ "$(wc -c <"$d/err")" -le "$3" ] || break
  [ "$n" -lt "$5" ] || break
  n=$((n + 1))
  sleep 0.1
done
[ "$p" -ne 80 ] || exit 80
tail -c "+$(($2 + 1))" -- "$d/out" | head -c "$4"
tail -c "+$(($3 + 1))" -- "$d/err" | head -c "$4" >&2
exit "$p""#
);

/// `$1` key. Prints the exit status where there is one.
const LOOK: &str = concat!(
    phase!(),
    r#"
phase
[ "$p" -ne 83 ] || cat -- "$d/exit"
exit "$p""#
);

/// `$1` key, `$2` tenths of a second between asking and killing, `$3` tenths that killing may take.
const TERMINATE: &str = concat!(
    phase!(),
    r#"
await() {
  n=0
  phase
  while [ "$p" -eq 81 ] && [ "$n" -lt "$1" ]; do
    n=$((n + 1))
    sleep 0.1
    phase
  done
}
phase
if [ "$p" -eq 81 ]; then
  g=$(cat -- "$d/pid")
  kill -s TERM -- "-$g"
  await "$2"
  if [ "$p" -eq 81 ]; then
    kill -s KILL -- "-$g"
    await "$3"
    [ "$p" -ne 82 ] || { echo 137 >"$d/exit.new" && mv -f -- "$d/exit.new" "$d/exit"; p=83; }
  fi
fi
[ "$p" -ne 83 ] || cat -- "$d/exit"
exit "$p""#
);

/// `$1` key, `$2` group. Prints the key of another one of the group that runs.
const OTHER: &str = concat!(
    phase!(),
    r#"
own=$d
for d in "$HOME/.fairlead"/*; do
  [ "$d" != "$own" ] && [ -f "$d/group" ] || continue
  [ "$(cat -- "$d/group" 2>/dev/null)" = "$2" ] || continue
  phase
  if [ "$p" -eq 81 ]; then
    printf '%s\n' "${d##*/}"
    exit 81
  fi
done
exit 80"#
);

/// `$1` key.
const FORGET: &str = concat!(
    phase!(),
    r#"
phase
[ "$p" -eq 81 ] || rm -rf -- "$d"
exit "$p""#
);

/// How far a detached command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It has not run.
    Absent,
    /// It runs.
    Running,
    /// It has ended, with this status; 128 + n after signal n.
    Ended(i32),
    /// It was killed from outside, or the host was restarted: how far it came is unknown.
    Unknown,
}

/// A place in what a command wrote: how many bytes of each stream were handed over as lines. The default is the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    stdout: u64,
    stderr: u64,
}

/// What a look at a command brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Lines that were not handed over before, without their ends. Only the last one of a stream whose command has ended
    /// may have been without.
    pub lines: Vec<(Source, Bytes)>,
    /// How far the command is. Once it does not run any more, `lines` were the last ones.
    pub phase: Phase,
}

/// A command on a host, known by its key.
#[derive(Debug, Clone)]
pub struct Detached {
    host: Host,
    key: String,
    group: String,
}

impl Host {
    /// The detached command of this key, whether or not it was started. The key becomes a file name.
    pub fn detached(&self, key: impl Into<String>) -> Detached {
        Detached {
            host: self.clone(),
            key: key.into().replace('/', "-"),
            group: String::new(),
        }
    }
}

impl Detached {
    /// Puts it into a group, a line of text, for [`Detached::other`].
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// The folder, for people, of another command of its group that runs.
    pub async fn other(&self) -> Result<Option<String>, SshError> {
        let command = Command::script(OTHER).args([&self.key, &self.group]);
        let out = self.host.exec(&command, None).await?;
        match out.status {
            Exit::Code(ABSENT) => Ok(None),
            Exit::Code(RUNNING) => {
                let key = String::from_utf8_lossy(&out.stdout);
                Ok(Some(format!("~/.fairlead/{}", key.trim())))
            }
            _ => Err(self.failed(&out)),
        }
    }

    /// Runs `script` in bash, in the account's home, with these variables exported, unless it was started before: then
    /// only looks. After [`SshError::Lost`] and [`SshError::NotBegun`] it may be called again.
    pub async fn start(&self, env: &[(&str, String)], script: &str) -> Result<Phase, SshError> {
        let mut text = String::new();
        for (name, value) in env {
            text.push_str(&format!("export {name}={}\n", quote(value)));
        }
        text.push_str(script);
        text.push('\n');
        let command = Command::script(START).args([
            &self.key,
            &text.len().to_string(),
            &RUNNER.to_owned(),
            &self.group,
        ]);
        let out = self.host.exec(&command, Some(text.into())).await?;
        match out.status {
            Exit::Code(NO_PROGRAM) => Err(SshError::NoProgram {
                host: self.host.name().to_owned(),
                program: String::from_utf8_lossy(&out.stdout).trim().to_owned(),
            }),
            Exit::Code(ENDED) => self.look().await,
            _ => self.phase(&out),
        }
    }

    /// How far it is.
    pub async fn look(&self) -> Result<Phase, SshError> {
        let command = Command::script(LOOK).arg(&self.key);
        let out = self.host.exec(&command, None).await?;
        self.phase(&out)
    }

    /// Reads what it writes, from behind `cursor`. A line that has no end yet after 256 KiB comes in pieces, none of
    /// `secrets` across two of them.
    pub fn follow(&self, cursor: Cursor, secrets: Redactor) -> Following {
        Following {
            command: self.clone(),
            cursor,
            secrets,
            held: Default::default(),
        }
    }

    /// Asks its processes to end, kills them after `grace`, and says how far it is then.
    pub async fn terminate(&self, grace: Duration) -> Result<Phase, SshError> {
        let tenths = (grace.as_millis() / 100).to_string();
        let command = Command::script(TERMINATE).args([&self.key, &tenths, &GONE.to_string()]);
        let out = self.host.exec(&command, None).await?;
        self.phase(&out)
    }

    /// Removes its folder, unless it runs. Afterwards nothing on the host tells that it ever ran.
    pub async fn forget(&self) -> Result<(), SshError> {
        let command = Command::script(FORGET).arg(&self.key);
        let out = self.host.exec(&command, None).await?;
        match out.status {
            Exit::Code(ABSENT | RUNNING | UNKNOWN | ENDED) => Ok(()),
            _ => Err(self.failed(&out)),
        }
    }

    /// What a script's status says; one that ended prints its own.
    fn phase(&self, out: &Output) -> Result<Phase, SshError> {
        match out.status {
            Exit::Code(ABSENT) => Ok(Phase::Absent),
            Exit::Code(RUNNING) => Ok(Phase::Running),
            Exit::Code(UNKNOWN) => Ok(Phase::Unknown),
            // An empty file is what a full disk leaves.
            Exit::Code(ENDED) => Ok(String::from_utf8_lossy(&out.stdout)
                .trim()
                .parse()
                .map_or(Phase::Unknown, Phase::Ended)),
            Exit::Code(NOT_BEGUN) => Err(SshError::NotBegun {
                host: self.host.name().to_owned(),
                folder: self.folder(),
            }),
            _ => Err(self.failed(out)),
        }
    }

    fn failed(&self, out: &Output) -> SshError {
        self.host.file_error(&self.folder(), out)
    }

    /// Its folder, for people.
    pub fn folder(&self) -> String {
        format!("~/.fairlead/{}", self.key)
    }
}

/// What a detached command writes, as it is read.
#[derive(Debug)]
pub struct Following {
    command: Detached,
    cursor: Cursor,
    secrets: Redactor,
    /// The beginnings of lines whose ends were not written yet, by stream.
    held: [Vec<u8>; 2],
}

impl Following {
    /// The next lines, or none after a few seconds without any. After an error it may be called again; dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Result<News, SshError> {
        let known = |sent: u64, held: &Vec<u8>| (sent + held.len() as u64).to_string();
        let [out_held, err_held] = &self.held;
        let command = Command::script(NEWS).args([
            &self.command.key,
            &known(self.cursor.stdout, out_held),
            &known(self.cursor.stderr, err_held),
            &CHUNK.to_string(),
            &TURNS.to_owned(),
        ]);
        let out = self.command.host.exec(&command, None).await?;
        let more = out.stdout.len() == CHUNK || out.stderr.len() == CHUNK;
        let phase = match out.status {
            // It goes on as if it ran until all that it wrote is read.
            Exit::Code(UNKNOWN | ENDED) if more => Phase::Running,
            Exit::Code(ENDED) => self.command.look().await?,
            _ => self.command.phase(&Output {
                stdout: Vec::new(),
                ..out.clone()
            })?,
        };
        let last = !matches!(phase, Phase::Running);
        let mut lines = Vec::new();
        for (source, data) in [(Source::Stdout, out.stdout), (Source::Stderr, out.stderr)] {
            let held = &mut self.held[source as usize];
            let sent = match source {
                Source::Stdout => &mut self.cursor.stdout,
                Source::Stderr => &mut self.cursor.stderr,
            };
            held.extend_from_slice(&data);
            *sent += cut(held, last, &self.secrets, |line| lines.push((source, line)));
        }
        Ok(News { lines, phase })
    }

    /// Behind the last line that was handed over.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

/// Takes the whole lines off the front, and everything where it is the last; a line without end is handed over in
/// pieces, with no secret across two of them. Gives how many bytes that were.
fn cut(held: &mut Vec<u8>, last: bool, secrets: &Redactor, mut each: impl FnMut(Bytes)) -> u64 {
    let mut taken = 0;
    while let Some(end) = held[taken..].iter().position(|byte| *byte == b'\n') {
        each(Bytes::copy_from_slice(&held[taken..taken + end]));
        taken += end + 1;
    }
    let rest = &held[taken..];
    let piece = match rest.len() {
        all if last => all,
        CHUNK.. => secrets.cut(rest),
        _ => 0,
    };
    if piece > 0 {
        each(Bytes::copy_from_slice(&rest[..piece]));
        taken += piece;
    }
    held.drain(..taken);
    taken as u64
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::redact::MARK;

    #[test]
    fn whole_lines_are_handed_over_and_the_rest_waits_for_its_end() {
        let (mut held, none) = (b"one\n\ntwo".to_vec(), Redactor::default());
        let mut lines = Vec::new();
        assert_eq!(cut(&mut held, false, &none, |line| lines.push(line)), 5);
        held.extend_from_slice(b" and more\nthree");
        assert_eq!(cut(&mut held, false, &none, |line| lines.push(line)), 13);
        assert_eq!(cut(&mut held, true, &none, |line| lines.push(line)), 5);
        assert_eq!(lines, ["one", "", "two and more", "three"]);
        assert!(held.is_empty());
    }

    #[test]
    fn a_line_without_end_is_handed_over_in_pieces() {
        let mut held = vec![b'x'; CHUNK + 1];
        let mut sizes = Vec::new();
        assert_eq!(
            cut(&mut held, false, &Redactor::default(), |line| sizes
                .push(line.len())),
            CHUNK as u64 + 1
        );
        assert_eq!(sizes, [CHUNK + 1]);
    }

    #[test]
    fn a_line_without_end_is_cut_beside_a_secret_and_not_within() {
        let secret = SecretString::from("hunter2");
        let redactor = Redactor::new([&secret]).unwrap();
        for shift in 0..9 {
            let text = format!("{}hunter2 and on", "x".repeat(CHUNK - shift));
            let (mut held, mut clean, mut sent) = (Vec::new(), String::new(), 0);
            let (first, second) = text.split_at(CHUNK);
            for (part, last) in [(first, false), (second, true)] {
                held.extend_from_slice(part.as_bytes());
                sent += cut(&mut held, last, &redactor, |piece| {
                    clean += &redactor.redact_line(str::from_utf8(&piece).unwrap());
                });
            }
            assert_eq!(sent, text.len() as u64);
            assert_eq!(clean, text.replace("hunter2", MARK), "{shift}");
        }
    }
}
