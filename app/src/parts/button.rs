//! Buttons that say why they cannot be pressed.
use domain::view::Offer;
use leptos::prelude::*;

/// The reason beside a button that is out of reach, as text for everyone and not only on hover.
#[component]
pub fn Why(
    /// What `aria-describedby` of the button names.
    id: String,
    /// Whether it can be pressed.
    offer: Offer,
) -> impl IntoView {
    match offer {
        Offer::Ready => None,
        Offer::Refused { why } => Some(view! { <p class="why" id=id>{why}</p> }),
    }
}

/// Whether it can be pressed.
pub fn ready(offer: &Offer) -> bool {
    *offer == Offer::Ready
}
