//! nginx on a server: its configuration is tested, and loaded so that a load that did not happen is noticed.
use crate::ssh::{Command, Exit, Host, SshError};

/// What can go wrong with a server's nginx. `host` is the name the caller gave to
/// [`Hosts::connect`](crate::ssh::Hosts::connect).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NginxError {
    /// There is none.
    #[error(
        "host {host} has no nginx; install it there (`apt-get install nginx`) and run this again"
    )]
    NotInstalled {
        /// The host.
        host: String,
    },
    /// The account may not do what root may.
    #[error(
        "nginx on host {host} cannot be changed: {why}; use root, or give the account passwordless sudo (`NOPASSWD: ALL` in /etc/sudoers.d)"
    )]
    NotAllowed {
        /// The host.
        host: String,
        /// What sudo said.
        why: String,
    },
    /// `nginx -t` says no. What runs is untouched.
    #[error("nginx on host {host} refuses its configuration: {why}")]
    Refused {
        /// The host.
        host: String,
        /// What nginx said.
        why: String,
    },
    /// The configuration is right, and nginx did not take it, for example because a port is taken.
    #[error("nginx on host {host} did not load its configuration: {why}")]
    NotLoaded {
        /// The host.
        host: String,
        /// What nginx or its error log said.
        why: String,
    },
    /// The server did not answer as it should.
    #[error(transparent)]
    Ssh(#[from] SshError),
}

impl NginxError {
    /// True when the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Ssh(error) if error.is_transient())
    }
}

const NOT_INSTALLED: Exit = Exit::Code(80);
const REFUSED: Exit = Exit::Code(81);
const NOT_LOADED: Exit = Exit::Code(82);

/// Whether there is an nginx.
const LOOK: &str = "PATH=$PATH:/usr/sbin:/sbin; command -v nginx >/dev/null";

/// nginx takes a reload as an order and reports a failure (a port that is taken) only in its error log, while the old
/// configuration goes on. What tells is whether the master has made new workers. `$1` seconds to wait for them. It tells
/// the old ones to take no more requests a tenth of a second later, and they say so in their titles: half a second is
/// enough to wait for that. Small systems have no `ps`; the kernel's own list of a process's children will do there.
///
/// It is told in the way of its host: by systemd where that runs. Else a running one takes the order itself, and one that
/// does not run is started as the host starts it, by `service` where that knows it.
///
/// One at a time, or the workers of one would be taken for those of another: `$2` seconds to wait for the others, since one
/// that hangs must not keep everybody waiting. nginx itself must not inherit the lock.
const LOAD: &str = r#"
PATH=$PATH:/usr/sbin:/sbin
command -v nginx >/dev/null || exit 80
lock=/run/fairlead-nginx.lock
if command -v flock >/dev/null && true 2>/dev/null >>"$lock"; then
  exec 9>>"$lock"
  n=0
  until flock -n 9 || [ "$n" -ge "$(($2 * 10))" ]; do
    n=$((n + 1))
    sleep 0.1
  done
fi
said=$(nginx -t 2>&1) || { printf '%s\n' "$said"; exit 81; }
all=$(nginx -T 2>/dev/null)
pidfile=$(printf '%s\n' "$all" | sed -n 's/^[[:space:]]*pid[[:space:]][[:space:]]*\([^;]*\);.*/\1/p' | head -n 1)
log=$(printf '%s\n' "$all" | sed -n 's/^[[:space:]]*error_log[[:space:]][[:space:]]*\(\/[^ ;]*\).*/\1/p' | head -n 1)
[ -n "$pidfile" ] || pidfile=/run/nginx.pid
[ -n "$log" ] || log=/var/log/nginx/error.log
master() { pid=$(cat "$pidfile" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
serves() { [ -r "/proc/$1/cmdline" ] && ! tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -q 'shutting down'; }
taken_over() {
  left=10
  for old in $before; do
    while serves "$old" && [ "$left" -gt 0 ]; do
      left=$((left - 1))
      sleep 0.05
    done
  done
}
workers() { ps -o pid= --ppid "$pid" 2>/dev/null || cat "/proc/$pid/task/$pid/children" 2>/dev/null; }
before=""
had=$(wc -c <"$log" 2>/dev/null || echo 0)
if master; then before=$(workers); fi
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then said=$(systemctl reload-or-restart nginx 2>&1 9>&-)
elif [ -n "$before" ]; then said=$(nginx -s reload 2>&1 9>&-)
elif [ -x /etc/init.d/nginx ] && command -v service >/dev/null; then said=$(service nginx start 2>&1 9>&-)
else said=$(nginx 2>&1 9>&-); fi || { printf '%s\n' "$said"; tail -c "+$((had + 1))" "$log" 2>/dev/null | tail -n 3; exit 82; }
n=0
while [ "$n" -lt "$(($1 * 10))" ]; do
  if master; then
    for worker in $(workers); do case " $(echo $before) " in *" $worker "*) ;; *) taken_over; exit 0 ;; esac; done
  fi
  n=$((n + 1))
  sleep 0.1
done
tail -c "+$((had + 1))" "$log" 2>/dev/null | grep -E '\[(emerg|alert|crit)\]' | tail -n 3
exit 82"#;

/// How long new workers may take to come, in seconds.
const WORKERS_S: u8 = 10;
/// How long to wait for others who load at the same time, in seconds.
const OTHERS_S: u8 = 60;

/// The host as somebody who may change its nginx: root itself, or whoever may become it without being asked.
///
/// Errors: [`NginxError::NotAllowed`] where sudo is not there or wants a password.
pub async fn as_root(host: &Host) -> Result<Host, NginxError> {
    let id = host.exec(&Command::new("id").arg("-u"), None).await?;
    if id.stdout.trim_ascii() == b"0" {
        return Ok(host.clone());
    }
    let root = host.sudo();
    let asked = root.exec(&Command::new("true"), None).await?;
    if asked.status.success() {
        return Ok(root);
    }
    let said = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
    Err(NginxError::NotAllowed {
        host: host.name().to_owned(),
        why: if said.is_empty() {
            asked.status.to_string()
        } else {
            said
        },
    })
}

/// Fails with [`NginxError::NotInstalled`] where there is no nginx. `host` is what [`as_root`] gave.
pub async fn is_installed(host: &Host) -> Result<(), NginxError> {
    let looked = host.exec(&Command::script(LOOK), None).await?;
    match looked.status.success() {
        true => Ok(()),
        false => Err(NginxError::NotInstalled {
            host: host.name().to_owned(),
        }),
    }
}

/// Tests the configuration that is on the host's disk and has nginx load it; starts nginx where it does not run.
/// `host` is what [`as_root`] gave.
///
/// Errors: [`NginxError::Refused`] changes nothing; after [`NginxError::NotLoaded`] what ran before goes on.
pub async fn load(host: &Host) -> Result<(), NginxError> {
    let command = Command::script(LOAD).args([WORKERS_S.to_string(), OTHERS_S.to_string()]);
    let done = host.exec(&command, None).await?;
    let name = || host.name().to_owned();
    let why = || {
        let said = String::from_utf8_lossy(&done.stdout);
        let lines: Vec<&str> = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        if lines.is_empty() {
            "it made no new workers, and its error log does not say why".to_owned()
        } else {
            lines.join("; ")
        }
    };
    match done.status {
        Exit::Code(0) => Ok(()),
        NOT_INSTALLED => Err(NginxError::NotInstalled { host: name() }),
        REFUSED => Err(NginxError::Refused {
            host: name(),
            why: why(),
        }),
        NOT_LOADED => Err(NginxError::NotLoaded {
            host: name(),
            why: why(),
        }),
        other => Err(NginxError::NotLoaded {
            host: name(),
            why: format!("{other}: {}", String::from_utf8_lossy(&done.stderr).trim()),
        }),
    }
}
