//! What was measured, and the table that is printed at the end. A missed bar is said plainly and fails nothing; what
//! could not be measured fails the bench.
use std::fmt;

/// Some measurements of one thing, in one unit.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// One number of each thing.
    pub fn of<T>(things: &[T], number: impl Fn(&T) -> f64) -> Self {
        let mut samples = Self::default();
        samples.extend(things.iter().map(number));
        samples
    }

    /// Takes one more.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The value below which the share `of` of all samples lies, from 0 to 1; 0 where there is none.
    pub fn percentile(&self, of: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (of * self.0.len() as f64).ceil() as usize;
        self.0
            .get(index.saturating_sub(1).min(last))
            .copied()
            .unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// `1.23 (1.10–1.40) s`.
    pub fn text(&self, unit: &str) -> String {
        let number = |value: f64| {
            if value >= 100.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.2}")
            }
        };
        let (least, most) = (self.percentile(0.0), self.percentile(1.0));
        format!(
            "{} ({}–{}) {unit}",
            number(self.median()),
            number(least),
            number(most)
        )
    }
}

impl Extend<f64> for Samples {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        self.0.extend(values);
        self.0.sort_by(f64::total_cmp);
    }
}

/// What must be reached.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// This much or less.
    AtMost(f64),
    /// This much or more.
    AtLeast(f64),
}

impl Bar {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Bar::AtMost(most) => value <= most,
            Bar::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bar::AtMost(most) => write!(f, "≤ {most}"),
            Bar::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// How a line stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Yes,
    No,
    /// It has none.
    NoBar,
    /// Nothing was measured.
    Failed,
}

impl From<bool> for Met {
    fn from(met: bool) -> Self {
        if met { Met::Yes } else { Met::No }
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    what: String,
    measured: String,
    against: String,
    ratio: String,
    bar: String,
    met: Met,
    notes: Vec<String>,
}

impl Line {
    /// Medians of two things that were measured in turns.
    pub fn ratio(what: &str, unit: &str, measured: &Samples, against: &Samples, bar: Bar) -> Self {
        let ratio = measured.median() / against.median();
        Self {
            what: what.to_owned(),
            measured: measured.text(unit),
            against: against.text(unit),
            ratio: format!("{ratio:.2} ×"),
            bar: format!("{bar} ×"),
            met: bar.is_met_by(ratio).into(),
            notes: Vec::new(),
        }
    }

    /// One number with a bar of its own; `measured` says it with what belongs to it.
    pub fn absolute(what: &str, value: f64, unit: &str, measured: String, bar: Bar) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            against: "-".to_owned(),
            ratio: "-".to_owned(),
            bar: format!("{bar} {unit}"),
            met: bar.is_met_by(value).into(),
            notes: Vec::new(),
        }
    }

    /// A number for people, without a bar.
    pub fn plain(what: &str, measured: String) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            against: "-".to_owned(),
            ratio: "-".to_owned(),
            bar: "-".to_owned(),
            met: Met::NoBar,
            notes: Vec::new(),
        }
    }

    /// Something that did not work at all.
    pub fn failed(what: &str, error: &anyhow::Error) -> Self {
        Self {
            what: what.to_owned(),
            measured: "could not be measured".to_owned(),
            against: "-".to_owned(),
            ratio: "-".to_owned(),
            bar: "-".to_owned(),
            met: Met::Failed,
            notes: vec![format!("{error:#}")],
        }
    }

    /// Whether it is one of those.
    pub fn is_failed(&self) -> bool {
        self.met == Met::Failed
    }

    /// The bar is met only if this holds too; if not, `why` says what is wrong.
    pub fn only_if(mut self, holds: bool, why: impl Into<String>) -> Self {
        if !holds {
            self.met = Met::No;
            self.notes.push(why.into());
        }
        self
    }

    /// Something that the reader should know.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The table, with the notes below it.
pub fn table(lines: &[Line]) -> String {
    let head = ["what", "measured", "against", "ratio", "bar", "met"].map(str::to_owned);
    let cells = lines.iter().map(|line| {
        let met = match line.met {
            Met::Yes => "yes",
            Met::No => "NO",
            Met::NoBar => "-",
            Met::Failed => "FAILED",
        };
        [
            &line.what,
            &line.measured,
            &line.against,
            &line.ratio,
            &line.bar,
            met,
        ]
        .map(ToString::to_string)
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let padded = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    for line in lines {
        for note in &line.notes {
            text.push_str(&format!("\n{}: {note}", line.what));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl IntoIterator<Item = f64>) -> Samples {
        let mut samples = Samples::default();
        samples.extend(values);
        samples
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let hundred = samples((1..=100).rev().map(f64::from));
        assert_eq!(
            [0.5, 0.95, 0.99, 1.0].map(|of| hundred.percentile(of)),
            [50.0, 95.0, 99.0, 100.0]
        );
        assert_eq!(samples([]).median(), 0.0);
        assert_eq!(samples([7.0]).percentile(0.99), 7.0);
    }

    #[test]
    fn a_missed_bar_stands_in_the_table() {
        let slow = Line::ratio(
            "deploy",
            "s",
            &samples([3.0]),
            &samples([4.0]),
            Bar::AtMost(0.5),
        )
        .note("busy machine");
        let text = table(&[slow]);
        assert!(text.contains("0.75 ×  ≤ 0.5 ×  NO"), "{text}");
        assert!(text.ends_with("deploy: busy machine"), "{text}");
    }

    #[test]
    fn a_number_below_its_bar_is_not_enough_when_lines_were_lost() {
        let line = || Line::absolute("live", 10.0, "ms", "10 ms".into(), Bar::AtMost(150.0));
        let text = |lost: usize| table(&[line().only_if(lost == 0, format!("{lost} lines lost"))]);
        assert!(text(0).trim_end().ends_with("≤ 150 ms  yes"), "{}", text(0));
        assert!(
            text(3).contains("≤ 150 ms  NO") && text(3).ends_with("live: 3 lines lost"),
            "{}",
            text(3)
        );
    }
}
