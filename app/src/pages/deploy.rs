//! The confirmation of a deploy as a page of its own, for those without JavaScript and for links.
use domain::{EnvName, ProjectName};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::not_found::NotFound;
use crate::parts::deploy::DeployPanel;

lazy_page!(DeployPage, Page);

#[component]
fn Page() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let wanted = Memo::new(move |_| {
        params.with(|params| {
            Some((
                ProjectName::parse(params.get("project")?).ok()?,
                EnvName::parse(params.get("env")?).ok()?,
            ))
        })
    });
    move || match wanted.get() {
        None => view! { <NotFound/> }.into_any(),
        Some((project, environment)) => {
            let asked = |name| query.with_untracked(|query| query.get(name));
            let commit = asked("commit");
            let rebuild = asked("rebuild").as_deref() == Some("true");
            let title = format!("Deploy {project} to {environment}");
            view! {
                <leptos_meta::Title text=title.clone()/>
                <div class="narrow">
                    <h1>{title}</h1>
                    <DeployPanel project environment commit rebuild/>
                </div>
            }
            .into_any()
        }
    }
}
