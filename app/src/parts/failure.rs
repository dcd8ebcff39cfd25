//! Why something failed: what, what to do next, and what Fairlead did about it.
use domain::run::Failure;
use leptos::prelude::*;

use super::icon::Icon;

/// The box that says it.
#[component]
pub fn FailureBox(
    /// Which step it was.
    #[prop(into)]
    step: String,
    /// The step's page.
    href: String,
    /// What is known about it.
    failure: Failure,
) -> impl IntoView {
    let Failure {
        what,
        advice,
        undone,
        counts_always: _,
    } = failure;
    view! {
        <section class="failure" aria-label="Why it failed">
            <p class="failure-title">{Icon::Cross.draw()} <a href=href data-noscroll="true">{step}</a> " failed"</p>
            <p class="failure-what">{what}</p>
            {(!advice.is_empty()).then(|| view! { <p><strong>"What next: "</strong>{advice}</p> })}
            {undone.map(|undone| view! { <p><strong>"What Fairlead did: "</strong>{undone}</p> })}
        </section>
    }
}
