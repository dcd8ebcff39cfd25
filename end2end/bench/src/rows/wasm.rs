//! How many bytes the web UI's program is for whoever opens the first page, and what kind of bytes they are. A page
//! names all that it loads; what other pages load besides is only noted.
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use domain::RunId;

use crate::browser::Browser;
use crate::report::{Bar, Line};
use crate::site::Site;

pub async fn measure(site: &Site, files: &Path, run: RunId) -> Result<Vec<Line>> {
    let browser = Browser::of(&site.lab, "lena").await?;
    let first = named(&browser.read("/").await?);
    ensure!(!first.is_empty(), "the first page names no wasm");
    let kb = |bytes: usize| bytes as f64 / 1000.0;
    let (mut raw, mut served, mut packed, mut notes) = (0, 0, true, Vec::new());
    for name in &first {
        let bytes = std::fs::read(files.join("pkg").join(name))
            .with_context(|| format!("{name} is not where the site was built"))?;
        let sent = browser.fetch(&format!("/pkg/{name}")).await?;
        raw += bytes.len();
        served += sent.bytes;
        packed &= sent.encoding == "br";
        let mut sections = sections(&bytes)?;
        sections.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let parts: Vec<String> = sections
            .iter()
            .map(|(name, size)| format!("{name} {:.1} kB", kb(*size)))
            .collect();
        notes.push(format!("{name}: {}", parts.join(", ")));
    }
    let of_run = named(&browser.read(&format!("/runs/{run}")).await?);
    let (mut later, mut with_run) = (0, served);
    for name in program(files)?.difference(&first) {
        let sent = browser.fetch(&format!("/pkg/{name}")).await?.bytes;
        later += sent;
        if of_run.contains(name) {
            with_run += sent;
        }
    }
    ensure!(
        with_run > served,
        "the page of a run names no part of its own"
    );
    notes.push(format!("loaded when it is needed: {:.0} kB", kb(later)));
    let text = format!("{:.0} kB as served, {:.0} kB raw", kb(served), kb(raw));
    let bar = Bar::AtMost(300.0);
    Ok(vec![
        Line::absolute("wasm, as served", kb(served), "kB", text, bar)
            .only_if(
                packed,
                "served without brotli: the site was built without `--precompress`",
            )
            .note(notes.join("; ")),
        Line::plain(
            "wasm, board and then a run",
            format!("{:.0} kB as served", kb(with_run)),
        ),
    ])
}

/// The wasm files that a page names.
fn named(page: &str) -> BTreeSet<String> {
    page.split('"')
        .filter_map(|address| address.strip_prefix("/pkg/"))
        .filter(|name| name.ends_with(".wasm"))
        .map(str::to_owned)
        .collect()
}

/// Every wasm file of the site.
fn program(files: &Path) -> Result<BTreeSet<String>> {
    let folder = files.join("pkg");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("{} is not there", folder.display()))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.ends_with(".wasm")).collect())
}

/// The sections of a wasm file and their sizes in bytes (WebAssembly core specification, §5.5.2).
fn sections(bytes: &[u8]) -> Result<Vec<(String, usize)>> {
    const NAMES: [&str; 13] = [
        "custom",
        "types",
        "imports",
        "functions",
        "tables",
        "memory",
        "globals",
        "exports",
        "start",
        "elements",
        "code",
        "data",
        "data count",
    ];
    ensure!(bytes.starts_with(b"\0asm"), "this is no wasm");
    let (mut sections, mut at) = (Vec::new(), 8);
    while let Some(&id) = bytes.get(at) {
        let (size, length) = number(&bytes[at + 1..]).context("the file is cut short")?;
        let name = NAMES
            .get(usize::from(id))
            .map_or_else(|| format!("section {id}"), |name| (*name).to_owned());
        sections.push((name, size));
        at += 1 + length + size;
    }
    Ok(sections)
}

/// An unsigned LEB128 number, and how many bytes it takes.
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_what_it_loads() {
        let page = r#"<link rel="preload" href="/pkg/fairlead.1a.wasm"><link href="/pkg/fairlead.2b.css"><a href="/pkg/fairlead.1a.wasm">"#;
        assert_eq!(named(page), BTreeSet::from(["fairlead.1a.wasm".to_owned()]));
    }

    #[test]
    fn sections_are_found_with_their_sizes() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        wasm.extend([1, 3, 9, 9, 9]);
        wasm.extend([10, 0x80, 0x01]);
        wasm.extend([0; 128]);
        assert_eq!(
            sections(&wasm).unwrap(),
            [("types".to_owned(), 3), ("code".to_owned(), 128)]
        );
        assert!(sections(b"GIF89a").is_err());
    }
}
