//! A commit in one line: its id as a link, what it says, who wrote it and when.
use domain::plan::Commit;
use leptos::prelude::*;

use super::icon::Icon;
use super::when::When;

/// The commit's page on the forge.
pub fn commit_url(repository_url: &str, commit: &Commit) -> String {
    format!(
        "{}/commit/{}",
        repository_url.trim_end_matches('/'),
        commit.sha
    )
}

/// The short id, as a link where there is a page.
#[component]
pub fn Sha(
    /// The commit.
    commit: Commit,
    /// Its page; no link where empty.
    #[prop(into)]
    url: String,
) -> impl IntoView {
    let (short, full) = (commit.sha.short().to_owned(), commit.sha.to_string());
    if url.is_empty() {
        view! { <code class="sha" title=full>{short}</code> }.into_any()
    } else {
        view! { <a class="sha" href=url rel="external" title=full>{short}</a> }.into_any()
    }
}

/// Id and title; below them the author and the age.
#[component]
pub fn CommitLine(
    /// The commit.
    commit: Commit,
    /// Its page.
    #[prop(into)]
    url: String,
) -> impl IntoView {
    let (title, author, at) = (commit.title.clone(), commit.author.clone(), commit.at);
    view! {
        <div class="commit">
            {Icon::Commit.draw()}
            <div class="commit-text">
                <p class="commit-title"><Sha commit url/> " " {title}</p>
                <p class="muted">{author} ", " <When at/></p>
            </div>
        </div>
    }
}
