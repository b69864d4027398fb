//! Lengths of time as documents say them: `3 days`, `1 year 6 months`. Postgres reads them as intervals.

use std::fmt;

/// From the longest.
const UNITS: [&str; 7] = ["year", "month", "week", "day", "hour", "minute", "second"];

/// The most of one unit: more than the time that Postgres knows would be an error of its own.
const MOST: u32 = 100_000;

/// How many there are of each unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration([u32; UNITS.len()]);

pub(crate) const EXPECTED: &str = "must be a length of time such as \"3 days\" or \"1 year 6 months\": whole numbers, each of \
                                   seconds, minutes, hours, days, weeks, months or years";

impl Duration {
    /// Each unit at most once, and not nothing.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut counts = [0; UNITS.len()];
        let mut words = text.split_ascii_whitespace();
        while let Some(number) = words.next() {
            let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
            let number =
                number.parse::<u32>().ok().filter(|n| is_plain && (1..=MOST).contains(n))?;
            let word = words.next()?;
            let unit = UNITS.iter().position(|unit| {
                word.strip_prefix(unit).is_some_and(|rest| rest.is_empty() || rest == "s")
            })?;
            if std::mem::replace(&mut counts[unit], number) != 0 {
                return None;
            }
        }
        counts.iter().any(|count| *count > 0).then_some(Self(counts))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.iter().zip(UNITS).filter(|(count, _)| **count > 0);
        for (at, (count, unit)) in parts.enumerate() {
            let space = if at > 0 { " " } else { "" };
            let plural = if *count == 1 { "" } else { "s" };
            write!(f, "{space}{count} {unit}{plural}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each_length() {
        for (text, printed) in [
            ("1 year", "1 year"),
            ("6 months 1 year", "1 year 6 months"),
            ("1 days", "1 day"),
            ("  3   day ", "3 days"),
            ("2 weeks 1 second", "2 weeks 1 second"),
        ] {
            let read = Duration::read(text).unwrap();
            assert_eq!(read.to_string(), printed);
            assert_eq!(Duration::read(printed), Some(read));
        }
        for text in [
            "",
            " ",
            "3",
            "days",
            "0 days",
            "-1 day",
            "+1 day",
            "1.5 days",
            "1 day 2 days",
            "1 fortnight",
            "1e3 days",
            "4294967297 days",
            "1 dayss",
            "1day",
            "P1D",
            "1 day ago",
            "infinity",
            "1 day'; --",
        ] {
            assert_eq!(Duration::read(text), None, "{text}");
        }
    }
}
