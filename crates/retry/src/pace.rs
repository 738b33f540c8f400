//! How often the log is looked at while much is written. A look costs as much as delivering some twenty events, and what is
//! delivered together costs less, so that looking again at once would leave the inserting sessions half the machine.

use std::time::{Duration, Instant};

/// Events that make a look worth its while.
const WORTH: f64 = 256.0;
/// Nobody waits longer for others than this.
const LONGEST: Duration = Duration::from_millis(25);
/// The rate is that of so long a time.
const MEMORY: f64 = 0.05;

#[derive(Debug)]
pub struct Pace {
    looked_at: Instant,
    found: usize,
    /// Events per second.
    rate: f64,
}

impl Pace {
    pub fn new(now: Instant) -> Pace {
        Pace { looked_at: now, found: 0, rate: 0.0 }
    }

    pub fn found(&mut self, events: usize) {
        self.found += events;
    }

    pub fn look(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.looked_at).as_secs_f64().max(1e-6);
        let weight = 1.0 - (-seconds / MEMORY).exp();
        self.rate += weight * (self.found as f64 / seconds - self.rate);
        self.looked_at = now;
        self.found = 0;
    }

    /// For how long nothing should be looked at. Zero where few events come, or so many that a look pays at once.
    pub fn rest(&self, now: Instant) -> Duration {
        let worth = Duration::from_secs_f64((WORTH / self.rate.max(1.0)).min(1.0));
        if worth > LONGEST * 4 || worth < Duration::from_millis(1) {
            return Duration::ZERO;
        }
        worth.min(LONGEST).saturating_sub(now.saturating_duration_since(self.looked_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rests as often as a steady stream of events would have it; returns looks per second in the end.
    fn looks(events_per_second: f64) -> f64 {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let (mut now, mut looks, mut pending) = (start, 0, 0.0);
        while now < start + Duration::from_secs(2) {
            let step = pace.rest(now).max(Duration::from_micros(200));
            now += step;
            pending += events_per_second * step.as_secs_f64();
            let found = pending.floor();
            pending -= found;
            pace.look(now);
            pace.found(found as usize);
            looks += 1;
        }
        f64::from(looks) / 2.0
    }

    #[test]
    fn it_rests_where_much_but_not_everything_comes() {
        assert!(looks(200.0) > 4000.0);
        assert!((35.0..100.0).contains(&looks(11_000.0)), "{}", looks(11_000.0));
        assert!(looks(1_000_000.0) > 4000.0);
    }

    #[test]
    fn what_comes_alone_is_not_kept_waiting() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for n in 1..100 {
            let now = start + Duration::from_millis(5 * n);
            assert_eq!(pace.rest(now), Duration::ZERO);
            pace.look(now);
            pace.found(1);
            pace.look(now + Duration::from_micros(300));
        }
    }
}
