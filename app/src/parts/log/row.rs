//! One line of a log.
use domain::log::{LogLine, Stream};
use leptos::prelude::*;

use super::ansi::spans;
use super::fold::{cut, last_segment, thousands};
use super::marks::mark;
use super::state::LogState;

/// The line, or its number alone while it is on its way.
pub fn row(state: LogState, n: i64) -> AnyView {
    match state.line(n) {
        Some(line) => view! { <Row state line/> }.into_any(),
        None => {
            view! { <div class="line" id=format!("L{n}")><span class="line-n">{n}</span></div> }
                .into_any()
        }
    }
}

#[component]
fn Row(state: LogState, line: LogLine) -> impl IntoView {
    let LogLine {
        n,
        at,
        stream,
        text,
    } = line;
    // A sign and a word for those who do not see the colour at the line's edge.
    let (stream, sign, word) = match stream {
        Stream::Out => (None, "", None),
        Stream::Err => (Some("err"), "!", Some("Standard error: ")),
        Stream::Portal => (Some("portal"), "›", Some("Fairlead: ")),
    };
    let choose = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        state.choose(n);
        crate::browser::replace_address(&state.permalink(n));
    };
    view! {
        <div class="line" class:line-target=move || state.target.get() == Some(n) id=format!("L{n}") data-stream=stream>
            <a class="line-n" tabindex=move || if state.tab_stop.get() == n { "0" } else { "-1" } href=format!("#L{n}") on:click=choose aria-label=format!("Link to line {n}")>{n}</a>
            <time class="line-t" datetime=at.rfc3339()>{at.time_of_day()}</time>
            <span class="line-s" aria-hidden="true">{sign}</span>
            {word.map(|word| view! { <span class="sr-only">{word}</span> })}
            <Text state text/>
        </div>
    }
}

/// The text with its colours and hits, and a button where it was cut.
#[component]
fn Text(state: LogState, text: String) -> impl IntoView {
    let shown = last_segment(&text).to_owned();
    let all = RwSignal::new(false);
    let length = cut(&shown).map(|(_, length)| length);
    let pieces = move || {
        let part = if all.get() {
            shown.as_str()
        } else {
            cut(&shown).map_or(shown.as_str(), |(part, _)| part)
        };
        let piece = |piece: super::marks::Piece| {
            let class = piece.style.class();
            match (piece.hit, class.is_empty()) {
                (true, _) => view! { <mark class=class>{piece.text}</mark> }.into_any(),
                (false, true) => piece.text.into_any(),
                (false, false) => view! { <span class=class>{piece.text}</span> }.into_any(),
            }
        };
        state
            .query
            .with(|query| mark(spans(part), query))
            .into_iter()
            .map(piece)
            .collect_view()
    };
    view! {
        <span class="line-x">{pieces}</span>
        {length.map(|length| {
            let length = thousands(i64::try_from(length).unwrap_or(i64::MAX));
            view! {
                <button type="button" class="line-more needs-js" hidden=move || all.get() on:click=move |_| all.set(true)>
                    "show all " {length} " characters"
                </button>
            }
        })}
    }
}
