//! Times of day, as cron lines of five fields in UTC.

use chrono::DateTime;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// A cron line.
#[derive(Debug, Clone)]
pub(crate) struct Schedule(Cron);

impl Schedule {
    /// Reads a line; answers what is wrong with it otherwise.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        if line.len() > 256 || line.split_whitespace().count() != 5 {
            return Err("must be a cron line of five fields: minute, hour, day, month, weekday".to_owned());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let schedule = Self(parser.parse(line).map_err(|error| format!("is no cron line: {error}"))?);
        // A day that never comes, such as 30 February, is found here and not at the first look.
        match schedule.after(0) {
            Some(_) => Ok(schedule),
            None => Err("names a time that never comes".to_owned()),
        }
    }

    /// The first of its times behind a moment, both in milliseconds since 1970.
    pub(crate) fn after(&self, now_ms: i64) -> Option<i64> {
        let now = DateTime::from_timestamp_millis(now_ms)?.naive_utc();
        let next = self.0.find_next_occurrence(&now, false).ok()?;
        Some(next.and_utc().timestamp_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn times_are_of_utc_and_never_now() {
        let daily = Schedule::parse("30 4 * * *").unwrap();
        let first = (4 * 60 + 30) * 60_000;
        assert_eq!(daily.after(0), Some(first));
        assert_eq!(daily.after(first), Some(first + DAY));
        assert_eq!(daily.after(first - 1), Some(first));
        assert_eq!(Schedule::parse("*/15 * * * MON-FRI").unwrap().after(0), Some(900_000), "1970 began on a Thursday");
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in ["", "* * * *", "0 * * * * *", "61 * * * *", "@daily", "a b c d e", "0 0 30 2 *"] {
            assert!(Schedule::parse(line).is_err(), "{line}");
        }
    }
}
