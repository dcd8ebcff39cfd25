//! How many bytes the web UI's program is for whoever opens the first page, and what kind of bytes they are.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::browser::Browser;
use crate::report::{Bar, Line};
use crate::site::Site;

pub async fn measure(site: &Site, files: &Path) -> Result<Vec<Line>> {
    let path = newest(files)?;
    let bytes = std::fs::read(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let browser = Browser::of(&site.lab, "lena").await?;
    let served = browser.fetch(&format!("/pkg/{name}")).await?;
    let kb = |bytes: usize| bytes as f64 / 1000.0;
    let text = format!(
        "{:.0} kB as served, {:.0} kB raw",
        kb(served.bytes),
        kb(bytes.len())
    );
    let mut sections = sections(&bytes)?;
    sections.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let parts: Vec<String> = sections
        .iter()
        .map(|(name, size)| format!("{name} {:.1} kB", kb(*size)))
        .collect();
    Ok(vec![
        Line::absolute(
            "wasm, as served",
            kb(served.bytes),
            "kB",
            text,
            Bar::AtMost(300.0),
        )
        .only_if(
            served.encoding == "br",
            "served without brotli: the site was built without `--precompress`",
        )
        .note(format!("{}: {}", path.display(), parts.join(", "))),
    ])
}

fn newest(files: &Path) -> Result<PathBuf> {
    let folder = files.join("pkg");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("{} is not there", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let newest = files.filter(|path| path.extension().is_some_and(|kind| kind == "wasm"));
    let newest = newest.max_by_key(|path| path.metadata().and_then(|file| file.modified()).ok());
    newest.context("there is no wasm; build it with `cargo leptos build --release --precompress`")
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
