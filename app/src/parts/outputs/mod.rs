//! What a run's page shows of its steps besides their logs: annotations, test results, artifacts, where the time went
//! and whom the run told. Each has a tab of its own, with an address of its own; the last two share one.
mod findings;
mod messages;
mod results;
mod texts;
mod timeline;

use domain::RunId;
use domain::report::{Artifact, Content, Level};
use leptos::prelude::*;
use leptos::task::spawn_local;

pub use findings::Findings;
pub use messages::{Messages, Told};
pub use results::Results;
pub use texts::Texts;
pub use timeline::Timeline;

use crate::api;
use crate::live::Watched;

/// What is shown below the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The log of a step.
    Log,
    /// Findings in files.
    Annotations,
    /// Test results.
    Tests,
    /// Texts that steps left.
    Artifacts,
    /// Where the time went, and whom the run told.
    Timeline,
}

impl Tab {
    const ALL: [Tab; 5] = [
        Tab::Log,
        Tab::Annotations,
        Tab::Tests,
        Tab::Artifacts,
        Tab::Timeline,
    ];

    fn word(self) -> &'static str {
        match self {
            Tab::Log => "log",
            Tab::Annotations => "annotations",
            Tab::Tests => "tests",
            Tab::Artifacts => "artifacts",
            Tab::Timeline => "timeline",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Tab::Log => "Log",
            Tab::Annotations => "Annotations",
            Tab::Tests => "Tests",
            Tab::Artifacts => "Artifacts",
            Tab::Timeline => "Timeline",
        }
    }

    /// The tab that an address asks for; the log where it asks for none.
    pub fn of(word: Option<&str>) -> Tab {
        let asked = |tab: &Tab| Some(tab.word()) == word;
        Tab::ALL.into_iter().find(asked).unwrap_or(Tab::Log)
    }
}

/// What the steps of a run have left by now.
#[derive(Clone, Copy)]
pub struct Outputs(RwSignal<Vec<Artifact>>);

impl Outputs {
    /// From what was loaded; read again whenever a step has ended.
    pub fn watch(watched: Watched, loaded: Vec<Artifact>) -> Self {
        let outputs = RwSignal::new(loaded);
        let ended = Memo::new(move |_| {
            watched.with(|run| {
                run.steps
                    .iter()
                    .filter(|step| step.state.is_final())
                    .count()
            })
        });
        Effect::new(move |before: Option<usize>| {
            let now = ended.get();
            if before.is_some_and(|before| before != now) {
                spawn_local(async move {
                    // What is open or has the focus stays so where nothing is new.
                    if let Ok(artifacts) = api::runs::artifacts(watched.id).await
                        && outputs.try_with_untracked(|known| *known != artifacts) == Some(true)
                    {
                        outputs.try_set(artifacts);
                    }
                });
            }
            now
        });
        Self(outputs)
    }

    /// All of them, in the plan's order.
    pub fn all(&self) -> Vec<Artifact> {
        self.0.get()
    }

    /// What a tab's title says of how much it holds.
    fn count(&self, tab: Tab) -> Option<String> {
        let mut count = 0;
        self.0.with(|artifacts| {
            for artifact in artifacts {
                count += match (tab, &artifact.content) {
                    (Tab::Annotations, Content::Findings(findings)) => findings.len(),
                    (Tab::Tests, Content::Tests(report)) => {
                        usize::try_from(report.failed).unwrap_or(usize::MAX)
                    }
                    (Tab::Artifacts, Content::Text(_)) => 1,
                    _ => 0,
                };
            }
        });
        let failed = if tab == Tab::Tests { " failed" } else { "" };
        (count > 0).then(|| format!("{count}{failed}"))
    }

    /// Whether a tab holds what made the run fail.
    fn is_bad(&self, tab: Tab) -> bool {
        self.0.with(|artifacts| {
            artifacts
                .iter()
                .any(|artifact| match (tab, &artifact.content) {
                    (Tab::Annotations, Content::Findings(findings)) => {
                        findings.iter().any(|finding| finding.level == Level::Error)
                    }
                    (Tab::Tests, Content::Tests(report)) => report.failed > 0,
                    _ => false,
                })
        })
    }
}

/// The tabs; each is a link.
#[component]
pub fn Tabs(
    /// The run.
    run: RunId,
    /// The one that is open.
    open: Memo<Tab>,
    /// What they hold.
    outputs: Outputs,
) -> impl IntoView {
    let tab = move |tab: Tab| {
        let href = match tab {
            Tab::Log => format!("/runs/{run}"),
            other => format!("/runs/{run}?tab={}", other.word()),
        };
        let current = move || (open.get() == tab).then_some("page");
        let count = move || {
            outputs.count(tab).map(|count| {
                let tone = if outputs.is_bad(tab) {
                    "badge tone-bad"
                } else {
                    "badge tone-quiet"
                };
                view! { <span class=tone>{count}</span> }
            })
        };
        // The reader stays where the tabs are.
        view! { <a data-noscroll="true" href=href aria-current=current>{tab.title()} " " {count}</a> }
    };
    view! { <nav class="tabs" aria-label="About this run">{Tab::ALL.map(tab).collect_view()}</nav> }
}
