use std::time::Duration;

use crate::moment::after;

/// Circuit breaker of one endpoint. Moments are microseconds since the Unix epoch.
///
/// Closed, it lets everything through and counts failures in a row. At `threshold` it opens for `base`;
/// then one probe decides: success closes it, failure opens it for twice as long, up to `max`.
/// A throttling receiver is waited for without that being a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    threshold: u32,
    base: Duration,
    max: Duration,
    throttled_until: i64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    /// `opens` counts the times since it was last closed, from 1.
    Open {
        until: i64,
        opens: u32,
    },
    HalfOpen {
        opens: u32,
    },
}

/// Whether a request may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Yes,
    /// One request, to be announced with [`Breaker::probe_sent`].
    Probe,
    /// Not before `until`; `i64::MAX` while a probe is out, for only its outcome decides.
    No {
        until: i64,
    },
}

/// A change that is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    Opened,
    Closed,
}

impl Breaker {
    pub const THRESHOLD: u32 = 10;
    pub const BASE: Duration = Duration::from_secs(5);
    pub const MAX: Duration = Duration::from_secs(600);

    /// Closed. A `threshold` of 0 counts as 1; `max` below `base` counts as `base`.
    pub fn new(threshold: u32, base: Duration, max: Duration) -> Breaker {
        Breaker {
            threshold: threshold.max(1),
            base,
            max: max.max(base),
            throttled_until: i64::MIN,
            state: State::Closed { failures: 0 },
        }
    }

    pub fn allows(&self, now: i64) -> Gate {
        match self.state {
            State::Closed { .. } if now < self.throttled_until => Gate::No { until: self.throttled_until },
            State::Closed { .. } => Gate::Yes,
            State::Open { until, .. } if now < until => Gate::No { until },
            State::Open { .. } => Gate::Probe,
            State::HalfOpen { .. } => Gate::No { until: i64::MAX },
        }
    }

    /// After [`Gate::Probe`], when the request has left.
    pub fn probe_sent(&mut self) {
        if let State::Open { opens, .. } = self.state {
            self.state = State::HalfOpen { opens };
        }
    }

    /// The probe could not be made into a request, for a reason of its own: the next one may probe at once.
    pub fn probe_withdrawn(&mut self, now: i64) {
        if let State::HalfOpen { opens } = self.state {
            self.state = State::Open { until: now, opens };
        }
    }

    /// Also of a request that left before the breaker opened: a receiver that answers is back.
    pub fn on_success(&mut self) -> Option<Transition> {
        let was_closed = matches!(self.state, State::Closed { .. });
        self.state = State::Closed { failures: 0 };
        (!was_closed).then_some(Transition::Closed)
    }

    /// `now` is the moment the failure became known. Of requests that left before the breaker opened nothing
    /// new is learnt while it is open; while a probe is out, a late failure is taken for the probe's.
    pub fn on_failure(&mut self, now: i64) -> Option<Transition> {
        match self.state {
            State::Closed { failures } if failures + 1 < self.threshold => {
                self.state = State::Closed { failures: failures + 1 };
                None
            }
            State::Closed { .. } => {
                self.open(now, 1);
                Some(Transition::Opened)
            }
            State::HalfOpen { opens } => {
                self.open(now, opens.saturating_add(1));
                None
            }
            State::Open { .. } => None,
        }
    }

    /// The receiver asked to wait. No failure: it neither opens the breaker nor lengthens the next opening.
    pub fn on_throttle(&mut self, now: i64, wait: Duration) {
        let asked = after(now, wait);
        match &mut self.state {
            State::Closed { .. } => self.throttled_until = self.throttled_until.max(asked),
            State::Open { until, .. } => *until = asked.max(*until),
            State::HalfOpen { opens } => self.state = State::Open { until: asked, opens: *opens },
        }
    }

    /// When the open breaker will ask for a probe; `None` while it is closed or a probe is out.
    pub fn open_until(&self) -> Option<i64> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// Failures in a row, while it is closed.
    pub fn failures(&self) -> u32 {
        match self.state {
            State::Closed { failures } => failures,
            State::Open { .. } | State::HalfOpen { .. } => self.threshold,
        }
    }

    fn open(&mut self, now: i64, opens: u32) {
        let factor = 1_u32.checked_shl(opens - 1).unwrap_or(u32::MAX);
        let wait = self.base.saturating_mul(factor).min(self.max);
        self.state = State::Open { until: after(now, wait).max(self.throttled_until), opens };
    }
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker::new(Self::THRESHOLD, Self::BASE, Self::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    fn opened(threshold: u32) -> Breaker {
        let mut breaker = Breaker::new(threshold, Breaker::BASE, Breaker::MAX);
        for _ in 1..threshold {
            assert_eq!(breaker.on_failure(0), None);
        }
        assert_eq!(breaker.on_failure(0), Some(Transition::Opened));
        breaker
    }

    #[test]
    fn opens_at_the_threshold_and_probes_with_one_request() {
        let mut breaker = opened(10);
        assert_eq!(breaker.allows(0), Gate::No { until: 5 * SECOND });
        assert_eq!(breaker.open_until(), Some(5 * SECOND));
        assert_eq!(breaker.allows(5 * SECOND), Gate::Probe);
        breaker.probe_sent();
        assert_eq!(breaker.allows(6 * SECOND), Gate::No { until: i64::MAX });
        assert_eq!(breaker.open_until(), None);
        assert_eq!(breaker.on_success(), Some(Transition::Closed));
        assert_eq!(breaker.allows(6 * SECOND), Gate::Yes);
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let mut breaker = Breaker::new(2, Breaker::BASE, Breaker::MAX);
        assert_eq!(breaker.on_failure(0), None);
        assert_eq!(breaker.on_success(), None);
        assert_eq!(breaker.on_failure(0), None);
        assert_eq!(breaker.on_failure(0), Some(Transition::Opened));
    }

    #[test]
    fn failed_probes_double_the_wait_up_to_the_maximum() {
        let mut breaker = opened(1);
        let mut now = 5 * SECOND;
        for wait in [10, 20, 40, 80, 160, 320, 600, 600, 600] {
            assert_eq!(breaker.allows(now), Gate::Probe);
            breaker.probe_sent();
            assert_eq!(breaker.on_failure(now), None);
            now += wait * SECOND;
            assert_eq!(breaker.open_until(), Some(now));
        }
    }

    #[test]
    fn a_probe_that_was_none_leaves_its_place_to_the_next() {
        let mut breaker = opened(1);
        breaker.probe_withdrawn(SECOND);
        assert_eq!(breaker.open_until(), Some(5 * SECOND), "no probe was out");
        breaker.probe_sent();
        breaker.probe_withdrawn(5 * SECOND);
        assert_eq!(breaker.allows(5 * SECOND), Gate::Probe);
        breaker.probe_sent();
        assert_eq!(breaker.on_failure(5 * SECOND), None);
        assert_eq!(breaker.open_until(), Some(15 * SECOND), "it still was the first probe");
    }

    #[test]
    fn a_late_failure_does_not_prolong_the_wait() {
        let mut breaker = opened(1);
        assert_eq!(breaker.on_failure(4 * SECOND), None);
        assert_eq!(breaker.open_until(), Some(5 * SECOND));
    }

    #[test]
    fn throttling_waits_without_opening() {
        let mut breaker = Breaker::default();
        breaker.on_throttle(0, Duration::from_secs(30));
        breaker.on_throttle(0, Duration::from_secs(3));
        assert_eq!(breaker.allows(0), Gate::No { until: 30 * SECOND });
        assert_eq!(breaker.open_until(), None);
        assert_eq!(breaker.allows(30 * SECOND), Gate::Yes);
    }

    #[test]
    fn a_throttled_probe_waits_as_asked_and_is_no_failure() {
        let mut breaker = opened(1);
        breaker.probe_sent();
        breaker.on_throttle(10 * SECOND, Duration::from_secs(2));
        assert_eq!(breaker.open_until(), Some(12 * SECOND));
        breaker.probe_sent();
        breaker.on_failure(12 * SECOND);
        assert_eq!(breaker.open_until(), Some(22 * SECOND));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u32),
        Send,
        Success,
        Failure,
        Throttle(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u32..700_000_000).prop_map(Step::Wait),
            Just(Step::Send),
            Just(Step::Success),
            Just(Step::Failure),
            (0_u32..1000).prop_map(Step::Throttle),
        ]
    }

    proptest! {
        /// Announced openings and closings alternate, no refusal lies in the past, and one never waits for ever.
        #[test]
        fn holds_its_promises(threshold in 0_u32..4, steps in prop::collection::vec(step(), 0..200)) {
            let mut breaker = Breaker::new(threshold, Breaker::BASE, Breaker::MAX);
            let mut now = 0;
            let mut open = false;
            let mut probe = false;
            for step in steps {
                let transition = match step {
                    Step::Wait(micros) => { now += i64::from(micros); None }
                    Step::Send => {
                        if breaker.allows(now) == Gate::Probe {
                            prop_assert!(open && !probe);
                            breaker.probe_sent();
                            probe = true;
                        }
                        None
                    }
                    Step::Success => { probe = false; breaker.on_success() }
                    Step::Failure => { probe = false; breaker.on_failure(now) }
                    Step::Throttle(seconds) => {
                        probe = false;
                        breaker.on_throttle(now, Duration::from_secs(seconds.into()));
                        None
                    }
                };
                match transition {
                    Some(Transition::Opened) => { prop_assert!(!open); open = true; }
                    Some(Transition::Closed) => { prop_assert!(open); open = false; }
                    None => {}
                }
                match breaker.allows(now) {
                    Gate::Yes => prop_assert!(!open),
                    Gate::Probe => prop_assert!(open && !probe),
                    Gate::No { until: i64::MAX } => prop_assert!(probe),
                    Gate::No { until } => {
                        prop_assert!(until > now);
                        let refused = matches!(breaker.allows(until), Gate::No { .. });
                        prop_assert!(!refused);
                    }
                }
            }
        }

        #[test]
        fn any_moment_is_survived(now: i64, wait: u64, failures in 0_u32..200) {
            let mut breaker = Breaker::new(1, Duration::MAX, Duration::MAX);
            for _ in 0..failures {
                breaker.on_failure(now);
                breaker.probe_sent();
            }
            breaker.on_throttle(now, Duration::from_secs(wait));
            breaker.allows(now);
        }
    }
}
