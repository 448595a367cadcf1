//! Moments as people and programs read them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment as `2026-11-22 19:00:32.847Z`, in UTC; in the alternate form (`{:#}`) as RFC 3339 has
/// it, to the microsecond: `2026-11-22T19:00:32.847123Z`.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since: Duration = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (year, month, day) = civil(since.as_secs() / 86_400);
        let second = since.as_secs() % 86_400;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let between = if f.alternate() { 'T' } else { ' ' };
        write!(f, "{year}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}.")?;
        match f.alternate() {
            true => write!(f, "{:06}Z", since.subsec_micros()),
            false => write!(f, "{:03}Z", since.subsec_millis()),
        }
    }
}

/// The date of a day counted from 1970-01-01 (H. Hinnant, "chrono-compatible low-level date
/// algorithms"): years begin in March, so that the leap day is the last.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_dates() {
        let at = |second| Timestamp(UNIX_EPOCH + Duration::from_millis(second)).to_string();
        assert_eq!(at(0), "1970-01-01 00:00:00.000Z");
        assert_eq!(at(951_782_400_000), "2000-02-29 00:00:00.000Z");
        assert_eq!(at(1_795_374_032_847), "2026-11-22 19:00:32.847Z");
        assert_eq!(at(4_107_542_399_999), "2100-02-28 23:59:59.999Z");
        let precise = Timestamp(UNIX_EPOCH + Duration::from_micros(1_795_374_032_847_123));
        assert_eq!(format!("{precise:#}"), "2026-11-22T19:00:32.847123Z");
    }
}
