//! Files on a server, through fixed scripts rather than SFTP: one round trip, works with sudo, and rename replaces.
//!
//! What the account itself may not touch is touched as root, where sudo lets it without asking.

use bytes::Bytes;

use super::{
    command::Command,
    error::SshError,
    exec::{Exit, Output},
    hosts::Host,
};

/// Statuses that the scripts below end with; above those that `sh` and the tools use themselves.
const ABSENT: Exit = Exit::Code(80);
const FORBIDDEN: Exit = Exit::Code(81);

/// A script about the path `$1`, whose text is what is done where there is such a file. "Absent" is only said when the
/// nearest folder that can be seen may also be searched.
macro_rules! where_there {
    ($script:literal) => {
        concat!(
            r#"
set -eu
if ! [ -e "$1" ] && ! [ -L "$1" ]; then
  d=$(dirname -- "$1")
  while ! [ -e "$d" ]; do d=$(dirname -- "$d"); done
  [ -x "$d" ] || exit 81
  exit 80
fi
"#,
            $script
        )
    };
}

/// `$1` path. The first line is the mode, the rest the file; of a link, those of what it leads to.
const READ: &str = where_there!(
    r#"if ! [ -r "$1" ] && [ -e "$1" ]; then exit 81; fi
stat -L -c %a -- "$1"
exec cat -- "$1""#
);

/// `$1` path, `$2` mode, `$3` size. A link is followed, so that it stays one. The size is compared because a broken
/// connection looks like the end of the input. Data reaches the disk before the name, and the name before success.
const WRITE: &str = r#"
set -eu
umask 022
f=$(readlink -f -- "$1" || printf %s "$1")
if [ -d "$f" ]; then echo "it is a folder" >&2; exit 1; fi
d=$(dirname -- "$f")
mkdir -p -- "$d"
t=$(mktemp -- "$d/.fairlead.XXXXXXXX")
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t"
if [ "$(wc -c <"$t")" -ne "$3" ]; then echo "it arrived incomplete" >&2; exit 1; fi
chmod -- "$2" "$t"
sync -- "$t"
mv -f -- "$t" "$f"
sync -- "$d""#;

/// `$1` path.
const REMOVE: &str = where_there!(r#"exec rm -- "$1""#);

/// `$1` path, `$2` where to. Within one file system, which a name beside the file is, this needs no room on the disk.
/// A link is followed, as it is by WRITE.
const MOVE: &str = where_there!(
    r#"f=$(readlink -f -- "$2" || printf %s "$2")
if [ -d "$f" ]; then echo "it is a folder" >&2; exit 1; fi
mv -f -- "$1" "$f"
sync -- "$(dirname -- "$f")""#
);

/// A file as it is on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// As for chmod.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

impl Host {
    /// The file, or `None` when there is no such file.
    pub async fn file(&self, path: &str) -> Result<Option<HostFile>, SshError> {
        let out = self.touch(Command::script(READ).arg(path), None).await?;
        match out.status {
            ABSENT => Ok(None),
            Exit::Code(0) => with_mode(out.stdout)
                .map(Some)
                .ok_or_else(|| SshError::File {
                    host: self.name().to_owned(),
                    path: path.to_owned(),
                    why: "`stat` does not tell its mode".to_owned(),
                }),
            _ => Err(self.file_error(path, &out)),
        }
    }

    /// The file's content, or `None` when there is no such file.
    pub async fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        Ok(self.file(path).await?.map(|file| file.content))
    }

    /// Replaces the file as a whole, or leaves the old one; makes missing folders (mode 0755).
    ///
    /// `mode` is as for chmod, for example `0o640`. The new file belongs to the account that writes it, to root where
    /// that took sudo, and is a new inode: a container that has the old file mounted keeps seeing the old one until it is started again.
    pub async fn write_file(
        &self,
        path: &str,
        mode: u32,
        content: impl Into<Bytes>,
    ) -> Result<(), SshError> {
        let content = content.into();
        let command = Command::script(WRITE).args([
            path,
            &format!("{:04o}", mode & 0o7777),
            &content.len().to_string(),
        ]);
        let out = self.touch(command, Some(content)).await?;
        match out.status {
            Exit::Code(0) => Ok(()),
            _ => Err(self.file_error(path, &out)),
        }
    }

    /// Gives a file another name and replaces what is there; true when there was one. Works on a full disk.
    pub async fn move_file(&self, path: &str, to: &str) -> Result<bool, SshError> {
        let out = self
            .touch(Command::script(MOVE).args([path, to]), None)
            .await?;
        match out.status {
            ABSENT => Ok(false),
            Exit::Code(0) => Ok(true),
            _ => Err(self.file_error(to, &out)),
        }
    }

    /// Removes a file; true when there was one.
    pub async fn remove_file(&self, path: &str) -> Result<bool, SshError> {
        let out = self.touch(Command::script(REMOVE).arg(path), None).await?;
        match out.status {
            ABSENT => Ok(false),
            Exit::Code(0) => Ok(true),
            _ => Err(self.file_error(path, &out)),
        }
    }

    /// Runs one of the scripts. One that the account was not allowed has changed nothing, so it can be run again as root.
    async fn touch(&self, script: Command, content: Option<Bytes>) -> Result<Output, SshError> {
        let out = self.exec(&script, content.clone()).await?;
        if self.sudo || !is_forbidden(&out) {
            return Ok(out);
        }
        let root = self.sudo();
        let allowed = root.exec(&Command::new("true"), None).await?;
        match allowed.status.success() {
            true => root.exec(&script, content).await,
            false => Ok(out),
        }
    }

    /// The tools report an errno only as text, which is fixed in the C locale that the scripts run in.
    pub(super) fn file_error(&self, path: &str, out: &Output) -> SshError {
        let (host, path) = (self.name().to_owned(), path.to_owned());
        let words = String::from_utf8_lossy(&out.stderr);
        let words = words.trim();
        if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
            SshError::DiskFull { host, path }
        } else if is_forbidden(out) || words.contains("sudo: a password is required") {
            SshError::NoPermission {
                host,
                user: self.link.target.user.clone(),
                path,
            }
        } else if words.is_empty() {
            SshError::File {
                host,
                path,
                why: out.status.to_string(),
            }
        } else {
            SshError::File {
                host,
                path,
                why: words.to_owned(),
            }
        }
    }
}

/// What [`READ`] printed.
fn with_mode(mut printed: Vec<u8>) -> Option<HostFile> {
    let end = printed.iter().position(|byte| *byte == b'\n')?;
    let content = printed.split_off(end + 1);
    let mode = std::str::from_utf8(&printed[..end]).ok()?;
    Some(HostFile {
        mode: u32::from_str_radix(mode, 8).ok()?,
        content,
    })
}

fn is_forbidden(out: &Output) -> bool {
    out.status == FORBIDDEN || String::from_utf8_lossy(&out.stderr).contains("Permission denied")
}
