//! Workflow files: what yamllint and GitHub would refuse in them, found without running either.
//!
//! Pure: texts go in, findings come out. The YAML is read by a parser that tells places and bounds nesting; a file's
//! size, the length of its lines and what its aliases expand to are bounded here, so that no file can take more than a
//! moment.
mod found;
mod github;
mod source;
mod style;
mod yaml;

use domain::report::{Finding, Level};

use found::Found;
use source::Source;
use style::Directives;

/// The most bytes that a file may have. GitHub takes no larger ones either.
pub const LARGEST: usize = 512 * 1024;
/// A line that is longer was not written by hand.
const LONGEST_LINE: usize = 64 * 1024;
/// Most findings of one file that are told one by one.
const MOST: usize = 100;

/// A file of the workflows' folder.
#[derive(Debug, Clone)]
pub struct WorkflowFile {
    /// Relative to the repository.
    pub path: String,
    /// It stands in a folder of that folder, where GitHub does not look: it is YAML, but no workflow.
    pub below: bool,
    /// As it was committed.
    pub content: Vec<u8>,
}

/// Whether a file of the workflows' folder is one that is looked at.
pub fn is_yaml(path: &str) -> bool {
    path.ends_with(".yml") || path.ends_with(".yaml")
}

/// Everything that is wrong with these files, in the order of the files and their lines.
pub fn lint(files: &[WorkflowFile]) -> Vec<Finding> {
    let workflows = files.iter().filter(|file| !file.below);
    let paths: Vec<&str> = workflows.map(|file| file.path.as_str()).collect();
    let mut findings = Vec::new();
    for file in files {
        let mut found = in_file(file, &paths);
        found.sort_by(|a, b| (a.mark, a.rule, &a.message).cmp(&(b.mark, b.rule, &b.message)));
        // What an alias repeats is found at each of its places.
        found.dedup();
        findings.extend(shortened(found).into_iter().map(|found| Finding {
            file: file.path.clone(),
            line: found.mark.line,
            column: found.mark.column,
            rule: found.rule.to_owned(),
            level: found.level,
            message: found.message,
        }));
    }
    findings
}

fn in_file(file: &WorkflowFile, paths: &[&str]) -> Vec<Found> {
    if let Err(refused) = readable(&file.content) {
        return vec![refused];
    }
    let text = String::from_utf8_lossy(&file.content);
    let source = Source::new(&text);
    let mut found = Vec::new();
    let root = yaml::read(&source, &mut found);
    let unique = found.is_empty();
    let tokens = style::tokens(&source);
    found.extend(style::check(&source, &tokens, root.as_deref().ok()));
    let directives = Directives::read(&source, &tokens);
    found.retain(|found| directives.allow(found));
    match root {
        Ok(_) if file.below => {}
        Ok(root) => {
            let refused = github::check(&source, &root, paths);
            if refused.is_empty() && unique {
                found.extend(github::last_look(&root));
            }
            found.extend(refused);
        }
        Err(error) => found.push(error),
    }
    found
}

/// Refuses what no person wrote, before anything looks at it.
fn readable(content: &[u8]) -> Result<(), Found> {
    let refused = |at: usize, rule, message| {
        let text = String::from_utf8_lossy(content.get(..at.min(LARGEST)).unwrap_or(content));
        let source = Source::new(&text);
        Err(Found::error(source.at(text.len()), rule, message))
    };
    if content.len() > LARGEST {
        let message = format!("the file is larger than {LARGEST} bytes, which is the limit");
        return refused(0, "limits", message);
    }
    if let Err(error) = std::str::from_utf8(content) {
        let message = "the file is not UTF-8 from here on".to_owned();
        return refused(error.valid_up_to(), "syntax", message);
    }
    let mut at = 0;
    for line in content.split(|byte| *byte == b'\n') {
        if line.len() > LONGEST_LINE {
            let message = format!(
                "the line has {} bytes; {LONGEST_LINE} are the limit",
                line.len()
            );
            return refused(at, "limits", message);
        }
        at += line.len() + 1;
    }
    Ok(())
}

/// The errors first to be kept, and a last line that says how many there were besides.
fn shortened(mut found: Vec<Found>) -> Vec<Found> {
    let more = found.len().saturating_sub(MOST);
    if more > 0 {
        let mut kept = found.clone();
        kept.sort_by_key(|found| (found.level, found.mark));
        let last = kept.drain(MOST..).next();
        let level = last.as_ref().map_or(Level::Warning, |found| found.level);
        kept.sort_by_key(|found| found.mark);
        if let Some(last) = last {
            let message = format!("{more} more findings in this file are not told");
            kept.push(Found {
                level,
                message,
                rule: "limits",
                ..last
            });
        }
        found = kept;
    }
    found
}
