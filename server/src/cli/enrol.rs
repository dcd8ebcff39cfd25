//! `fairlead host enrol`: asks a server for its key, so that a person can compare it and pin it.
use std::io::Write;

use super::Failure;

/// sshd's own port.
const SSH: u16 = 22;

/// Prints the fingerprint and the line for the manifest.
pub(super) async fn enrol(address: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let (host, port) = split(address)?;
    let found = adapters::ssh::host_key(&host, port)
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?;
    writeln!(out, "{host}:{port} shows the key {found}")?;
    writeln!(
        out,
        "Compare it on the server itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)."
    )?;
    writeln!(
        out,
        "If they are the same, put this into the host's entry in the manifest:"
    )?;
    writeln!(out, "host_key = \"{found}\"")?;
    Ok(())
}

/// `name`, `name:port`, `10.0.0.1:22`, `2001:db8::1`, `[2001:db8::1]:22`.
fn split(address: &str) -> Result<(String, u16), Failure> {
    let usage = || {
        Failure::Usage(format!(
            "`{address}` is not an address; write it as name, name:port or [IPv6]:port"
        ))
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => match rest.split_once(']').ok_or_else(usage)? {
            (host, "") => (host, None),
            (host, port) => (host, Some(port.strip_prefix(':').ok_or_else(usage)?)),
        },
        // More than one colon is an IPv6 address without a port.
        None if address.matches(':').count() > 1 => (address, None),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(usage)?,
        None => SSH,
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(usage());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_from_an_ipv6_address() {
        for (given, host, port) in [
            ("web-1", "web-1", 22),
            ("10.0.0.1:2222", "10.0.0.1", 2222),
            ("2001:db8::1", "2001:db8::1", 22),
            ("[2001:db8::1]", "2001:db8::1", 22),
            ("[2001:db8::1]:2222", "2001:db8::1", 2222),
        ] {
            assert_eq!(split(given).unwrap(), (host.to_owned(), port), "{given}");
        }
        for bad in [
            "",
            ":22",
            "web:",
            "web:0",
            "web:70000",
            "[::1",
            "[::1]22",
            "a b",
        ] {
            assert!(
                matches!(split(bad), Err(Failure::Usage(_))),
                "{bad:?} was accepted"
            );
        }
    }
}
