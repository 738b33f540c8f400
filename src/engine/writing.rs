//! What came back, written: all of it in one transaction, or, where that can never succeed, each delivery by itself.

use std::collections::BTreeMap;

use pgrx::spi::SpiResult;

use super::clock;
use super::desk::Desk;
use super::outcomes::{Outcomes, Settled};
use super::transaction::{Failure, FailureKind, Session, transaction};
use super::verbs::{self, Attempt, Dead};

/// Keys of which nothing waits any more.
type Free = Vec<(i64, String)>;

impl Desk {
    /// What fails for now is kept, and nobody was told.
    pub fn write(&mut self) -> Result<(), Failure> {
        let outcomes = std::mem::take(&mut self.outcomes);
        match transaction(|session| record(session, &outcomes)) {
            Ok(free) => {
                self.endpoints.values_mut().for_each(|endpoint| endpoint.unrecorded = 0);
                self.tell(outcomes, free);
                Ok(())
            }
            Err(failure) if failure.kind == FailureKind::Lasting => {
                self.fail(&failure);
                self.write_apart(outcomes)
            }
            Err(failure) => {
                self.outcomes = outcomes;
                Err(failure)
            }
        }
    }

    /// One that can never be written is told apart from the rest: it becomes a dead letter.
    fn write_apart(&mut self, outcomes: Outcomes) -> Result<(), Failure> {
        let mut result = Ok(());
        for part in outcomes.parts() {
            match transaction(|session| record(session, &part)) {
                Ok(free) => self.tell(part, free),
                Err(failure) if failure.kind == FailureKind::Lasting => self.bury(part, &failure),
                Err(failure) => {
                    self.outcomes.absorb(part);
                    result = Err(failure);
                }
            }
        }
        if result.is_ok() {
            self.endpoints.values_mut().for_each(|endpoint| endpoint.unrecorded = 0);
        }
        result
    }

    /// The shortest that can be said of a delivery: that it cannot be recorded, and why.
    fn bury(&mut self, part: Outcomes, failure: &Failure) {
        let reason = format!("what came of it cannot be recorded: {}", failure.message);
        let dead: Vec<Dead> = part
            .settled
            .iter()
            .map(|Settled { delivery, .. }| {
                let mut delivery = delivery.clone();
                delivery.endpoint = delivery.endpoint.max(0);
                Dead { attempts: delivery.attempts + 1, delivery, reason: reason.clone() }
            })
            .collect();
        let attempts: Vec<Attempt> = dead
            .iter()
            .map(|dead| Attempt {
                event: dead.delivery.event.id,
                endpoint: dead.delivery.endpoint,
                number: dead.attempts,
                started_at: clock::real(),
                error: Some("unwritable".into()),
                detail: Some(reason.clone()),
                ..Attempt::default()
            })
            .collect();
        let done: Vec<(i64, i64)> = dead.iter().map(|dead| (dead.delivery.event.id, dead.delivery.endpoint)).collect();
        let buried = transaction(|session| {
            verbs::attempts(session, &attempts)?;
            verbs::done(session, &done)?;
            verbs::dead(session, &dead)
        });
        for dead in &dead {
            let (event, endpoint) = (dead.delivery.event.id, dead.delivery.endpoint);
            self.complain_once(&format!("the delivery of event {event} to endpoint {endpoint}: {reason}"));
        }
        if let Err(failure) = buried {
            self.complain_once(&format!("nor as a dead letter: {}", failure.message));
        }
        self.tell(part, Vec::new());
    }
}

fn record(session: &mut Session, outcomes: &Outcomes) -> SpiResult<Free> {
    verbs::attempts(session, &outcomes.attempts)?;
    verbs::done(session, &outcomes.done)?;
    verbs::retry(session, &outcomes.again)?;
    verbs::dead(session, &outcomes.dead)?;
    let mut free = Vec::new();
    for (endpoint, key) in &outcomes.released {
        if !verbs::release(session, *endpoint, key)? {
            free.push((*endpoint, key.clone()));
        }
    }
    for (id, (failures, since, open)) in &outcomes.health {
        verbs::health(session, *id, *failures, *since, *open)?;
    }
    for (id, reason) in &outcomes.disabled {
        verbs::disable(session, *id, reason)?;
    }
    for (id, kind, details) in &outcomes.reports {
        verbs::report(session, *id, kind, details)?;
    }
    Ok(free)
}

impl Outcomes {
    /// Each delivery by itself, then each of what is said of endpoints.
    fn parts(self) -> Vec<Outcomes> {
        let mut deliveries: BTreeMap<(i64, i64), Outcomes> = BTreeMap::new();
        for one in self.attempts {
            deliveries.entry((one.event, one.endpoint)).or_default().attempts.push(one);
        }
        for one in self.done {
            deliveries.entry(one).or_default().done.push(one);
        }
        for one in self.again {
            deliveries.entry(one.delivery.pair()).or_default().again.push(one);
        }
        for one in self.dead {
            deliveries.entry(one.delivery.pair()).or_default().dead.push(one);
        }
        for one in self.settled {
            deliveries.entry(one.delivery.pair()).or_default().settled.push(one);
        }
        let released = self.released.into_iter().map(|one| Outcomes { released: vec![one], ..Outcomes::default() });
        let health =
            self.health.into_iter().map(|one| Outcomes { health: [one].into_iter().collect(), ..Outcomes::default() });
        let disabled = self.disabled.into_iter().map(|one| Outcomes { disabled: vec![one], ..Outcomes::default() });
        let reports = self.reports.into_iter().map(|one| Outcomes { reports: vec![one], ..Outcomes::default() });
        let of_deliveries: Vec<Outcomes> = deliveries.into_values().collect();
        of_deliveries.into_iter().chain(released).chain(health).chain(disabled).chain(reports).collect()
    }

    /// Puts back what could not be written yet.
    fn absorb(&mut self, part: Outcomes) {
        self.attempts.extend(part.attempts);
        self.done.extend(part.done);
        self.again.extend(part.again);
        self.dead.extend(part.dead);
        self.settled.extend(part.settled);
        self.released.extend(part.released);
        self.health.extend(part.health);
        self.disabled.extend(part.disabled);
        self.reports.extend(part.reports);
    }
}
