//! Time as an argument.

use std::time::{Duration, Instant};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Seconds from 1970 to 2000.
pub const UNIX_EPOCH_SECONDS: i64 = 946_684_800;

/// This moment, twice: as people count it, and as a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Time of day in microseconds since 2000-01-01 UTC. It may jump, in either direction.
    pub clock: i64,
    /// Never goes back.
    pub steady: Instant,
}

impl Now {
    /// How long ago a steady moment was.
    pub(crate) fn since(&self, then: Instant) -> Duration {
        self.steady.saturating_duration_since(then)
    }

    /// How long until the time of day is `moment`.
    pub(crate) fn until(&self, moment: i64) -> Duration {
        Duration::from_micros(moment.saturating_sub(self.clock).max(0) as u64)
    }
}
