//! The steps of a run as a graph: side by side what runs side by side, joined by lines. On a phone it is a list.
mod layout;

use domain::plan::Plan;
use domain::run::{StepRun, StepState};
use domain::step::PlannedStep;
use domain::when::duration;
use domain::{Ms, StepId};
use leptos::prelude::*;

use self::layout::{Layout, lay_out};
use super::status;
use super::when::{Clock, Elapsed};
use crate::live::Watched;

// The grid of `.graph` in style/run.css has the same numbers.
const NODE_PX: usize = 216;
const GAP_PX: usize = 28;
const HALF_ROW_PX: usize = 32;

/// The graph; each step is a link that shows its log.
#[component]
pub fn Graph(
    /// The run.
    watched: Watched,
    /// The step whose log is shown.
    #[prop(into)]
    selected: Signal<Option<StepId>>,
) -> impl IntoView {
    let plan = watched.view.with_untracked(|view| view.plan.clone());
    let layout = lay_out_plan(&plan);
    let lines = lines(&layout);
    let (width, height) = (
        layout.columns * (NODE_PX + GAP_PX),
        layout.half_rows * HALF_ROW_PX,
    );
    let nodes = plan
        .steps
        .into_iter()
        .zip(layout.places)
        .map(|(step, place)| {
            let place = format!(
                "node-place col-start-{} row-start-{}",
                place.column + 1,
                place.half_row + 1
            );
            view! { <li class=place><Node watched step selected/></li> }
        });
    view! {
        <div class="graph-scroll">
            <div class="graph-frame">
                <svg class="graph-lines" width=width height=height aria-hidden="true">
                    {lines.into_iter().map(|d| view! { <path d=d></path> }).collect_view()}
                </svg>
                <ol class="graph" aria-label="Steps">{nodes.collect_view()}</ol>
            </div>
        </div>
    }
}

fn lay_out_plan(plan: &Plan) -> Layout {
    let needs: Vec<Vec<usize>> = plan
        .steps
        .iter()
        .map(|step| step.needs.iter().map(|need| need.index()).collect())
        .collect();
    lay_out(&needs)
}

/// One path for each line, from the right edge of a node to the left edge of the next.
fn lines(layout: &Layout) -> Vec<String> {
    let middle = |place: usize| (layout.places[place].half_row + 1) * HALF_ROW_PX;
    let line = |&(from, to): &(usize, usize)| {
        let x1 = layout.places[from].column * (NODE_PX + GAP_PX) + NODE_PX;
        let x2 = layout.places[to].column * (NODE_PX + GAP_PX);
        let (y1, y2) = (middle(from), middle(to));
        // All bends lie in the last gap, so a long line runs straight beside the nodes that it passes.
        let (bend, half) = (x2 - GAP_PX, x2 - GAP_PX / 2);
        format!("M{x1} {y1}H{bend}C{half} {y1} {half} {y2} {x2} {y2}")
    };
    layout.edges.iter().map(line).collect()
}

#[component]
fn Node(watched: Watched, step: PlannedStep, selected: Signal<Option<StepId>>) -> impl IntoView {
    let (id, usual) = (step.id, step.usual_ms);
    let now = Memo::new(move |_| watched.step(id));
    let clock = use_context::<Clock>();
    let note = Memo::new(move |_| {
        let now = clock.map_or(Ms(0), |clock| clock.now());
        watched.with(|run| run.note(id, now))
    });
    let current = move || (selected.get() == Some(id)).then_some("step");
    view! {
        <a class="node" data-noscroll="true" href=format!("/runs/{}?step={id}", watched.id) aria-current=current
            data-state=move || now.get().map(|step| step.state.as_str())>
            <span class="node-title">{step.step.title()}</span>
            {move || now.get().map(|step| status::of_step(&step.state).icon_only())}
            <span class="node-word">{move || now.get().map(|step| words(&step))}</span>
            <span class="node-time">{move || now.get().map(|step| times(&step, usual))}</span>
            <span class="node-note" title=move || note.get()>{move || note.get()}</span>
        </a>
    }
}

/// The state in words, with the try where it is not the first.
fn words(step: &StepRun) -> String {
    let word = status::of_step(&step.state).word;
    if step.attempt > 1 {
        format!("{word}, try {}", step.attempt)
    } else {
        word.to_owned()
    }
}

/// How long it took against how long it usually takes.
fn times(step: &StepRun, usual: Option<i64>) -> impl IntoView + use<> {
    let usual = usual.map(duration);
    match (&step.state, step.started) {
        (StepState::Skipped { .. }, _) | (StepState::Cancelled, None) => None,
        (StepState::Succeeded { .. }, None) => Some(view! { "taken over" }.into_any()),
        (_, Some(from)) => {
            let usual = usual.map(|usual| view! { <span class="muted">" / usual " {usual}</span> });
            Some(view! { <Elapsed from until=step.ended/> {usual} }.into_any())
        }
        (_, None) => {
            usual.map(|usual| view! { <span class="muted">"usual " {usual}</span> }.into_any())
        }
    }
}

/// The steps of a plan, stage by stage: those of one stage can run side by side.
pub fn stages(plan: &Plan) -> Vec<Vec<PlannedStep>> {
    let layout = lay_out_plan(plan);
    let mut stages = vec![Vec::new(); layout.columns];
    for (step, place) in plan.steps.iter().zip(&layout.places) {
        stages[place.column].push(step.clone());
    }
    stages
}
