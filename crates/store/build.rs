//! `sqlx::migrate!` notices changed files by itself, but not new ones.
fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
