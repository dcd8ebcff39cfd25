//! Deploys a commit although its tests failed: for leads, with a reason, and on the record.
use domain::view::Offer;
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::button::{Why, ready};
use super::icon::Icon;
use super::states::Trouble;
use crate::api::board::Deploy;
use crate::live::Watched;

/// The form; nothing where no test stopped the run.
#[component]
pub fn DeployAnyway(
    /// The run.
    watched: Watched,
) -> impl IntoView {
    let deploy = ServerAction::<Deploy>::new();
    // Drawn anew only when it changes: whoever writes a reason keeps it.
    let offered = Memo::new(move |_| watched.view.with(|view| view.deploy_anyway.clone()));
    let form = move |offer: Offer| {
        let row = watched.view.with_untracked(|view| view.row.clone());
        let refused = !ready(&offer);
        let pending = deploy.pending();
        let label = format!("Deploy {} to {}", row.commit.sha.short(), row.environment);
        view! {
            <details class="card output">
                <summary>"Deploy although its tests fail"</summary>
                <ActionForm action=deploy>
                    <p>
                        "A new run repeats everything, the tests too. Those that fail are shown as failed and do not hold it up. Your name and your reason go into the audit trail."
                    </p>
                    <input type="hidden" name="project" value=row.project.to_string()/>
                    <input type="hidden" name="environment" value=row.environment.to_string()/>
                    <input type="hidden" name="commit" value=row.commit.sha.to_string()/>
                    <input type="hidden" name="override_tests" value="true"/>
                    <label class="field">
                        <span>"Reason"</span>
                        <input type="text" name="reason" required maxlength="500" autocomplete="off" disabled=refused/>
                    </label>
                    <button type="submit" class="btn btn-danger" disabled=move || refused || pending.get() aria-describedby=refused.then_some("why-anyway")>
                        {Icon::Ship.draw()} {label}
                    </button>
                    <Why id="why-anyway".to_owned() offer/>
                </ActionForm>
            </details>
        }
    };
    view! {
        {move || offered.get().map(form)}
        {move || match deploy.value().get() {
            Some(Err(error)) => Some(view! { <Trouble error/> }),
            _ => None,
        }}
    }
}
