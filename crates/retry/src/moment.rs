use std::time::Duration;

/// `moment` and `wait` later, both in microseconds; the end of time when that overflows.
pub fn after(moment: i64, wait: Duration) -> i64 {
    moment.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}
