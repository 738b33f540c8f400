//! A job as the engine plans it.

use std::time::Duration;

use cron::Schedule;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::clock;
use crate::job::zone;

/// What is due longer ago than this was missed.
pub const GRACE: i64 = 60 * clock::SECOND;
/// The most of what was missed that is made up for.
const CATCH_UP: usize = 1000;
/// A clock that is set back by less does not repeat jobs at fixed times, as Vixie cron has it.
const SMALL_STEP: i64 = 3 * 3600 * clock::SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    Skip,
    Queue,
    Allow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    None,
    One,
    All,
}

pub struct Job {
    pub id: i64,
    pub owner: u32,
    pub active: bool,
    pub overlap: Overlap,
    catch_up: CatchUp,
    pub timeout: Option<Duration>,
    pub max_retries: i32,
    retry_delay: Duration,
    pub failures: i32,
    /// When a failed run is tried again, which attempt that is, and when it was due.
    pub retry: Option<(i64, i32, i64)>,
    when: When,
    zone: TimeZone,
    /// No due time up to here counts.
    from: i64,
    changed_at: i64,
    /// A job that runs once has had its turn.
    done: bool,
    pub next: Option<i64>,
}

enum When {
    Once(i64),
    /// When the server was started, for `@reboot`.
    Reboot(i64),
    By(Schedule),
}

/// frontdesk_internal.engine_jobs(). Times in microseconds since 1970.
#[derive(Deserialize)]
struct Row {
    id: i64,
    name: String,
    owner: u32,
    schedule: Option<String>,
    run_at: Option<i64>,
    timezone: String,
    active: bool,
    timeout_ms: Option<u64>,
    overlap: Overlap,
    max_retries: i32,
    retry_delay_ms: u64,
    catch_up: CatchUp,
    planned_from: Option<i64>,
    changed_at: Option<i64>,
    handled_until: Option<i64>,
    failures: i32,
    retry_at: Option<i64>,
    retry_attempt: i32,
    retry_scheduled: Option<i64>,
    rebooted: i64,
}

/// A job that cannot be planned: its id and name, and why.
pub struct Broken {
    pub id: i64,
    pub name: String,
    pub reason: String,
}

impl Job {
    pub fn parse(json: &str) -> Result<Job, Broken> {
        let broken = |reason: String| Broken { id: 0, name: String::new(), reason };
        let row: Row = serde_json::from_str(json).map_err(|error| broken(format!("cannot read a job: {error}")))?;
        let broken = |reason: String| Broken { id: row.id, name: row.name.clone(), reason };
        let when = match (&row.schedule, row.run_at) {
            (Some(text), _) => {
                let schedule = Schedule::parse(text).map_err(|error| broken(error.to_string()))?;
                if schedule.is_reboot() { When::Reboot(clock::from_unix(row.rebooted)) } else { When::By(schedule) }
            }
            (None, Some(at)) => When::Once(clock::from_unix(at)),
            (None, None) => return Err(broken("it has no schedule".into())),
        };
        let zone =
            zone::get(&row.timezone).ok_or_else(|| broken(format!("time zone \"{}\" is unknown", row.timezone)))?;
        Ok(Job {
            id: row.id,
            owner: row.owner,
            active: row.active,
            overlap: row.overlap,
            catch_up: row.catch_up,
            timeout: row.timeout_ms.map(Duration::from_millis),
            max_retries: row.max_retries,
            retry_delay: Duration::from_millis(row.retry_delay_ms),
            failures: row.failures,
            retry: row.retry_at.map(|at| {
                let due = row.retry_scheduled.unwrap_or(at);
                (clock::from_unix(at), row.retry_attempt, clock::from_unix(due))
            }),
            when,
            zone,
            from: row.planned_from.map_or(0, clock::from_unix),
            changed_at: row.changed_at.unwrap_or_default(),
            done: row.run_at.is_some_and(|at| row.handled_until.is_some_and(|handled| handled >= at)),
            next: None,
        })
    }

    /// What this process has dealt with already counts, unless the job was changed since.
    pub fn goes_on_from(&mut self, before: &Job) {
        if self.changed_at == before.changed_at {
            self.from = self.from.max(before.from);
            self.done |= before.done;
        }
    }

    pub fn plan(&mut self, now: i64) {
        self.next = self.next_due(now).filter(|_| self.active);
    }

    fn next_due(&self, now: i64) -> Option<i64> {
        match &self.when {
            // Also a moment that was past when the job was made.
            When::Once(at) => (!self.done).then_some(*at),
            When::Reboot(at) => (self.from < *at).then_some(*at),
            When::By(schedule) => {
                let set_back = self.from > now && !(schedule.is_fixed() && self.from - now <= SMALL_STEP);
                after(schedule, &self.zone, if set_back { now } else { self.from })
            }
        }
    }

    /// The due times up to now that are to be run, and how many pass without a run (with the last of them). The job is planned
    /// on from here.
    pub fn take_due(&mut self, now: i64) -> (Vec<i64>, Option<(usize, i64)>) {
        let Some(first) = self.next else { return (Vec::new(), None) };
        let mut passed = None;
        let due = match &self.when {
            When::Once(_) | When::Reboot(_) => {
                let missed =
                    first < now - GRACE && self.catch_up == CatchUp::None && matches!(self.when, When::Once(_));
                passed = missed.then_some((1, first));
                if missed { Vec::new() } else { vec![first] }
            }
            When::By(schedule) => {
                let all = |from| {
                    std::iter::successors(Some(from), |due| after(schedule, &self.zone, *due))
                        .take_while(|due| *due <= now)
                };
                if first >= now - GRACE {
                    all(first).collect()
                } else {
                    match self.catch_up {
                        CatchUp::One => vec![last_due(schedule, &self.zone, first, now)],
                        CatchUp::All => {
                            let mut due: Vec<i64> = all(first).take(20 * CATCH_UP).collect();
                            let last = last_due(schedule, &self.zone, first, now);
                            if due.last() != Some(&last) {
                                due.push(last);
                            }
                            due.split_off(due.len().saturating_sub(CATCH_UP))
                        }
                        CatchUp::None => {
                            let on_time: Vec<i64> = after(schedule, &self.zone, now - GRACE)
                                .map(|due| all(due).collect())
                                .unwrap_or_default();
                            let missed = last_due(schedule, &self.zone, first, now - GRACE);
                            passed = Some((all(first).take(CATCH_UP).filter(|due| *due < now - GRACE).count(), missed));
                            on_time
                        }
                    }
                }
            }
        };
        let handled = due.last().copied().max(passed.map(|(_, last)| last)).unwrap_or(first);
        self.from = if self.from > now { handled } else { self.from.max(handled) };
        self.done = true;
        self.plan(now);
        if !matches!(self.when, When::By(_)) {
            self.next = None;
        }
        (due, passed)
    }

    /// How long to wait after this attempt failed; None: that was the last.
    pub fn retry_in(&self, attempt: i32) -> Option<i64> {
        if attempt > self.max_retries {
            return None;
        }
        let factor = 1_i64.checked_shl(u32::try_from(attempt - 1).ok()?).unwrap_or(i64::MAX);
        let delay = i64::try_from(self.retry_delay.as_micros()).unwrap_or(i64::MAX).saturating_mul(factor.max(1));
        Some(delay.min(30 * 86_400 * clock::SECOND))
    }

    /// When something is to be done about it.
    pub fn due(&self) -> Option<i64> {
        match (self.next, self.retry) {
            (Some(next), Some((retry, ..))) => Some(next.min(retry)),
            (next, retry) => next.or(retry.map(|(at, ..)| at)),
        }
    }
}

fn after(schedule: &Schedule, zone: &TimeZone, micros: i64) -> Option<i64> {
    let unix = micros.checked_add(clock::UNIX_EPOCH_SECONDS * clock::SECOND)?;
    let next = schedule.next_after(Timestamp::from_microsecond(unix).ok()?, zone)?;
    Some(clock::from_unix(next.as_microsecond()))
}

/// The last due time in [first, now], found from near to far: however often the job runs, and however long it was not looked at.
fn last_due(schedule: &Schedule, zone: &TimeZone, first: i64, now: i64) -> i64 {
    for seconds in [2_i64, 61, 3601, 90_000, 32 * 86_400, 367 * 86_400] {
        let from = now - seconds * clock::SECOND;
        if from <= first {
            break;
        }
        let due = std::iter::successors(after(schedule, zone, from), |due| after(schedule, zone, *due));
        if let Some(last) = due.take_while(|due| *due <= now).last() {
            return last;
        }
    }
    std::iter::successors(Some(first), |due| after(schedule, zone, *due))
        .take_while(|due| *due <= now)
        .last()
        .unwrap_or(first)
}
