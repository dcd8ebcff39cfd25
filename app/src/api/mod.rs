//! The server functions: each asks who is calling, makes one call of the portal, and is done. They live under `/ui`;
//! `/api` is the interface for programs.
pub mod board;
pub mod logs;
pub mod releases;
pub mod runs;
pub mod session;
pub mod settings;

use leptos::server_fn::codec::Post;
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How a server function answers.
pub type Answer = Post<JsonText>;

/// JSON that the browser reads as a text, as it does with what a page brings along and what the websockets send.
/// The framework's own codec reads bytes, and each type's reader would be in the browser's program twice.
pub struct JsonText;

impl ContentType for JsonText {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for JsonText {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonText {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonText {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
    }
}
