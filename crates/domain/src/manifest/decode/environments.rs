//! Where it is deployed: `[environments.NAME]` with its hosts and who must agree.
use indexmap::IndexMap;

use super::super::reader::{Node, Read, Whole};
use super::super::{Approvals, Environment, Host, HostLogin, Promote, Value};
use crate::policy::Role;

impl Read for Environment {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let branch = t.required("branch", "\"main\"");
        let follows = t.optional("follows");
        let promote = t.or("promote", Promote::PullRequest);
        let approvals = t.optional("approvals");
        let deploy = t.or("deploy", Role::Developer);
        // Nobody would have been asked.
        let unasked = matches!(approvals, Some(None));
        let deploy_on_push = t.or("deploy_on_push", unasked);
        let notify = t.optional("notify");
        let secrets = t.or("secrets", String::new());
        let vars = t.or("vars", IndexMap::new());
        let hosts = t.or("hosts", IndexMap::new());
        t.finish();
        Some(Self {
            branch: branch?,
            follows: follows?,
            promote: promote?,
            approvals: approvals?,
            deploy: deploy?,
            deploy_on_push: deploy_on_push?,
            notify: notify?,
            secrets: secrets?,
            vars: vars?,
            hosts: hosts?,
        })
    }
}

impl Read for Approvals {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let count = t.or("count", Whole::<1, 20>(1));
        let role = t.or("role", Role::Lead);
        let not_requester = t.or("not_requester", true);
        t.finish();
        Some(Self {
            count: u32::try_from(count?.0).unwrap_or(1),
            role: role?,
            not_requester: not_requester?,
        })
    }
}

impl Read for Host {
    fn read(node: &Node<'_>) -> Option<Self> {
        let t = node.table()?;
        let address = t.required("address", "\"secret:HOST\"");
        let port = t.or("port", Whole::<1, 65_535>(22));
        let user = t.required("user", "\"secret:USER\"");
        let password: Option<Option<Value>> = t.optional("password");
        let key: Option<Option<Value>> = t.optional("key");
        let passphrase = t.optional("passphrase");
        let agent = t.or("agent", false);
        let host_key = t.optional("host_key");
        t.finish();
        let passphrase: Option<Value> = passphrase?;
        let login = match (password?, key?, agent?) {
            (Some(password), None, false) if passphrase.is_none() => HostLogin::Password(password),
            (None, Some(key), false) => HostLogin::Key { key, passphrase },
            (None, None, true) if passphrase.is_none() => HostLogin::Agent,
            _ => {
                node.wrong(
                    "does not say how to log in",
                    "give exactly one of `password`, `key` (with or without `passphrase`) or `agent = true`",
                );
                return None;
            }
        };
        let port = u16::try_from(port?.0).unwrap_or(22);
        Some(Self {
            address: address?,
            port,
            user: user?,
            login,
            host_key: host_key?,
        })
    }
}
