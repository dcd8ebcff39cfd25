//! Times as people read them, with the exact one on hover. The server and the browser's first rendering show the same
//! words, since both count from the view's `now`; after that a clock ticks.
use domain::Ms;
use domain::when::duration;
use leptos::prelude::*;

/// What time it is for this page.
#[derive(Clone, Copy)]
pub struct Clock(RwSignal<Ms>);

impl Clock {
    /// Starts at the time at which the page's data was read, and gives the clock to all parts below.
    pub fn start(now: Ms) -> Self {
        let clock = Self(RwSignal::new(now));
        provide_context(clock);
        Effect::new(move || {
            // The portal's clock and the browser's may disagree: keep the distance.
            let ahead = now.0 - crate::browser::now_ms();
            let tick = move || {
                clock.0.try_set(Ms(crate::browser::now_ms() + ahead));
            };
            if let Ok(handle) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
                on_cleanup(move || handle.clear());
            }
        });
        clock
    }

    /// Now.
    pub fn now(&self) -> Ms {
        self.0.get()
    }
}

/// How long ago something was.
#[component]
pub fn When(
    /// When it was.
    at: Ms,
) -> impl IntoView {
    let clock = use_context::<Clock>();
    let words = move || clock.map_or_else(|| at.absolute(), |clock| at.relative(clock.now()));
    view! { <time datetime=at.rfc3339() title=at.absolute()>{words}</time> }
}

/// How long something took, or has taken by now.
#[component]
pub fn Elapsed(
    /// When it began.
    from: Ms,
    /// When it ended, if it has.
    until: Option<Ms>,
) -> impl IntoView {
    let clock = use_context::<Clock>();
    let words = move || match (until, clock) {
        (Some(until), _) => duration(until.since(from)),
        // Tenths of a second would only flicker.
        (None, Some(clock)) => {
            duration(clock.now().since(from) / 1000 * 1000).replace(".0 s", " s")
        }
        (None, None) => String::new(),
    };
    view! { <span class="num">{words}</span> }
}
