//! The pages. Each loads what it shows, on the server for the first one, and lays it out with `parts`.

/// A page whose code the browser loads when it is first opened: `$page` for the router, laid out by the component `$body`.
macro_rules! lazy_page {
    ($page:ident, $body:ident) => {
        /// The page.
        #[derive(Debug)]
        pub struct $page;

        #[leptos_router::lazy_route]
        impl leptos_router::LazyRoute for $page {
            fn data() -> Self {
                Self
            }

            fn view(_page: Self) -> AnyView {
                view! { <$body/> }.into_any()
            }
        }
    };
}

pub mod board;
pub mod deploy;
pub mod not_found;
pub mod release;
pub mod run;
pub mod runs;
pub mod settings;
pub mod sign_in;
