//! From what came back to what is written: attempts, retries, dead letters, the endpoints' health.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use courier::{FailureKind, Receipt, Response};
use retry::{Transition, Verdict, judge};
use serde_json::json;

use super::clock::{self, SECOND};
use super::desk::Desk;
use super::direct;
use super::dispatch::Unsendable;
use super::endpoint::Endpoint;
use super::event::{Delivery, Origin};
use super::outcomes::{Outcomes, Settled};
use super::readable;
use super::transaction::Failure;
use super::verbs::{Again, Attempt, Dead};

use std::sync::atomic::Ordering::SeqCst;

/// An endpoint that fails for so long is disabled.
const GIVE_UP: i64 = 5 * 86_400 * SECOND;
/// A receiver that says it has too much is left alone for at least this long.
const THROTTLE: Duration = Duration::from_secs(1);

impl Desk {
    /// Takes what came back.
    pub fn collect(&mut self) {
        let mut receipts = Vec::new();
        self.courier.drain(&mut receipts);
        for receipt in receipts {
            let recalled = matches!(&receipt.result, Err(failure) if failure.kind == FailureKind::Recalled);
            match self.in_flight.remove(&receipt.id) {
                Some(delivery) if recalled => self.take_back(delivery),
                Some(delivery) => self.judge_receipt(delivery, receipt),
                None => {}
            }
        }
    }

    fn judge_receipt(&mut self, delivery: Delivery, receipt: Receipt) {
        let mut attempt = Attempt {
            event: delivery.event.id,
            endpoint: delivery.endpoint.max(0),
            number: delivery.attempts + 1,
            started_at: clock::from_system(receipt.started_at),
            duration_ms: receipt.duration.as_secs_f32() * 1000.0,
            address: receipt.address.map(|address| address.to_string()),
            ..Attempt::default()
        };
        match receipt.result {
            Ok(mut response) => {
                self.hide_secrets(&delivery, &mut response);
                attempt.status = Some(response.status as i16);
                attempt.response = Some(readable(&response.body[..response.body.len().min(4096)]));
                let verdict = judge(response.status);
                attempt.succeeded = verdict == Verdict::Success;
                if !attempt.succeeded {
                    attempt.error = Some("status".into());
                    attempt.detail = Some(format!("the receiver answered {}", response.status));
                }
                let wait =
                    response.retry_after.as_deref().and_then(|value| retry::retry_after(value, SystemTime::now()));
                let direct = delivery.endpoint <= 0;
                let is_final = direct && direct::is_final(response.status);
                let last_word = verdict == Verdict::Failure && self.is_last_word(&delivery, &response);
                if direct {
                    keep_whole(&mut attempt, response);
                }
                match verdict {
                    Verdict::Success => self.delivered(delivery, attempt),
                    _ if is_final => self.answered(delivery, attempt),
                    _ if last_word => self.refused(delivery, attempt),
                    Verdict::Gone => self.gone(delivery, attempt),
                    Verdict::Throttled => self.throttled(delivery, attempt, wait),
                    Verdict::Failure => self.failed(delivery, attempt, wait),
                }
            }
            Err(failure) => {
                attempt.error = Some(failure.kind.as_str().into());
                attempt.detail = Some(readable(failure.detail.as_bytes()));
                self.failed(delivery, attempt, None);
            }
        }
    }

    pub fn judge_unsendable(&mut self, delivery: Delivery, unsendable: Unsendable) {
        let attempt = Attempt {
            event: delivery.event.id,
            endpoint: delivery.endpoint.max(0),
            number: delivery.attempts + 1,
            started_at: clock::real(),
            error: Some(unsendable.error.into()),
            detail: Some(readable(unsendable.detail.as_bytes())),
            ..Attempt::default()
        };
        if unsendable.hopeless {
            self.leave_slot(&delivery);
            if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint) {
                // It may have been chosen as the probe; nothing was learnt of the receiver.
                endpoint.breaker.probe_withdrawn(clock::now());
            }
            let reason = reason(&attempt);
            self.outcomes.attempts.push(attempt);
            self.give_up(delivery, reason);
        } else {
            self.failed(delivery, attempt, None);
        }
    }

    fn leave_slot(&mut self, delivery: &Delivery) {
        if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint) {
            endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
            endpoint.unrecorded += 1;
        }
    }

    fn delivered(&mut self, delivery: Delivery, attempt: Attempt) {
        self.slot.delivered.fetch_add(1, SeqCst);
        self.leave_slot(&delivery);
        if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint)
            && delivery.endpoint > 0
        {
            endpoint.answered();
            let closed = endpoint.breaker.on_success() == Some(Transition::Closed);
            if closed {
                self.next_due = i64::MIN;
            }
            if let Some(since) = endpoint.failing_since.take() {
                self.outcomes.health.insert(delivery.endpoint, (0, None, None));
                if std::mem::take(&mut endpoint.reported) {
                    self.outcomes.reports.push((
                        delivery.endpoint,
                        "endpoint.recovered",
                        json!({ "failing_since": clock::rfc3339(since) }),
                    ));
                }
            }
        }
        self.outcomes.attempts.push(attempt);
        self.over(delivery);
    }

    /// A direct request has its answer, though not 2xx.
    fn answered(&mut self, delivery: Delivery, attempt: Attempt) {
        self.slot.failed.fetch_add(1, SeqCst);
        self.leave_slot(&delivery);
        self.outcomes.attempts.push(attempt);
        self.over(delivery);
    }

    /// Does the endpoint's policy take this answer for the last, tries left or not?
    fn is_last_word(&self, delivery: &Delivery, response: &Response) -> bool {
        let endpoint = self.endpoints.get(&delivery.endpoint).filter(|_| delivery.endpoint > 0);
        endpoint.is_some_and(|endpoint| endpoint.settings.policy.is_final(response.status, &readable(&response.body)))
    }

    /// An answer that another attempt would not change.
    fn refused(&mut self, delivery: Delivery, attempt: Attempt) {
        self.slot.failed.fetch_add(1, SeqCst);
        self.leave_slot(&delivery);
        let why = format!("{}; final by the retry policy", reason(&attempt));
        self.worsen(delivery.endpoint, clock::now(), false, &why);
        self.outcomes.attempts.push(attempt);
        self.give_up(delivery, why);
    }

    pub fn over(&mut self, delivery: Delivery) {
        if delivery.origin == Origin::Retry {
            self.outcomes.done.push((delivery.event.id, delivery.endpoint.max(0)));
            self.release_key(&delivery);
        }
        self.outcomes.settled.push(Settled { delivery, over: true });
    }

    fn release_key(&mut self, delivery: &Delivery) {
        if let Some(endpoint) = self.endpoints.get(&delivery.endpoint)
            && endpoint.settings.ordered
            && let Some(key) = delivery.event.turn()
        {
            self.outcomes.released.push((delivery.endpoint, key.into_owned()));
        }
    }

    fn gone(&mut self, delivery: Delivery, attempt: Attempt) {
        self.disable(delivery.endpoint, "the receiver answered 410 Gone");
        self.failed(delivery, attempt, None);
    }

    fn disable(&mut self, id: i64, reason: &str) {
        if id > 0 && !self.outcomes.disabled.iter().any(|(disabled, _)| *disabled == id) {
            self.outcomes.disabled.push((id, reason.to_owned()));
            self.outcomes.reports.push((id, "endpoint.disabled", json!({ "reason": reason })));
        }
    }

    fn throttled(&mut self, delivery: Delivery, attempt: Attempt, wait: Option<Duration>) {
        let now = clock::now();
        if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint) {
            endpoint.breaker.on_throttle(now, wait.unwrap_or_default().max(THROTTLE));
        }
        self.failed(delivery, attempt, wait);
    }

    fn failed(&mut self, delivery: Delivery, attempt: Attempt, wait: Option<Duration>) {
        let now = clock::now();
        self.slot.failed.fetch_add(1, SeqCst);
        self.leave_slot(&delivery);
        let throttled = attempt.status.is_some_and(|status| judge(status as u16) == Verdict::Throttled);
        let why = reason(&attempt);
        if delivery.endpoint > 0 {
            self.worsen(delivery.endpoint, now, throttled, &why);
        }
        let jitter = self.jitter();
        let attempts = attempt.number;
        let delay = self
            .endpoints
            .get(&delivery.endpoint)
            .and_then(|endpoint| endpoint.settings.policy.delay(attempts as u32, jitter));
        self.outcomes.attempts.push(attempt);
        match delay {
            Some(delay) => {
                let due_at = now.saturating_add(delay.max(wait.unwrap_or_default()).as_micros() as i64);
                self.try_again(delivery, attempts, due_at, why);
            }
            // It was removed meanwhile.
            None if !self.endpoints.contains_key(&delivery.endpoint) => self.over(delivery),
            None => self.give_up(Delivery { attempts: attempts - 1, ..delivery }, why),
        }
    }

    /// One more failure of an endpoint.
    fn worsen(&mut self, id: i64, now: i64, throttled: bool, why: &str) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        let opened = if throttled { None } else { endpoint.breaker.on_failure(now) };
        let since = *endpoint.failing_since.get_or_insert(now);
        let health = (endpoint.breaker.failures() as i32, Some(since), endpoint.breaker.open_until());
        self.outcomes.health.insert(id, health);
        if opened == Some(Transition::Opened) && !std::mem::replace(&mut endpoint.reported, true) {
            self.outcomes.reports.push((
                id,
                "endpoint.failing",
                json!({ "reason": why, "failing_since": clock::rfc3339(since) }),
            ));
        }
        if now - since > GIVE_UP {
            self.disable(id, "it failed for five days");
        }
    }

    pub fn try_again(&mut self, delivery: Delivery, attempts: i32, due_at: i64, reason: String) {
        let stored = Delivery { endpoint: delivery.endpoint.max(0), ..delivery.clone() };
        let mut key = None;
        if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint)
            && endpoint.settings.ordered
        {
            key = delivery.event.turn().map(Cow::into_owned);
            let behind = key.as_deref().map(|key| endpoint.block(key)).unwrap_or_default();
            for waiting in behind {
                self.outcomes.wait_for_key(waiting);
            }
        }
        self.outcomes.again.push(Again { delivery: stored, attempts, due_at, key, reason });
        self.outcomes.settled.push(Settled { delivery, over: false });
    }

    fn give_up(&mut self, delivery: Delivery, reason: String) {
        let stored = Delivery { endpoint: delivery.endpoint.max(0), ..delivery.clone() };
        self.outcomes.dead.push(Dead { delivery: stored, attempts: delivery.attempts + 1, reason });
        self.over(delivery);
    }

    /// A number from -1 to 1.
    fn jitter(&mut self) -> f64 {
        // xorshift64*: spreads retries, no secret.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Writes the outcomes, unless more will come at once; when that fails they are kept, and nobody was told.
    pub fn settle(&mut self) -> Result<(), Failure> {
        let may_wait = !self.in_flight.is_empty() && !self.endpoints.values().any(Endpoint::is_unrecorded);
        if self.outcomes.is_empty() || may_wait && !self.outcomes.linger().is_zero() {
            return Ok(());
        }
        self.write()
    }

    /// Leaves the log alone for a while. What came back is written first, so that what a crash would repeat does not grow.
    pub fn rest(&mut self, rest: Duration) -> Result<(), Failure> {
        if !self.outcomes.is_empty() {
            self.write()?;
        }
        std::thread::sleep(rest);
        Ok(())
    }

    pub fn tell(&mut self, outcomes: Outcomes, free: Vec<(i64, String)>) {
        for again in &outcomes.again {
            self.next_due = self.next_due.min(again.due_at);
        }
        if !outcomes.released.is_empty() {
            self.next_due = i64::MIN;
        }
        for (id, key) in free {
            if let Some(endpoint) = self.endpoints.get_mut(&id) {
                endpoint.blocked.remove(&key);
            }
        }
        for Settled { delivery, over } in outcomes.settled {
            self.release(&delivery);
            if delivery.origin == Origin::Retry {
                self.loaded.remove(&(delivery.event.id, delivery.endpoint.max(0)));
            } else if over
                && let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint)
                && endpoint.settings.ordered
                && let Some(key) = delivery.event.turn()
            {
                endpoint.next_of(&key);
            }
        }
    }
}

fn keep_whole(attempt: &mut Attempt, response: Response) {
    let headers: serde_json::Map<String, serde_json::Value> =
        response.headers.into_iter().map(|(name, value)| (name, value.replace('\0', "").into())).collect();
    attempt.headers = Some(serde_json::Value::Object(headers).to_string());
    attempt.body = Some(response.body);
}

fn reason(attempt: &Attempt) -> String {
    format!("{}: {}", attempt.error.as_deref().unwrap_or_default(), attempt.detail.as_deref().unwrap_or_default())
}
