//! Which lines of a log are in sight, and where they are put.
//!
//! A line of the log (counted from 0, with a fraction) is the *anchor*: at scroll fraction `t` the anchor is
//! `t × total`, and it stands at `t` of the visible height. For lines of equal height that is the same as ordinary
//! scrolling; it stays right where the scroll bar is shorter than the lines would need (browsers limit an element's
//! height) and where wrapped lines are of unequal height.

/// The height of a line that is not wrapped, in CSS pixels; `--log-line` in style/log.css is the same.
pub const LINE_PX: f64 = 20.0;

/// Firefox ends at 17.9 million pixels, and beyond 2^24 positions are no longer exact to the pixel.
const TALLEST_PX: f64 = 15_000_000.0;

/// Lines above and below what is in sight that are kept ready.
const MARGIN: i64 = 20;

/// What is seen of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// How many lines the log has.
    pub total: i64,
    /// The height of the visible part.
    pub view_px: f64,
    /// How far it is scrolled.
    pub scroll_px: f64,
}

impl Window {
    /// The height to scroll through.
    pub fn height_px(&self) -> f64 {
        (self.total as f64 * LINE_PX).min(TALLEST_PX)
    }

    /// How far it is scrolled, from 0 to 1.
    fn fraction(&self) -> f64 {
        let way = self.height_px() - self.view_px;
        if way <= 0.0 {
            0.0
        } else {
            (self.scroll_px / way).clamp(0.0, 1.0)
        }
    }

    /// How many lines fit into sight.
    fn fitting(&self) -> f64 {
        self.view_px / LINE_PX
    }

    /// The anchor: its line's number, how much of it lies above the anchor's point (0 to 1), and that point's distance
    /// from the top of the visible part in pixels.
    pub fn anchor(&self) -> (i64, f64, f64) {
        let fraction = self.fraction();
        let at = fraction * self.total as f64;
        let line = (at.floor() as i64).min(self.total - 1).max(0);
        (line + 1, at - line as f64, fraction * self.view_px)
    }

    /// The first and last line to render.
    pub fn lines(&self) -> (i64, i64) {
        let fraction = self.fraction();
        let top = fraction * self.total as f64 - fraction * self.fitting();
        let first = top.floor() as i64 + 1 - MARGIN;
        let last = (top + self.fitting()).ceil() as i64 + MARGIN;
        (first.max(1), last.min(self.total))
    }

    /// Where the block of lines that begins with `first` is put, from the top of the scrolled height, when no line is
    /// wrapped.
    pub fn block_px(&self, first: i64) -> f64 {
        let (line, inside, below_top) = self.anchor();
        self.scroll_px + below_top - ((line - first) as f64 + inside) * LINE_PX
    }

    /// How far to scroll so that `line` stands a third below the top.
    pub fn scroll_to(&self, line: i64) -> f64 {
        let way = (self.height_px() - self.view_px).max(0.0);
        let hidden = self.total as f64 - self.fitting();
        if hidden <= 0.0 {
            return 0.0;
        }
        let top = ((line - 1) as f64 - self.fitting() / 3.0).clamp(0.0, hidden);
        top / hidden * way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(total: i64, scroll_px: f64) -> Window {
        Window {
            total,
            view_px: 600.0,
            scroll_px,
        }
    }

    #[test]
    fn lines_of_equal_height_scroll_as_usual() {
        let seen = window(10_000, 4_000.0);
        assert_eq!(seen.lines(), (201 - MARGIN, 230 + MARGIN));
        assert!((seen.block_px(201) - 4_000.0).abs() < 0.01);
        assert!((seen.block_px(181) - 3_600.0).abs() < 0.01);
    }

    #[test]
    fn both_ends_can_be_reached_whatever_the_length() {
        for total in [1, 29, 30, 31, 5_000, 1_000_000, 50_000_000] {
            let top = window(total, 0.0);
            assert_eq!(top.lines().0, 1, "{total}");
            assert!(top.block_px(1).abs() < 0.01, "{total}");
            let end = window(total, (top.height_px() - 600.0).max(0.0));
            let (first, last) = end.lines();
            assert_eq!(last, total);
            let bottom = end.block_px(first) + (last - first + 1) as f64 * LINE_PX;
            assert!(
                bottom <= end.scroll_px + 600.0 + 0.5,
                "the last of {total} lines ends in sight"
            );
        }
    }

    #[test]
    fn a_line_that_was_jumped_to_is_in_sight() {
        for total in [100, 10_000, 1_000_000, 50_000_000] {
            for line in [1, 2, total / 3, total - 1, total] {
                let there = window(total, window(total, 0.0).scroll_to(line));
                let y = there.block_px(line) - there.scroll_px;
                assert!(
                    (-0.5..=580.5).contains(&y),
                    "line {line} of {total} stands at {y}"
                );
            }
        }
    }

    #[test]
    fn a_log_of_a_million_lines_is_not_taller_than_browsers_bear() {
        assert!(window(1_000_000, 0.0).height_px() <= TALLEST_PX);
        let (first, last) = window(1_000_000, 7_000_000.0).lines();
        assert!(last - first < 100, "only what is in sight is rendered");
    }

    #[test]
    fn an_empty_log_has_no_lines() {
        let (first, last) = window(0, 0.0).lines();
        assert!(first > last);
    }
}
