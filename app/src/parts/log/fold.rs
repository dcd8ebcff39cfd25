//! A line as a terminal would leave it on the screen, and no longer than a page can bear.

/// Lines longer than this many characters are cut until somebody asks for the rest.
pub const LONGEST: usize = 2_000;

/// The last thing that was written over a progress line: what stands after the last `\r` that has something after it.
pub fn last_segment(line: &str) -> &str {
    line.trim_end_matches('\r')
        .rsplit('\r')
        .next()
        .unwrap_or(line)
}

/// The first [`LONGEST`] characters and how many there are, where there are more.
pub fn cut(text: &str) -> Option<(&str, usize)> {
    let (end, _) = text.char_indices().nth(LONGEST)?;
    Some((&text[..end], text.chars().count()))
}

/// A number as people read it: `1,234,567`.
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 {
        String::from("-")
    } else {
        String::new()
    };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_state_of_a_progress_line_is_shown() {
        for (line, shown) in [
            ("plain", "plain"),
            ("10%\r50%\r100%", "100%"),
            ("100%\r", "100%"),
            ("\r\n".trim_end_matches('\n'), ""),
            ("a\r\r", "a"),
            ("", ""),
        ] {
            assert_eq!(last_segment(line), shown, "{line:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("short"), None);
        assert_eq!(cut(&"é".repeat(LONGEST)), None);
        let long = "é".repeat(LONGEST + 1);
        let (text, all) = cut(&long).unwrap();
        assert_eq!((text.chars().count(), all), (LONGEST, LONGEST + 1));
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (-1_000, "-1,000"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
