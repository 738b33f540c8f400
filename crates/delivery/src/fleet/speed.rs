//! How fast a receiver answers, and so how much may stand ready for it.

use std::time::{Duration, Instant};

use crate::now::Now;

/// The span of time that one look at the log, and the writing of what came back, take at the most when there is much to do.
const AHEAD: Duration = Duration::from_millis(10);
/// A receiver that has not answered for so long gets nothing ahead, and what it had is called back.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Speed {
    /// Since when `answers` are counted.
    since: Instant,
    answers: usize,
    /// How many there were in the span before.
    before: usize,
}

impl Speed {
    pub(crate) fn new(now: Now) -> Speed {
        Speed { since: now.steady, answers: 0, before: 0 }
    }

    /// The receiver took one.
    pub(crate) fn answered(&mut self, now: Now) {
        let elapsed = now.since(self.since);
        if elapsed >= AHEAD {
            self.before = if elapsed < 2 * AHEAD { self.answers } else { 0 };
            self.answers = 0;
            self.since = now.steady;
        }
        self.answers += 1;
    }

    /// How many more than may be in flight are handed to the network, which then never waits for us: what the receiver takes in
    /// a moment. None for one that has become slow.
    pub(crate) fn ahead(&self, now: Now) -> usize {
        if now.since(self.since) < 2 * AHEAD { self.answers.max(self.before) } else { 0 }
    }

    pub(crate) fn is_silent(&self, now: Now) -> bool {
        now.since(self.since) >= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_ahead_as_the_receiver_takes_in_a_moment() {
        let start = Now { clock: 0, steady: Instant::now() };
        let at = |millis| Now { clock: 0, steady: start.steady + Duration::from_millis(millis) };
        let mut speed = Speed::new(start);
        assert_eq!(speed.ahead(start), 0);
        (0..50).for_each(|n| speed.answered(at(n / 5)));
        assert_eq!(speed.ahead(at(10)), 50);
        speed.answered(at(11));
        assert_eq!(speed.ahead(at(12)), 50, "as many as in the span before");
        assert_eq!(speed.ahead(at(40)), 0, "it has become slow");
        assert!(!speed.is_silent(at(900)) && speed.is_silent(at(1100)));
    }
}
