//! Points in time and how people read them. UTC throughout; there is no clock here.
use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ms(pub i64);

impl Ms {
    /// Milliseconds from `earlier` to `self`; never negative, since clocks of two machines may disagree.
    pub fn since(self, earlier: Ms) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// `2026-11-23 18:53:07 UTC`.
    pub fn absolute(self) -> String {
        match self.civil() {
            Some(t) => format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            None => format!("{} ms since 1970", self.0),
        }
    }

    /// RFC 3339 with milliseconds: `2026-11-23T18:53:07.120Z`.
    pub fn rfc3339(self) -> String {
        match self.civil() {
            Some(t) => format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second(),
                t.millisecond()
            ),
            None => format!("{} ms since 1970", self.0),
        }
    }

    /// `18:53:07.120`, as in the margin of a log.
    pub fn time_of_day(self) -> String {
        let ms = self.0.rem_euclid(86_400_000);
        let (s, ms) = (ms / 1000, ms % 1000);
        format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }

    /// `just now`, `5 min ago`, `3 h ago`, `2 days ago`, then the date.
    pub fn relative(self, now: Ms) -> String {
        let s = now.since(self) / 1000;
        match s {
            0..=9 => "just now".into(),
            10..=59 => format!("{s} s ago"),
            60..=3599 => format!("{} min ago", s / 60),
            3600..=86_399 => format!("{} h ago", s / 3600),
            86_400..=172_799 => "yesterday".into(),
            172_800..=2_591_999 => format!("{} days ago", s / 86_400),
            _ => self.absolute()[..10].to_owned(),
        }
    }

    fn civil(self) -> Option<time::OffsetDateTime> {
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }
}

/// How long something took, as people read it: `0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`.
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    match ms {
        0..=9_949 => format!("{:.1} s", ms as f64 / 1000.0),
        9_950..=59_499 => format!("{} s", (ms + 500) / 1000),
        _ => {
            let s = (ms + 500) / 1000;
            if s < 3600 {
                format!("{} min {:02} s", s / 60, s % 60)
            } else {
                format!("{} h {:02} min", s / 3600, s / 60 % 60)
            }
        }
    }
}

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let now = Ms(1_795_460_000_000);
        for (ago_s, words) in [
            (0, "just now"),
            (-5, "just now"),
            (30, "30 s ago"),
            (61, "1 min ago"),
            (7200, "2 h ago"),
            (90_000, "yesterday"),
            (260_000, "3 days ago"),
            (3_000_000, "2026-10-20"),
        ] {
            assert_eq!(Ms(now.0 - ago_s * 1000).relative(now), words);
        }
        assert_eq!(Ms(0).absolute(), "1970-01-01 00:00:00 UTC");
        assert_eq!(Ms(1_120).rfc3339(), "1970-01-01T00:00:01.120Z");
        assert_eq!(Ms(-1).time_of_day(), "23:59:59.999");
        assert_eq!(
            Ms(i64::MAX).absolute(),
            format!("{} ms since 1970", i64::MAX)
        );
    }

    #[test]
    fn durations_never_round_to_sixty_seconds() {
        for (ms, words) in [
            (0, "0.0 s"),
            (420, "0.4 s"),
            (9_940, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 min 00 s"),
            (185_000, "3 min 05 s"),
            (3_720_000, "1 h 02 min"),
            (-5, "0.0 s"),
        ] {
            assert_eq!(duration(ms), words, "{ms} ms");
        }
    }
}
