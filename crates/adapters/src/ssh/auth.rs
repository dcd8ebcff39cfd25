//! Logging in: password (also through keyboard-interactive prompts), private key, agent.

use std::sync::Arc;

use russh::{
    MethodKind,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{
        Error as KeyError, PrivateKey, PrivateKeyWithHashAlg,
        agent::{AgentIdentity, client::AgentClient},
    },
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    connection::Verify,
    error::SshError,
    target::{Auth, Target},
};

/// Logs in, or says why not. A server that hangs up in between counts as [`SshError::Unreachable`].
pub(super) async fn log_in(
    host: &str,
    target: &Target,
    handle: &mut Handle<Verify>,
) -> Result<(), SshError> {
    let broken = |error: russh::Error| SshError::Unreachable {
        host: host.to_owned(),
        why: format!("it hung up during the login ({error})"),
    };
    let (accepted, method) = match &target.auth {
        Auth::Password(password) => (
            with_password(handle, &target.user, password)
                .await
                .map_err(broken)?,
            "a password",
        ),
        Auth::Key { pem, passphrase } => {
            let key = read_key(host, pem, passphrase.as_ref()).await?;
            let hash = match key.algorithm().is_rsa() {
                true => handle
                    .best_supported_rsa_hash()
                    .await
                    .map_err(broken)?
                    .flatten(),
                false => None,
            };
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            let answer = handle
                .authenticate_publickey(&target.user, key)
                .await
                .map_err(broken)?;
            (answer.success(), "a key")
        }
        Auth::Agent => (
            with_agent(host, handle, &target.user).await?,
            "the agent's keys",
        ),
    };
    match accepted {
        true => Ok(()),
        // A connection that ended looks like a refusal in the library's answer.
        false if handle.is_closed() => Err(broken(russh::Error::Disconnect)),
        false => Err(SshError::AuthRefused {
            host: host.to_owned(),
            user: target.user.clone(),
            method,
        }),
    }
}

async fn with_password(
    handle: &mut Handle<Verify>,
    user: &str,
    password: &SecretString,
) -> Result<bool, russh::Error> {
    match handle
        .authenticate_password(user, password.expose_secret())
        .await?
    {
        AuthResult::Success => return Ok(true),
        // Asking again where the server does take passwords would only count as a second wrong one.
        AuthResult::Failure {
            remaining_methods, ..
        } if remaining_methods.contains(&MethodKind::Password)
            || !remaining_methods.contains(&MethodKind::KeyboardInteractive) =>
        {
            return Ok(false);
        }
        AuthResult::Failure { .. } => {}
    }
    let mut answer = handle
        .authenticate_keyboard_interactive_start(user, None)
        .await?;
    loop {
        match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                // A prompt that is echoed is not for a password.
                let replies = prompts
                    .iter()
                    .map(|prompt| {
                        if prompt.echo {
                            String::new()
                        } else {
                            password.expose_secret().to_owned()
                        }
                    })
                    .collect();
                answer = handle
                    .authenticate_keyboard_interactive_respond(replies)
                    .await?;
            }
        }
    }
}

async fn with_agent(host: &str, handle: &mut Handle<Verify>, user: &str) -> Result<bool, SshError> {
    let silent = |error: KeyError| SshError::NoAgent {
        host: host.to_owned(),
        why: error.to_string(),
    };
    let mut agent = AgentClient::connect_env().await.map_err(silent)?;
    for identity in agent.request_identities().await.map_err(silent)? {
        let AgentIdentity::PublicKey { key, .. } = identity else {
            continue;
        };
        let hash = match key.algorithm().is_rsa() {
            true => handle
                .best_supported_rsa_hash()
                .await
                .ok()
                .flatten()
                .flatten(),
            false => None,
        };
        match handle
            .authenticate_publickey_with(user, key, hash, &mut agent)
            .await
        {
            Ok(answer) if answer.success() => return Ok(true),
            // An agent may decline to sign with one key and still hold another that works.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(false)
}

/// Decoding an encrypted key takes some 150 ms of pure computation, hence the blocking thread.
async fn read_key(
    host: &str,
    pem: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKey, SshError> {
    let bad = |why: String| SshError::BadKey {
        host: host.to_owned(),
        why,
    };
    let (pem, passphrase) = (pem.clone(), passphrase.cloned());
    let has_passphrase = passphrase.is_some();
    let decoded = tokio::task::spawn_blocking(move || {
        russh::keys::decode_secret_key(
            pem.expose_secret(),
            passphrase.as_ref().map(|p| p.expose_secret()),
        )
    })
    .await
    .map_err(|error| bad(error.to_string()))?;
    match decoded {
        Ok(key) if key.is_encrypted() => Err(bad("it is encrypted; give its passphrase".into())),
        Ok(key) => Ok(key),
        Err(KeyError::KeyIsEncrypted) => Err(bad("it is encrypted; give its passphrase".into())),
        Err(_) if has_passphrase => Err(bad(
            "the passphrase does not open it, or it is no private key".into(),
        )),
        Err(error) => Err(bad(format!(
            "{error}; give the whole file, from its BEGIN to its END line"
        ))),
    }
}
