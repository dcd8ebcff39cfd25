//! What the lab says about itself.

/// `target/lab/lab.json`.
pub fn lab() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/lab/lab.json");
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(error) => panic!("the lab is not running ({path}: {error}); start it with `make lab`"),
    }
}

/// A text in it, by its path such as `/github/token`.
pub fn text(lab: &serde_json::Value, pointer: &str) -> String {
    let found = lab.pointer(pointer).and_then(|value| value.as_str());
    found
        .unwrap_or_else(|| panic!("lab.json has no {pointer}"))
        .to_owned()
}
