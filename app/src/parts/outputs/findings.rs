//! Findings in files, the worst first.
use domain::report::{Content, Finding, Level};
use leptos::prelude::*;

use super::Outputs;
use crate::parts::icon::Icon;
use crate::parts::states::Empty;

/// The list, file by file.
#[component]
pub fn Findings(
    /// What the steps left.
    outputs: Outputs,
    /// The page of the repository at the run's commit, without the file.
    source_url: String,
) -> impl IntoView {
    move || {
        let mut findings: Vec<Finding> = outputs
            .all()
            .into_iter()
            .filter_map(|artifact| match artifact.content {
                Content::Findings(findings) => Some(findings),
                _ => None,
            })
            .flatten()
            .collect();
        if findings.is_empty() {
            return view! {
                <Empty title="No annotation">
                    <p>"Steps that check files leave here what they found in them. They found nothing, or have not run."</p>
                </Empty>
            }
            .into_any();
        }
        findings.sort_by_key(|finding| (finding.level, finding.file.clone(), finding.line));
        let rows = findings
            .into_iter()
            .map(|finding| row(finding, &source_url))
            .collect_view();
        view! { <ul class="findings card">{rows}</ul> }.into_any()
    }
}

fn row(finding: Finding, source_url: &str) -> impl IntoView + use<> {
    let Finding {
        file,
        line,
        column,
        rule,
        level,
        message,
    } = finding;
    let (icon, tone) = match level {
        Level::Error => (Icon::Cross, "badge tone-bad"),
        Level::Warning => (Icon::Warning, "badge tone-warn"),
    };
    let place = format!("{file}:{line}:{column}");
    let place = if source_url.is_empty() {
        view! { <span class="mono">{place}</span> }.into_any()
    } else {
        let href = format!("{source_url}/{}#L{line}", in_address(&file));
        view! { <a class="mono" href=href rel="external">{place}</a> }.into_any()
    };
    view! {
        <li class="finding">
            <span class=tone>{icon.draw()} {level.as_str()}</span>
            <div>
                <p class="finding-message">{message}</p>
                <p class="muted finding-message">{place} ", rule " <span class="mono">{rule}</span></p>
            </div>
        </li>
    }
}

/// A path as it stands in an address: a file's name may hold what means something else there.
fn in_address(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_may_hold_anything() {
        assert_eq!(
            in_address(".github/workflows/a b#1.yml"),
            ".github/workflows/a%20b%231.yml"
        );
    }
}
