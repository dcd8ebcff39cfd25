//! Runs in a table; on a phone each row is a card.
use domain::view::RunRow;
use leptos::prelude::*;

use super::commit::Sha;
use super::status;
use super::when::{Elapsed, When};

/// The table.
#[component]
pub fn RunTable(
    /// The runs, newest first.
    #[prop(into)]
    runs: Signal<Vec<RunRow>>,
    /// Whether they are of several projects.
    several: bool,
) -> impl IntoView {
    view! {
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"Run"</th>
                    <th scope="col">"State"</th>
                    {several.then(|| view! { <th scope="col">"Project"</th> })}
                    <th scope="col">"Environment"</th>
                    <th scope="col">"Commit"</th>
                    <th scope="col">"By"</th>
                    <th scope="col">"Asked"</th>
                    <th scope="col">"Took"</th>
                </tr>
            </thead>
            // A row that changed is drawn anew; the others, and the focus in them, stay.
            <tbody><For each=move || runs.get() key=|row| (row.id, row.state, row.started, row.ended) let(row)><Row row several/></For></tbody>
        </table>
    }
}

#[component]
fn Row(row: RunRow, several: bool) -> impl IntoView {
    let href = format!("/runs/{}", row.id);
    let title = row.commit.title.clone();
    let took = row
        .started
        .map(|from| view! { <Elapsed from until=row.ended/> });
    view! {
        <tr>
            <td data-label="Run"><a class="row-link" href=href>"#" {row.id.to_string()}</a></td>
            <td data-label="State">{status::of_run(row.state).badge()}</td>
            {several.then(|| view! { <td data-label="Project">{row.project.to_string()}</td> })}
            <td data-label="Environment">{row.environment.to_string()}</td>
            <td data-label="Commit" class="cell-commit"><Sha commit=row.commit url=""/> " " {title}</td>
            <td data-label="By">{row.by.to_string()}</td>
            <td data-label="Asked" class="nowrap"><When at=row.requested/></td>
            <td data-label="Took" class="nowrap">{took}</td>
        </tr>
    }
}
