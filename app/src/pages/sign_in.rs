//! The only way in: through GitHub.
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::parts::icon::Icon;

/// What to say about a sign-in that did not work; the codes are those of the server's sign-in routes.
fn words(code: &str) -> &'static str {
    match code {
        "no-role" => {
            "GitHub knows you, but you have no role in any project here. Ask whoever runs this portal to add you or one \
             of your teams, then sign in again."
        }
        "refused" => "You did not allow the sign-in on GitHub. Nothing was changed.",
        "busy" => "Too many people sign in at this moment. Try again in a minute.",
        "expired" => "The sign-in took too long or was started in another window. Try again.",
        "unreachable" => {
            "GitHub did not answer as expected. Try again in a moment; if it stays so, ask whoever runs this portal."
        }
        _ => "The sign-in did not work. Try again; if it stays so, ask whoever runs this portal.",
    }
}

/// The page.
#[component]
pub fn SignIn() -> impl IntoView {
    let query = use_query_map();
    let trouble = move || query.with(|query| query.get("error"));
    // Only a path of this portal may follow; the server checks it again.
    let next = move || {
        query
            .with(|query| query.get("next"))
            .filter(|next| next.starts_with('/') && !next.starts_with("//"))
    };
    let href = move || match next() {
        Some(next) => format!(
            "/auth/github?next={}",
            leptos_router::location::Url::escape(&next)
        ),
        None => "/auth/github".to_owned(),
    };
    view! {
        <leptos_meta::Title text="Sign in"/>
        <div class="sign-in">
            <img src="/logo.svg" alt="" width="56" height="56"/>
            <h1>"Fairlead"</h1>
            <p class="muted">"Guides a release from a commit to production, and keeps the record straight."</p>
            {move || trouble().map(|code| view! {
                <div class="trouble" role="alert">
                    <p class="trouble-title">{Icon::Warning.draw()} "Not signed in"</p>
                    <p>{words(&code)}</p>
                </div>
            })}
            <a class="btn btn-primary btn-wide" href=href rel="external">"Sign in with GitHub"</a>
        </div>
    }
}
