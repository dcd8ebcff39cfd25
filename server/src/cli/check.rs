//! `fairlead check`: reads manifests without a portal, for editors, hooks and CI.
use std::io::Write;
use std::path::PathBuf;

use domain::manifest::Manifest;

use super::Failure;

/// Prints every problem of every file, and one line for each file without any.
pub(super) fn check(files: &[PathBuf], out: &mut dyn Write) -> Result<(), Failure> {
    let mut found = 0;
    for file in files {
        let name = file.display();
        let text = std::fs::read(file).map_err(|error| {
            Failure::Usage(format!(
                "{name} cannot be read: {error}; give the path of a manifest"
            ))
        })?;
        let Ok(text) = String::from_utf8(text) else {
            writeln!(out, "{name}:1:1: is not UTF-8 text; save it as UTF-8")?;
            found += 1;
            continue;
        };
        match Manifest::parse(&text) {
            Ok(manifest) => writeln!(
                out,
                "{name}: well: project {}, {}, {}",
                manifest.name,
                counted(manifest.components.len(), "component"),
                counted(manifest.environments.len(), "environment"),
            )?,
            Err(problems) => {
                found += problems.len();
                for problem in problems {
                    writeln!(out, "{name}:{problem}")?;
                }
            }
        }
    }
    match found {
        0 => Ok(()),
        found => Err(Failure::Problems(format!(
            "{} found",
            counted(found, "problem")
        ))),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
