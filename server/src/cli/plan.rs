//! `fairlead plan`: what a deploy would do, step by step, or what stands in its way.
use std::io::Write;

use clap::Args;
use domain::plan::Plan;
use domain::view::Proposal;
use domain::when::duration;
use domain::{EnvName, ProjectName, Sha};
use portal::DeployRequest;

use super::{ConfigArg, Failure, operator, portal_beside};

#[derive(Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The project
    project: ProjectName,
    /// Where to
    environment: EnvName,
    /// Which commit; the newest of the environment's branch where absent
    #[arg(long, value_name = "SHA")]
    commit: Option<Sha>,
    /// Build every image anew, without the cache and on base images as they are now
    #[arg(long)]
    rebuild: bool,
}

/// Prints the plan; blockers are problems.
pub(super) async fn plan(args: PlanArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let PlanArgs {
        config,
        project,
        environment,
        commit,
        rebuild,
    } = args;
    let portal = portal_beside(&config.config).await?;
    let request = DeployRequest {
        project,
        environment,
        commit,
        reason: None,
        override_tests: false,
        rebuild,
        manifest: None,
    };
    match portal.propose(&operator(), &request).await? {
        Proposal::Plan {
            plan,
            usual_ms,
            behind_run,
            supersedes,
            ..
        } => {
            print(&plan, usual_ms, out)?;
            if let Some(run) = behind_run {
                writeln!(out, "It would wait for run #{run}.")?;
            }
            for run in supersedes {
                writeln!(
                    out,
                    "It would take the place of run #{run}, which never starts then."
                )?;
            }
            Ok(())
        }
        Proposal::Blocked { sentences, .. } => {
            for sentence in &sentences {
                writeln!(out, "blocked: {sentence}")?;
            }
            Err(Failure::Problems("a deploy cannot start now".into()))
        }
    }
}

fn print(plan: &Plan, usual_ms: Option<i64>, out: &mut dyn Write) -> Result<(), Failure> {
    let Plan {
        project,
        environment,
        branch,
        commit,
        steps,
        notices,
        ..
    } = plan;
    writeln!(out, "Deploy of {project} to {environment}, branch {branch}")?;
    writeln!(
        out,
        "commit {} {} ({}, {})",
        commit.sha,
        commit.title,
        commit.author,
        commit.at.absolute()
    )?;
    for planned in steps {
        let needs: Vec<String> = planned.needs.iter().map(ToString::to_string).collect();
        let after = if needs.is_empty() {
            String::new()
        } else {
            format!(" (after {})", needs.join(", "))
        };
        let usually = planned
            .usual_ms
            .map(|ms| format!(", usually {}", duration(ms)))
            .unwrap_or_default();
        writeln!(
            out,
            "{:>2}  {}: {}{usually}{after}",
            planned.id.0,
            planned.step.title(),
            planned.step.sentence()
        )?;
    }
    for notice in notices {
        writeln!(out, "note: {notice}")?;
    }
    if let Some(ms) = usual_ms {
        writeln!(out, "Usually takes {}.", duration(ms))?;
    }
    Ok(())
}
