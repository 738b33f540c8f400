//! How a receiver does: its circuit breaker, and since when it fails.

use retry::{Breaker, Gate, Transition};

use crate::now::{Now, SECOND};
use crate::plan::Plan;

/// An endpoint that fails for so long is disabled.
const GIVE_UP: i64 = 5 * 86_400 * SECOND;

#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) breaker: Breaker,
    failing_since: Option<i64>,
    /// endpoint.failing was emitted and endpoint.recovered not yet.
    reported: bool,
}

/// What a success changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Better {
    /// The breaker lets everything through again.
    pub(crate) closed: bool,
    /// It failed before: the table is told.
    pub(crate) changed: bool,
    /// It was reported as failing since then.
    pub(crate) recovered: Option<i64>,
}

/// What a failure changed.
#[derive(Debug, PartialEq)]
pub(crate) struct Worse {
    pub(crate) since: i64,
    pub(crate) failures: i32,
    pub(crate) open_until: Option<i64>,
    /// It is to be reported.
    pub(crate) report: bool,
    /// For so long that it is to be disabled.
    pub(crate) hopeless: bool,
}

impl Health {
    pub(crate) fn new(plan: &Plan) -> Health {
        let failing = plan.failing_since.is_some() && plan.failures >= Breaker::THRESHOLD as i32;
        Health { breaker: breaker(), failing_since: plan.failing_since, reported: failing }
    }

    /// New settings: what went wrong with the old ones does not matter once it is active again.
    pub(crate) fn change(&mut self, old: &Plan, new: &Plan) {
        if new.active && (!old.active || new.failing_since.is_none()) {
            *self = Health { breaker: breaker(), failing_since: new.failing_since, reported: false };
        }
    }

    pub(crate) fn is_open(&self, clock: i64) -> bool {
        !matches!(self.breaker.allows(clock), Gate::No { .. })
    }

    pub(crate) fn succeeded(&mut self) -> Better {
        let closed = self.breaker.on_success() == Some(Transition::Closed);
        let Some(since) = self.failing_since.take() else { return Better { closed, ..Better::default() } };
        let reported = std::mem::take(&mut self.reported);
        Better { closed, changed: true, recovered: reported.then_some(since) }
    }

    pub(crate) fn failed(&mut self, now: Now, throttled: bool) -> Worse {
        let opened = if throttled { None } else { self.breaker.on_failure(now.clock) };
        let since = *self.failing_since.get_or_insert(now.clock);
        Worse {
            since,
            failures: self.breaker.failures() as i32,
            open_until: self.breaker.open_until(),
            report: opened == Some(Transition::Opened) && !std::mem::replace(&mut self.reported, true),
            hopeless: now.clock.saturating_sub(since) > GIVE_UP,
        }
    }
}

/// Ten failures in a row, then nothing but a probe: after 5 s, then twice as long each time, to 10 minutes.
fn breaker() -> Breaker {
    Breaker::new(Breaker::THRESHOLD, Breaker::BASE, Breaker::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn at(clock: i64) -> Now {
        Now { clock, steady: Instant::now() }
    }

    #[test]
    fn ten_failures_are_reported_once_and_so_is_the_recovery() {
        let mut health = Health::new(&Plan::host());
        let reports: Vec<bool> = (1..=12).map(|second| health.failed(at(second * SECOND), false).report).collect();
        assert_eq!(reports.iter().position(|report| *report), Some(9));
        assert_eq!(reports.iter().filter(|report| **report).count(), 1);
        assert!(!health.is_open(12 * SECOND));
        assert_eq!(health.succeeded(), Better { closed: true, changed: true, recovered: Some(SECOND) });
        assert_eq!(health.succeeded(), Better::default());
    }

    #[test]
    fn a_busy_receiver_is_no_failing_one() {
        let mut health = Health::new(&Plan::host());
        (0..20).for_each(|_| assert!(!health.failed(at(0), true).report));
        assert_eq!(health.succeeded(), Better { closed: false, changed: true, recovered: None });
    }

    #[test]
    fn five_days_of_failures_are_hopeless() {
        let mut health = Health::new(&Plan::host());
        assert!(!health.failed(at(0), false).hopeless);
        assert!(!health.failed(at(GIVE_UP), false).hopeless);
        assert!(health.failed(at(GIVE_UP + 1), false).hopeless);
    }

    #[test]
    fn an_endpoint_that_is_made_active_begins_anew() {
        let paused = Plan { active: false, ..Plan::host() };
        let mut health = Health::new(&paused);
        (0..10).for_each(|_| {
            health.failed(at(0), false);
        });
        health.change(&paused, &Plan { failing_since: Some(0), ..Plan::host() });
        assert!(health.is_open(0));
    }
}
