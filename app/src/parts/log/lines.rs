//! The lines of a log that the page holds at the moment: some pages of it, those near to what is looked at.
use std::collections::BTreeMap;

use domain::log::LogLine;

use crate::api::logs::PAGE;

/// How many pages are kept: 20,000 lines, a few megabytes.
const KEPT: usize = 40;

/// The lines that the page holds. Each page of them is there from its first line on, without gaps.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    pages: BTreeMap<i64, Vec<LogLine>>,
    total: i64,
}

impl Lines {
    /// How many lines the whole log has, as far as is known.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// The line with this number, if it is here.
    pub fn get(&self, n: i64) -> Option<&LogLine> {
        let page = self.pages.get(&page_of(n))?;
        page.get(usize::try_from((n - 1) % PAGE).ok()?)
    }

    /// Takes lines in order. One that would leave a gap in its page is left out; [`Lines::missing`] will name it.
    pub fn put(&mut self, lines: Vec<LogLine>, total: i64) {
        self.total = self.total.max(total);
        for line in lines {
            self.total = self.total.max(line.n);
            let page = self.pages.entry(page_of(line.n)).or_default();
            if i64::try_from(page.len()).is_ok_and(|here| here == (line.n - 1) % PAGE) {
                page.push(line);
            }
        }
        self.pages.retain(|_, page| !page.is_empty());
    }

    /// The line after which to fetch, where one between `first` and `last` is not here.
    pub fn missing(&self, first: i64, last: i64) -> Option<i64> {
        let last = last.min(self.total);
        (page_of(first)..=page_of(last)).find_map(|page| {
            let here = self.pages.get(&page).map_or(0, Vec::len);
            let after = page * PAGE + i64::try_from(here).unwrap_or(PAGE);
            (after < last.min((page + 1) * PAGE)).then_some(after)
        })
    }

    /// Forgets pages that are far from line `n`, where there are too many.
    pub fn trim(&mut self, n: i64) {
        let near = page_of(n);
        while self.pages.len() > KEPT {
            let far = self
                .pages
                .keys()
                .copied()
                .max_by_key(|page| (page - near).abs());
            if let Some(far) = far {
                self.pages.remove(&far);
            }
        }
    }
}

fn page_of(n: i64) -> i64 {
    (n - 1).max(0) / PAGE
}

#[cfg(test)]
mod tests {
    use domain::Ms;
    use domain::log::Stream;

    use super::*;

    fn some(numbers: std::ops::RangeInclusive<i64>) -> Vec<LogLine> {
        numbers
            .map(|n| LogLine {
                n,
                at: Ms(n),
                stream: Stream::Out,
                text: format!("line {n}"),
            })
            .collect()
    }

    #[test]
    fn lines_are_found_by_their_number() {
        let mut lines = Lines::default();
        lines.put(some(1..=700), 700);
        assert_eq!(lines.get(500).unwrap().text, "line 500");
        assert_eq!(lines.get(501).unwrap().text, "line 501");
        assert_eq!(lines.get(701), None);
        assert_eq!(lines.missing(1, 700), None);
    }

    #[test]
    fn what_is_not_here_is_named() {
        let mut lines = Lines::default();
        lines.put(some(1..=500), 1_000_000);
        assert_eq!(lines.missing(1, 40), None);
        assert_eq!(lines.missing(480, 530), Some(500));
        assert_eq!(lines.missing(700_010, 700_050), Some(700_000));
        lines.put(some(700_001..=700_500), 1_000_000);
        assert_eq!(lines.missing(700_010, 700_050), None);
    }

    #[test]
    fn lines_that_arrive_live_join_those_that_are_here() {
        let mut lines = Lines::default();
        lines.put(some(1..=3), 3);
        lines.put(some(3..=5), 5);
        assert_eq!((lines.get(5).unwrap().n, lines.total()), (5, 5));
    }

    #[test]
    fn a_line_after_a_gap_waits_until_the_gap_is_fetched() {
        let mut lines = Lines::default();
        lines.put(some(1..=3), 1_234);
        lines.put(some(1_235..=1_236), 0);
        assert_eq!((lines.get(1_235), lines.total()), (None, 1_236));
        assert_eq!(lines.missing(1_230, 1_236), Some(1_000));
        lines.put(some(1_001..=1_236), 1_236);
        assert_eq!(lines.missing(1_001, 1_236), None);
    }

    #[test]
    fn pages_far_from_what_is_looked_at_are_forgotten() {
        let mut lines = Lines::default();
        lines.put(some(1..=50 * PAGE), 50 * PAGE);
        lines.trim(25_000);
        assert_eq!(lines.pages.len(), KEPT);
        assert_eq!(lines.get(1), None);
        assert!(lines.get(25_000).is_some());
    }
}
