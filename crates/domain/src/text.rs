//! Wording for the world outside, as pure functions of a run: what Slack and other programs are told.
use serde_json::{Value, json};

use crate::run::{Failure, Run, RunState};
use crate::when::duration;
use crate::{Ms, RunId};

/// What a notification is made of.
pub struct Notice<'n> {
    /// The run's number.
    pub id: RunId,
    /// The run, whose last step (this one) may still be at work.
    pub run: &'n Run,
    /// The project's name as people say it.
    pub title: &'n str,
    /// Who asked for it.
    pub by: &'n str,
    /// The run's page.
    pub url: &'n str,
    /// The commit's page.
    pub commit_url: &'n str,
    /// The last lines of the failing step's log, redacted.
    pub tail: &'n [String],
    /// Now.
    pub now: Ms,
}

/// A message for a Slack incoming webhook, in Block Kit
/// (<https://docs.slack.dev/block-kit/>), with a plain `text` for notifications and old clients.
pub fn slack(notice: &Notice<'_>) -> Value {
    let Notice {
        id,
        run,
        title,
        by,
        url,
        commit_url,
        tail,
        now,
    } = notice;
    let plan = &run.plan;
    // Not the state, which is still running while this is told; and somebody may have cancelled too late.
    let (mark, verb) = match run.verdict() {
        RunState::Failed => ("❌", "failed"),
        RunState::Succeeded => ("✅", "succeeded"),
        _ => ("⏹", "was cancelled"),
    };
    let headline = escape(&format!(
        "{mark} {title}: deploy to {} {verb}",
        plan.environment
    ));
    let took = run
        .started
        .map_or_else(|| "-".into(), |started| duration(now.since(started)));
    let components = components(run);
    let commit = format!(
        "<{commit_url}|`{}`> {}",
        plan.commit.sha.short(),
        first(&escape(&plan.commit.title), 300)
    );
    let fields = [
        ("Environment", plan.environment.to_string()),
        ("Commit", commit),
        ("By", escape(by)),
        ("Duration", took),
        ("Components", components.join(", ")),
        ("Run", format!("<{url}|#{id}>")),
    ];
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, value)| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{value}") }))
        .collect();
    let mut blocks = vec![
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("*{headline}*") } }),
        json!({ "type": "section", "fields": fields }),
    ];
    let overlooked = overlooked(run);
    if !overlooked.is_empty() {
        let text = format!(
            "Failed and did not hold it up: {}",
            first(&escape(&overlooked.join(", ")), 1_000)
        );
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    if let Some((
        step,
        Failure {
            what,
            advice,
            undone,
            counts_always: _,
        },
    )) = run.failure()
    {
        let step = plan
            .step(step)
            .map(|planned| planned.step.title())
            .unwrap_or_default();
        let mut text = format!(
            "*{}*: {}",
            first(&escape(&step), 100),
            first(&escape(what), 800)
        );
        for more in [Some(advice), undone.as_ref()]
            .into_iter()
            .flatten()
            .filter(|more| !more.is_empty())
        {
            text.push('\n');
            text.push_str(first(&escape(more), 300));
        }
        let tail = last(
            &escape(&tail.join("\n")).replace("```", "'''"),
            BLOCK.saturating_sub(text.chars().count() + 7),
        )
        .to_owned();
        if !tail.is_empty() {
            text.push_str(&format!("\n```{tail}```"));
        }
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    json!({ "text": headline, "blocks": blocks })
}

/// The body of the request to somebody else's program; docs/webhooks.md describes its fields.
pub fn webhook(notice: &Notice<'_>) -> Value {
    let Notice {
        id,
        run,
        title,
        by,
        url,
        commit_url,
        tail,
        now,
    } = notice;
    let plan = &run.plan;
    let failing_step = run.failure().map(|(step, failure)| {
        let step = plan.step(step).map(|planned| planned.step.title());
        json!({
            "title": step.unwrap_or_default(), "what": failure.what, "advice": failure.advice,
            "undone": failure.undone, "log": tail,
        })
    });
    json!({
        "project": plan.project, "title": title, "environment": plan.environment,
        "run": id, "kind": plan.kind, "state": run.verdict(), "url": url, "by": by,
        "commit": { "sha": plan.commit.sha, "title": plan.commit.title, "author": plan.commit.author, "url": commit_url },
        "components": components(run),
        "started": run.started.map(Ms::rfc3339),
        "duration_ms": run.started.map(|started| now.since(started)),
        "failing_step": failing_step, "overlooked": overlooked(run),
    })
}

/// The steps that failed and did not hold up the run: tests that a lead has overridden, a push where one registry is
/// enough.
fn overlooked(run: &Run) -> Vec<String> {
    let steps = run.plan.steps.iter();
    steps
        .filter(|planned| run.overlooks(planned.id))
        .map(|planned| planned.step.title())
        .collect()
}

/// What the run deploys.
fn components(run: &Run) -> Vec<&str> {
    let steps = run.plan.steps.iter();
    steps
        .filter_map(|planned| match &planned.step {
            crate::step::StepKind::Deploy { component, .. } => Some(component.as_str()),
            _ => None,
        })
        .collect()
}

/// The most characters that Slack takes in a text block (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
const BLOCK: usize = 3_000;

/// The beginning of an escaped text, at most `most` characters, without half an `&amp;` at its end.
fn first(escaped: &str, most: usize) -> &str {
    let Some((end, _)) = escaped.char_indices().nth(most) else {
        return escaped;
    };
    let kept = &escaped[..end];
    match kept.rfind('&') {
        Some(entity) if !kept[entity..].contains(';') => &kept[..entity],
        _ => kept,
    }
}

/// The whole lines at the end of an escaped text that make at most `most` characters: what went wrong stands last.
/// Of one line that is longer, its end.
fn last(escaped: &str, most: usize) -> &str {
    let Some(surplus) = escaped
        .chars()
        .count()
        .checked_sub(most)
        .filter(|surplus| *surplus > 0)
    else {
        return escaped;
    };
    let start = escaped
        .char_indices()
        .nth(surplus)
        .map_or(escaped.len(), |(start, _)| start);
    let kept = &escaped[start..];
    match (
        escaped[..start].ends_with('\n'),
        kept.find('\n'),
        kept.find(';'),
    ) {
        (true, _, _) => kept,
        (false, Some(line), _) => &kept[line + 1..],
        (false, None, Some(entity)) if entity < 5 => &kept[entity + 1..],
        (false, None, _) => kept,
    }
}

/// Slack's three control characters (<https://docs.slack.dev/messaging/formatting-message-text/#escaping>).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
