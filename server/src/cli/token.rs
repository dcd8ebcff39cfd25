//! `fairlead token`: makes, lists and revokes API tokens. A token is printed once, when it is made.
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use domain::policy::Role;
use domain::{Ms, ProjectName};
use portal::NewToken;
use secrecy::ExposeSecret;

use super::{ConfigArg, Failure, operator, origin, portal_beside};

#[derive(Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make a token and print it, for the only time
    Create {
        #[command(flatten)]
        config: ConfigArg,
        /// What it is called in the audit trail
        name: String,
        /// What it may do: viewer, developer, lead or admin
        #[arg(long)]
        role: Role,
        /// The one project that it is for; all where absent
        #[arg(long)]
        project: Option<ProjectName>,
        /// For how many days it is good
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// List every token, without the tokens themselves
    List(ConfigArg),
    /// Revoke a token at once
    Revoke {
        #[command(flatten)]
        config: ConfigArg,
        /// Its name
        name: String,
    },
}

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

pub(super) async fn token(args: TokenArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let actor = operator();
    match args.command {
        TokenCommand::Create {
            config,
            name,
            role,
            project,
            days,
        } => {
            let portal = portal_beside(&config.config).await?;
            let expires = Ms(now().0 + i64::from(days) * DAY_MS);
            let new = NewToken {
                name,
                project,
                role,
                expires,
            };
            let token = portal.create_token(&actor, origin(), new).await?;
            // Alone on its line, so that a script can take it.
            writeln!(out, "{}", token.expose_secret())?;
        }
        TokenCommand::List(config) => {
            let portal = portal_beside(&config.config).await?;
            let now = now();
            for token in portal.tokens(&actor).await? {
                let project = token
                    .project
                    .as_ref()
                    .map_or("every project", ProjectName::as_str);
                let state = match token.revoked {
                    Some(at) => format!("revoked {}", at.absolute()),
                    None if token.expires <= now => format!("expired {}", token.expires.absolute()),
                    None => format!("good until {}", token.expires.absolute()),
                };
                writeln!(
                    out,
                    "{}: {} in {project}, {state}, made by {}",
                    token.name, token.role, token.by
                )?;
            }
        }
        TokenCommand::Revoke { config, name } => {
            let portal = portal_beside(&config.config).await?;
            portal.revoke_token(&actor, origin(), &name).await?;
            writeln!(out, "{name} is revoked")?;
        }
    }
    Ok(())
}

fn now() -> Ms {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
