//! Rules about lines as such.
use super::super::found::Found;
use super::super::source::Source;

const LONGEST: usize = 80;
const BLANK: usize = 2;

pub(super) fn check(source: &Source<'_>, found: &mut Vec<Found>) {
    let lines: Vec<(usize, &str, bool)> = source.lines().collect();
    for (start, line, _) in &lines {
        let trimmed = line.trim_end_matches([' ', '\t', '\u{b}', '\u{c}']);
        if trimmed.len() < line.len() {
            let mark = source.at(start + trimmed.len());
            found.push(Found::error(mark, "trailing-spaces", "trailing spaces"));
        }
        let length = line.chars().count();
        if length > LONGEST && can_be_broken(line) {
            let end = line.char_indices().nth(LONGEST).map_or(0, |(at, _)| at);
            let message = format!("line too long ({length} > {LONGEST} characters)");
            found.push(Found::error(source.at(start + end), "line-length", message));
        }
    }
    if let Some((start, line, false)) = lines.last() {
        found.push(Found::error(
            source.at(start + line.len()),
            "new-line-at-end-of-file",
            "no new line character at the end of file",
        ));
    }
    if let Some((start, line, true)) = lines.first()
        && source.text[start + line.len()..].starts_with('\r')
    {
        let message = "wrong new line character: expected \\n, found \\r\\n";
        let mark = source.at(start + line.len());
        found.push(Found::error(mark, "new-lines", message));
    }
    blank_lines(source, &lines, found);
}

/// Whether there is a blank behind the indentation and the first mark: a long address alone on its line may stay.
fn can_be_broken(line: &str) -> bool {
    let content = line.trim_start_matches(' ');
    let content = match content.trim_start_matches('#') {
        // A comment: what follows its signs and one blank.
        rest if rest.len() < content.len() => rest.get(1..).unwrap_or(""),
        _ => content.strip_prefix("- ").unwrap_or(content),
    };
    content.contains(' ')
}

fn blank_lines(source: &Source<'_>, lines: &[(usize, &str, bool)], found: &mut Vec<Found>) {
    let mut blank = 0;
    for (index, (start, line, ended)) in lines.iter().enumerate() {
        if !line.is_empty() || !ended {
            blank = 0;
            continue;
        }
        blank += 1;
        let last = index + 1 == lines.len();
        if !last && lines[index + 1].1.is_empty() && lines[index + 1].2 {
            continue;
        }
        let limit = if last || blank == index + 1 { 0 } else { BLANK };
        if blank > limit && lines.len() > 1 {
            let message = format!("too many blank lines ({blank} > {limit})");
            found.push(Found::error(source.at(*start), "empty-lines", message));
        }
    }
}
