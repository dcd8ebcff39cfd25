//! Where the time went: each step from its start to its end, against the median of its last ten.
use domain::Ms;
use domain::run::StepRun;
use domain::step::PlannedStep;
use domain::when::duration;
use leptos::prelude::*;

use crate::live::Watched;
use crate::parts::states::Empty;
use crate::parts::status;
use crate::parts::when::Clock;

/// The picture, as a table whose numbers say the same.
#[component]
pub fn Timeline(
    /// The run.
    watched: Watched,
) -> impl IntoView {
    let clock = use_context::<Clock>();
    move || {
        let now = watched
            .with(|run| run.ended)
            .or_else(|| clock.map(|clock| clock.now()));
        watched.with(|run| {
            let (Some(from), Some(now)) = (run.started, now) else {
                return view! {
                    <Empty title="Nothing has started yet"><p>"Each step stands here with its time once the run is at work."</p></Empty>
                }
                .into_any();
            };
            let steps = run.plan.steps.iter().zip(&run.steps);
            let started: Vec<(&PlannedStep, &StepRun, Ms)> = steps
                .filter_map(|(planned, step)| Some((planned, step, step.started?)))
                .collect();
            // A usual time that goes past the end must still fit.
            let usual_end = |(planned, _, at): &(&PlannedStep, &StepRun, Ms)| {
                at.0 + planned.usual_ms.unwrap_or(0)
            };
            let end = started
                .iter()
                .map(usual_end)
                .chain([now.0])
                .max()
                .unwrap_or(now.0);
            let scale = Scale {
                from,
                span: (end - from.0).max(1),
            };
            let rows: Vec<_> = started
                .into_iter()
                .map(|(planned, step, at)| {
                    row(planned, step, at, step.ended.unwrap_or(now), scale)
                })
                .collect();
            view! {
                <div class="table-card">
                    <table class="table timeline">
                        <caption class="sr-only">"How long each step took, and how long it usually takes"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Step"</th>
                                <th scope="col" class="timeline-wide"><span class="sr-only">"Picture"</span></th>
                                <th scope="col">"Took"</th>
                                <th scope="col">"Usual"</th>
                            </tr>
                        </thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                </div>
                <p class="muted">"A bar is a step's time from its first try on; the line below it is the median of its last ten."</p>
            }
            .into_any()
        })
    }
}

/// Where a time stands in the picture.
#[derive(Clone, Copy)]
struct Scale {
    from: Ms,
    span: i64,
}

impl Scale {
    /// A length in thousandths of the picture, at least one so that it can be seen.
    fn length(self, ms: i64) -> i64 {
        (ms * 1000 / self.span).clamp(1, 1000)
    }

    fn place(self, at: Ms) -> i64 {
        (at.since(self.from) * 1000 / self.span).clamp(0, 999)
    }
}

fn row(
    planned: &PlannedStep,
    step: &StepRun,
    at: Ms,
    until: Ms,
    scale: Scale,
) -> impl IntoView + use<> {
    let took = until.since(at);
    let look = status::of_step(&step.state);
    let x = scale.place(at);
    let usual = planned.usual_ms.map(|ms| {
        view! { <rect class="timeline-usual" x=x y="19" width=scale.length(ms) height="2"></rect> }
    });
    let words = planned
        .usual_ms
        .map_or_else(|| "not known".to_owned(), duration);
    view! {
        <tr>
            <td data-label="Step">{look.icon_only()} " " {planned.step.title()}</td>
            <td class="timeline-wide">
                <svg class=format!("timeline-bar {}", look.tone) viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="timeline-took" x=x y="4" width=scale.length(took) height="12"></rect>
                    {usual}
                </svg>
            </td>
            <td data-label="Took" class="num nowrap">{duration(took)}</td>
            <td data-label="Usual" class="num muted nowrap">{words}</td>
        </tr>
    }
}
