//! ANSI escape sequences as classes: 16 colours by name, 256 and true colour as red, green and blue in sixteen steps
//! each, since inline styles are not allowed. What is no colour (cursor moves, titles, other controls) is dropped.

/// A stretch of text with one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text, free of control characters but tabs.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// How a stretch of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    front: Colour,
    back: Colour,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    reverse: bool,
    strike: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Colour {
    #[default]
    Plain,
    /// One of the sixteen that have names.
    Named(u8),
    Rgb([u8; 3]),
}

impl Style {
    /// The classes, parted by spaces; style/log.css has them.
    pub fn class(self) -> String {
        let mut classes: Vec<String> = Vec::new();
        // Of letters and ground that change places the new ground is what catches the eye; its letters are made to be
        // readable on it.
        let (front, back) = match self.reverse {
            true => (Colour::Plain, self.front),
            false => (self.front, self.back),
        };
        if self.reverse && back == Colour::Plain {
            classes.push("av".to_owned());
        }
        match front {
            Colour::Plain => {}
            Colour::Named(n) => classes.push(format!("a{n}")),
            Colour::Rgb([r, g, b]) => {
                classes.push(format!("ax r{} g{} b{}", r / 17, g / 17, b / 17))
            }
        }
        match back {
            Colour::Plain => {}
            Colour::Named(n) => classes.push(format!("h{n}")),
            Colour::Rgb([r, g, b]) => {
                classes.push(format!("hx hr{} hg{} hb{}", r / 17, g / 17, b / 17))
            }
        }
        let flags = [
            (self.bold, "ab"),
            (self.dim, "ad"),
            (self.italic, "ai"),
            (self.underline, "au"),
            (self.strike, "as"),
        ];
        classes.extend(
            flags
                .into_iter()
                .filter(|(on, _)| *on)
                .map(|(_, class)| class.to_owned()),
        );
        classes.join(" ")
    }

    /// Applies the numbers of a “select graphic rendition” sequence.
    fn select(&mut self, numbers: &[u16]) {
        let mut rest = numbers;
        while let [number, after @ ..] = rest {
            rest = after;
            match *number {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.reverse = true,
                9 => self.strike = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                29 => self.strike = false,
                n @ 30..=37 => self.front = Colour::Named((n - 30) as u8),
                n @ 40..=47 => self.back = Colour::Named((n - 40) as u8),
                n @ 90..=97 => self.front = Colour::Named((n - 90 + 8) as u8),
                n @ 100..=107 => self.back = Colour::Named((n - 100 + 8) as u8),
                39 => self.front = Colour::Plain,
                49 => self.back = Colour::Plain,
                38 => self.front = extended(&mut rest).unwrap_or(self.front),
                48 => self.back = extended(&mut rest).unwrap_or(self.back),
                _ => {}
            }
        }
    }
}

/// What follows 38 or 48: `5;n` or `2;r;g;b`.
fn extended(rest: &mut &[u16]) -> Option<Colour> {
    match **rest {
        [5, n, ref after @ ..] => {
            *rest = after;
            Some(of_palette(u8::try_from(n).ok()?))
        }
        [2, r, g, b, ref after @ ..] => {
            *rest = after;
            let channel = |value: u16| value.min(255) as u8;
            Some(Colour::Rgb([channel(r), channel(g), channel(b)]))
        }
        _ => {
            *rest = &[];
            None
        }
    }
}

/// The palette of 256: the sixteen, a cube of 6 × 6 × 6, and 24 greys.
fn of_palette(n: u8) -> Colour {
    let step = |level: u8| if level == 0 { 0 } else { 55 + 40 * level };
    match n {
        0..=15 => Colour::Named(n),
        16..=231 => Colour::Rgb([
            step((n - 16) / 36),
            step((n - 16) / 6 % 6),
            step((n - 16) % 6),
        ]),
        232..=255 => Colour::Rgb([8 + 10 * (n - 232); 3]),
    }
}

/// Parts a line into stretches of one look each.
pub fn spans(line: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut text, mut style) = (String::new(), Style::default());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => {
                    let mut inside = String::new();
                    let end = loop {
                        match chars.next() {
                            Some(c @ '\u{40}'..='\u{7e}') => break Some(c),
                            Some(c) => inside.push(c),
                            None => break None,
                        }
                    };
                    if end == Some('m') {
                        let mut next = style;
                        next.select(&numbers(&inside));
                        if next != style && !text.is_empty() {
                            spans.push(Span {
                                text: std::mem::take(&mut text),
                                style,
                            });
                        }
                        style = next;
                    }
                }
                // A title or a link: up to BEL, or to ESC and a backslash.
                Some(']') => loop {
                    match chars.next() {
                        Some('\u{7}') | None => break,
                        Some('\u{1b}') => {
                            chars.next_if_eq(&'\\');
                            break;
                        }
                        Some(_) => {}
                    }
                },
                // A character set: one more character belongs to it.
                Some('(' | ')') => {
                    chars.next();
                }
                _ => {}
            },
            '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        spans.push(Span { text, style });
    }
    spans
}

/// `1;38:5:9` as numbers; an empty one is 0, and what is none becomes one that means nothing.
fn numbers(text: &str) -> Vec<u16> {
    text.split([';', ':'])
        .map(|n| {
            if n.is_empty() {
                0
            } else {
                n.parse().unwrap_or(u16::MAX)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(line: &str) -> Vec<(String, String)> {
        spans(line)
            .into_iter()
            .map(|span| (span.text, span.style.class()))
            .collect()
    }

    fn look(line: &str) -> String {
        looks(line)
            .into_iter()
            .map(|(text, class)| format!("{text}<{class}>"))
            .collect()
    }

    #[test]
    fn colours_become_classes() {
        for (line, expected) in [
            ("plain", "plain<>"),
            ("\x1b[31mred\x1b[0m not", "red<a1> not<>"),
            ("\x1b[1;92mbright\x1b[22;39m off", "bright<a10 ab> off<>"),
            ("\x1b[44mback\x1b[49m", "back<h4>"),
            ("\x1b[38;5;9mnamed", "named<a9>"),
            ("\x1b[38;5;196mcube", "cube<ax r15 g0 b0>"),
            ("\x1b[48;5;255mgrey", "grey<hx hr14 hg14 hb14>"),
            (
                "\x1b[38;2;255;128;0mtrue\x1b[3;4m both",
                "true<ax r15 g7 b0> both<ax r15 g7 b0 ai au>",
            ),
            ("\x1b[2mdim\x1b[m end", "dim<ad> end<>"),
            ("\x1b[7mturned\x1b[27m back", "turned<av> back<>"),
            ("\x1b[7;31;44mturned", "turned<h1>"),
            ("\x1b[4;9mgone\x1b[29m left", "gone<au as> left<au>"),
        ] {
            assert_eq!(look(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_colour_is_dropped() {
        for (line, expected) in [
            ("\x1b[2K\x1b[1Gerased", "erased<>"),
            ("\x1b]0;title\x07after", "after<>"),
            ("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link<>"),
            ("\x1b(Bset", "set<>"),
            ("bell\x07 nul\0 tab\t.", "bell nul tab\t.<>"),
        ] {
            assert_eq!(look(line), expected, "{line:?}");
        }
    }

    #[test]
    fn sequences_that_are_cut_or_nonsense_do_no_harm() {
        for line in [
            "\x1b",
            "\x1b[",
            "\x1b[38",
            "\x1b[38;5",
            "\x1b[38;5m",
            "\x1b[38;2;1m",
            "\x1b]0;",
            "\x1b[999999;;m",
        ] {
            assert_eq!(looks(line), [], "{line:?}");
        }
        assert_eq!(look("\x1b[38;5;999mx"), "x<>");
    }

    #[test]
    fn the_same_look_is_one_stretch() {
        assert_eq!(look("\x1b[31ma\x1b[31mb"), "ab<a1>");
    }
}
