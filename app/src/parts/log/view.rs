//! The window onto a log. A short log is rendered whole; of a long one only what is in sight, in a block that is moved
//! to where the scroll bar says.
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::fold::thousands;
use super::row::row;
use super::state::LogState;
use super::toolbar::Toolbar;
use super::window::{LINE_PX, Window};
use crate::api::logs::PAGE;
use crate::parts::icon::Icon;
use crate::parts::states::Trouble;

/// Logs up to this length are rendered whole, so that the browser's own search works in them too.
const WHOLE: i64 = 1_000;

/// The log of a step.
#[component]
pub fn LogView(
    /// Its state.
    state: LogState,
    /// The step's title.
    #[prop(into)]
    title: Signal<String>,
    /// Whether more lines may come.
    #[prop(into)]
    live: Signal<bool>,
    /// Whether what matters stands at the end, as it does after a failure.
    #[prop(into)]
    from_end: Signal<bool>,
    /// What to say when there is no line.
    #[prop(into)]
    empty: Signal<String>,
) -> impl IntoView {
    let frame = Frame {
        state,
        live,
        from_end,
        scroller: NodeRef::new(),
        spacer: NodeRef::new(),
        block: NodeRef::new(),
        // Nothing is measured on the server, nor before the page is hydrated.
        seen: RwSignal::new((0.0, 0.0)),
    };
    let range = Memo::new(move |_| frame.range());
    frame.keep_up(range);
    let rows = move || {
        state.changed.track();
        let (first, last) = range.get();
        (first..=last)
            .map(|n| (n, state.has(n)))
            .collect::<Vec<_>>()
    };
    let field = NodeRef::<html::Input>::new();
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        "/" if !event.ctrl_key() && !event.meta_key() => {
            event.prevent_default();
            if let Some(field) = field.get_untracked() {
                let _ = field.focus();
            }
        }
        "ArrowDown" => walk(&event, 1),
        "ArrowUp" => walk(&event, -1),
        _ => {}
    };
    // As the server writes it; a page with scripts never shows it.
    let (first, last) = range.get_untracked();
    let more = (state.total.get_untracked() > last - first + 1).then(|| {
        let words = match first {
            1 => format!("the first {last} lines"),
            first => format!("the last {} lines", last - first + 1),
        };
        view! { <p class="no-js log-empty">"Without JavaScript this page shows " {words} "; the raw log has all."</p> }
    });
    let nothing = move || {
        let words = match (
            state.total.get(),
            state.opened.get(),
            state.trouble.with(Option::is_some),
        ) {
            (1.., ..) | (0, true, true) => return None,
            (_, false, _) => "Loading the log…".to_owned(),
            _ => empty.get(),
        };
        Some(view! { <p class="log-empty">{words}</p> })
    };
    view! {
        <section class="log" class:log-wrap=move || state.wrap.get() class:log-times=move || state.times.get() aria-label="Log">
            <Toolbar state title field/>
            {move || state.trouble.get().map(|error| view! {
                <Trouble error/>
                <p><button type="button" class="btn" on:click=move |_| state.try_again()>{Icon::Retry.draw()} "Try again"</button></p>
            })}
            <div class="log-scroll" node_ref=frame.scroller tabindex="0" role="log" aria-live="off" aria-label=move || format!("Log of {}", title.get())
                on:scroll=move |_| frame.scrolled() on:keydown=keys>
                <div class="log-spacer" node_ref=frame.spacer>
                    <div class="log-block" node_ref=frame.block>
                        <For each=rows key=|row| *row let((n, _))>{row(state, n)}</For>
                    </div>
                </div>
                {nothing}
            </div>
            <Pill frame/>
            {more}
        </section>
    }
}

/// Goes to the end, and says how much has come there meanwhile.
#[component]
fn Pill(frame: Frame) -> impl IntoView {
    let state = frame.state;
    move || {
        if !frame.live.get() || state.following.get() {
            return None;
        }
        let new = (state.total.get() - state.left_at.get()).max(0);
        let words = match new {
            0 => "Follow".to_owned(),
            1 => "1 new line".to_owned(),
            new => format!("{} new lines", thousands(new)),
        };
        Some(view! {
            <button type="button" class="log-pill needs-js" on:click=move |_| state.follow()>
                {Icon::Down.draw()} {words}
            </button>
        })
    }
}

/// The elements of the view and what is in sight.
#[derive(Clone, Copy)]
struct Frame {
    state: LogState,
    live: Signal<bool>,
    from_end: Signal<bool>,
    scroller: NodeRef<html::Div>,
    spacer: NodeRef<html::Div>,
    block: NodeRef<html::Div>,
    /// How far it is scrolled and how high it is, in pixels.
    seen: RwSignal<(f64, f64)>,
}

impl Frame {
    fn window(&self) -> Window {
        let (scroll_px, view_px) = self.seen.get();
        Window {
            total: self.state.total.get(),
            view_px,
            scroll_px,
        }
    }

    fn range(&self) -> (i64, i64) {
        let window = self.window();
        match window {
            Window {
                total,
                view_px: 0.0,
                ..
            } => {
                let first = self.state.begins;
                (
                    first,
                    total.min(first - 1 + if first == 1 { PAGE } else { 2 * PAGE }),
                )
            }
            Window { total, .. } if total <= WHOLE => (1, total),
            window => window.lines(),
        }
    }

    /// Effects of the browser: measure, fetch what is in sight, put the block in its place, follow, jump.
    fn keep_up(self, range: Memo<(i64, i64)>) {
        let state = self.state;
        Effect::new(move |before: Option<()>| {
            state.step.track(); // another step begins anew
            self.measure();
            if !state.opened.get() {
                return; // it begins with its first answer
            }
            // The address may still be that of the step before, whose line is none of this one's.
            let line = match before {
                None => crate::browser::line_in_address(),
                Some(()) => None,
            };
            match line {
                Some(line) => state.go_to(line),
                None => {
                    state.following.set(self.live.get_untracked());
                    if self.from_end.get_untracked() {
                        // The page stays where it is: what failed stands at its top.
                        request_animation_frame(move || self.scroll_to(i64::MAX));
                    }
                }
            }
        });
        Effect::new(move || {
            let (first, last) = range.get();
            let target = state
                .target
                .get()
                .filter(|line| (first..=last).contains(line));
            state.tab_stop.set(target.unwrap_or(first));
        });
        let resized = window_event_listener(leptos::ev::resize, move |_| self.measure());
        on_cleanup(move || resized.remove());
        Effect::new(move || {
            state.changed.track();
            let (first, last) = range.get();
            if self.seen.get_untracked().1 > 0.0 {
                state.want(first, last);
            }
        });
        Effect::new(move || {
            let (window, (first, _)) = (self.window(), range.get());
            state.changed.track();
            state.wrap.track();
            request_animation_frame(move || self.place(window, first));
        });
        Effect::new(move || {
            state.changed.track();
            state.wrap.track();
            if state.following.get() {
                request_animation_frame(move || self.scroll_to_end());
            }
        });
        Effect::new(move || {
            if let Some(line) = state.jump.get() {
                state.jump.set(None);
                request_animation_frame(move || {
                    self.scroll_to(line);
                    if let Some(scroller) = self.scroller() {
                        crate::browser::bring_into_view(&scroller);
                    }
                });
            }
        });
    }

    fn measure(self) {
        if let Some(scroller) = self.scroller() {
            let seen = (
                f64::from(scroller.scroll_top()),
                f64::from(scroller.client_height()),
            );
            if self
                .seen
                .try_get_untracked()
                .is_some_and(|before| before != seen)
            {
                self.seen.set(seen);
            }
        }
    }

    /// The scrolled element. What was planned for the next picture may come when the page was left.
    fn scroller(self) -> Option<web_sys::HtmlDivElement> {
        self.scroller.try_get_untracked().flatten()
    }

    fn scrolled(self) {
        let (before, _) = self.seen.get_untracked();
        self.measure();
        let Some(scroller) = self.scroller() else {
            return;
        };
        let end = scroller.scroll_top() + scroller.client_height()
            >= scroller.scroll_height() - 2 * LINE_PX as i32;
        let following = self.state.following.get_untracked();
        let chosen = self.state.target.with_untracked(Option::is_some);
        if following && f64::from(scroller.scroll_top()) < before && !end {
            self.state.hold();
        } else if !following && !chosen && end && self.live.get_untracked() {
            self.state.follow();
        }
    }

    /// Puts the block of lines where the window says.
    fn place(self, window: Window, first: i64) {
        // The view grows with a short log.
        self.measure();
        let (spacer, block) = (
            self.spacer.try_get_untracked(),
            self.block.try_get_untracked(),
        );
        let (Some(spacer), Some(block)) = (spacer.flatten(), block.flatten()) else {
            return;
        };
        if window.total <= WHOLE || window.view_px == 0.0 {
            crate::browser::style(&spacer, "height", "auto");
            crate::browser::style(&block, "transform", "none");
            return;
        }
        crate::browser::style(&spacer, "height", &format!("{}px", window.height_px()));
        let (line, inside, below_top) = window.anchor();
        // A wrapped line is as high as it is: look where the anchor stands in the block.
        let at = match self
            .state
            .wrap
            .get_untracked()
            .then(|| element_of(line))
            .flatten()
        {
            Some(row) => {
                let in_row = inside * f64::from(row.offset_height());
                window.scroll_px + below_top - f64::from(row.offset_top()) - in_row
            }
            None => window.block_px(first),
        };
        crate::browser::style(&block, "transform", &format!("translateY({at:.1}px)"));
    }

    fn scroll_to_end(self) {
        // The reader may have looked back since this was planned.
        if let (Some(scroller), Some(true)) =
            (self.scroller(), self.state.following.try_get_untracked())
        {
            scroller.set_scroll_top(scroller.scroll_height());
            self.measure();
        }
    }

    /// Scrolls the log to a line, or to its last one.
    fn scroll_to(self, line: i64) {
        let Some(scroller) = self.scroller() else {
            return;
        };
        let window = untrack(|| self.window());
        let line = line.min(window.total);
        let to = match element_of(line) {
            Some(row) if window.total <= WHOLE => {
                f64::from(row.offset_top()) - window.view_px / 3.0
            }
            _ => window.scroll_to(line),
        };
        scroller.set_scroll_top(to.round() as i32);
        self.measure();
    }
}

/// Goes with the arrow keys from the link of one line to that of the next.
fn walk(event: &KeyboardEvent, by: i64) {
    let from = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlElement>().ok())
        .and_then(|link| link.parent_element()?.id().strip_prefix('L')?.parse().ok());
    let Some(line): Option<i64> = from else {
        return; // the whole log has the focus, and scrolls
    };
    let link = element_of(line + by).and_then(|row| row.query_selector("a").ok().flatten());
    if let Some(link) = link.and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
        event.prevent_default();
        let _ = link.focus();
    }
}

fn element_of(line: i64) -> Option<HtmlElement> {
    document()
        .get_element_by_id(&format!("L{line}"))?
        .dyn_into()
        .ok()
}
