//! Room 30 in the engine: what is due is started in order of due time, as many at once as there are slots, of which no role
//! gets more than its share.

mod job;
mod run;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::clock;
use super::timetable::LOOK_AGAIN;
use super::transaction::{Failure, transaction};
use super::verbs::schedule as verbs;
use crate::guc;
use crate::job::worker::Worker;
use crate::shmem::Slot;
use job::{Job, Overlap};
use run::Run;

/// Runs of one job that wait; more are skipped.
const QUEUE: usize = 100;
/// Without a free worker slot.
const TRY_AGAIN: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Scheduler {
    jobs: HashMap<i64, Job>,
    /// (moment, job)
    due: BTreeSet<(i64, i64)>,
    waiting: BTreeSet<Wanted>,
    runs: Vec<Run>,
    /// Whose command succeeded, and who wait a moment for another.
    idle: Vec<Worker>,
    pub looked_at: Option<Instant>,
    version: String,
    recovered: bool,
    complained: bool,
}

/// A run that waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    due: i64,
    job: i64,
    attempt: i32,
    /// 0: a new one.
    run: i64,
}

impl Scheduler {
    /// One turn. `allowed`: runs may begin.
    pub fn turn(&mut self, slot: &Slot, allowed: bool, polls: bool) -> Result<(), Failure> {
        self.collect()?;
        self.idle.retain(Worker::is_there);
        if !allowed {
            self.runs.iter_mut().for_each(Run::enforce);
            self.looked_at = None;
            return Ok(());
        }
        if !self.recovered {
            transaction(verbs::recover)?;
            self.recovered = true;
        }
        if slot.jobs_changed.swap(0, SeqCst) != 0 || self.looked_at.is_none() {
            if let Err(failure) = self.reload() {
                self.looked_at = None;
                return Err(failure);
            }
        } else if polls && self.looked_at.is_some_and(|at| at.elapsed() >= LOOK_AGAIN) {
            self.looked_at = Some(Instant::now());
            if transaction(verbs::version)? != self.version {
                self.reload()?;
            }
        }
        self.runs.iter_mut().for_each(Run::enforce);
        self.plan()?;
        self.start()
    }

    /// How long nothing is to be done; None: until something happens.
    pub fn limit(&self, now: i64, polls: bool) -> Option<Duration> {
        let next = self.due.first().map(|(at, _)| Duration::from_micros(at.saturating_sub(now).max(0) as u64));
        let unstarted = self.is_short().then_some(TRY_AGAIN);
        let deadline = self.runs.iter().filter_map(Run::deadline).min();
        let look = self.looked_at.filter(|_| polls).map(|at| LOOK_AGAIN.saturating_sub(at.elapsed()));
        [next, unstarted, deadline, look].into_iter().flatten().min()
    }

    /// Is there a run that has no process?
    pub fn is_short(&self) -> bool {
        self.runs.iter().any(|run| run.worker.is_none())
    }

    /// Gives up the slots of the processes that wait.
    pub fn free(&mut self) {
        self.idle.drain(..).for_each(|worker| worker.end());
    }

    /// The engine leaves: what runs is ended, and marked interrupted by the next engine.
    pub fn abandon(&mut self) {
        self.runs.iter().for_each(Run::end);
        self.idle.drain(..).for_each(|worker| worker.end());
    }

    fn reload(&mut self) -> Result<(), Failure> {
        let (rows, requests, version) =
            transaction(|session| Ok((verbs::jobs(session)?, verbs::requests(session)?, verbs::version(session)?)))?;
        let now = clock::now();
        let mut before = std::mem::take(&mut self.jobs);
        self.due.clear();
        for row in rows {
            match Job::parse(&row) {
                Ok(mut job) => {
                    if let Some(before) = before.remove(&job.id) {
                        job.goes_on_from(&before);
                    }
                    job.plan(now);
                    self.due.extend(job.due().map(|at| (at, job.id)));
                    self.jobs.insert(job.id, job);
                }
                Err(broken) => {
                    warning!("pg_frontdesk: job {} does not run: {}", broken.name, broken.reason);
                    transaction(|session| verbs::problem(session, broken.id, Some(&broken.reason)))?;
                }
            }
        }
        let jobs = &self.jobs;
        // What run_job() asked for is asked for again; a retry of it goes on whatever the job's schedule does.
        self.waiting.retain(|wanted| {
            wanted.run == 0 && jobs.get(&wanted.job).is_some_and(|job| job.active || wanted.attempt > 1)
        });
        for request in requests {
            if request.cancel {
                self.runs.iter_mut().filter(|run| run.id == request.run).for_each(Run::cancel);
            } else if jobs.contains_key(&request.job) {
                self.waiting.insert(Wanted { due: request.due, job: request.job, attempt: 1, run: request.run });
            }
        }
        self.version = version;
        self.looked_at = Some(Instant::now());
        Ok(())
    }

    /// What is due joins those that wait, or is skipped.
    fn plan(&mut self) -> Result<(), Failure> {
        let now = clock::now();
        let mut skipped = Vec::new();
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let busy = self.runs.iter().filter(|run| run.job == id).count();
            let queued = self.waiting.iter().filter(|wanted| wanted.job == id).count();
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            if let Some((at, attempt, due)) = job.retry.filter(|(at, ..)| *at <= now) {
                job.retry = None;
                // The schedule may be first: then the new run is the next try.
                if job.next.is_none_or(|next| next > at) {
                    self.waiting.insert(Wanted { due, job: id, attempt, run: 0 });
                }
            }
            if job.next.is_some_and(|next| next <= now) {
                let (due, passed) = job.take_due(now);
                if let Some((count, last)) = passed {
                    skipped.push((
                        id,
                        last,
                        format!("{count} due times passed while nobody was there; catch_up is none"),
                    ));
                }
                // Several at once are late by our fault and run one after the other.
                for (n, due) in due.into_iter().enumerate() {
                    let refused = match job.overlap {
                        Overlap::Skip if n == 0 && busy + queued > 0 => Some("the last run is not over"),
                        Overlap::Queue if n == 0 && queued > 0 => Some("a run waits already"),
                        Overlap::Allow if queued >= QUEUE => Some("too many runs wait"),
                        _ => None,
                    };
                    match refused {
                        Some(reason) => skipped.push((id, due, reason.to_owned())),
                        None => {
                            self.waiting.insert(Wanted { due, job: id, attempt: 1, run: 0 });
                        }
                    }
                }
            }
            self.due.extend(job.due().map(|at| (at, id)));
        }
        if !skipped.is_empty() {
            transaction(|session| verbs::skip(session, &skipped))?;
        }
        Ok(())
    }

    /// Those that wait begin, in order of due time.
    fn start(&mut self) -> Result<(), Failure> {
        for run in self.runs.iter_mut().filter(|run| run.worker.is_none()) {
            run.start(&mut self.idle);
        }
        let room = guc::job_slots().saturating_sub(self.runs.len());
        let mut shares: HashMap<u32, usize> = HashMap::new();
        self.runs.iter().for_each(|run| *shares.entry(run.owner).or_default() += 1);
        let mut chosen: Vec<Wanted> = Vec::new();
        for wanted in &self.waiting {
            if chosen.len() >= room {
                break;
            }
            let alone = self.jobs.get(&wanted.job).is_none_or(|job| job.overlap != Overlap::Allow);
            let busy = || {
                self.runs.iter().any(|run| run.job == wanted.job) || chosen.iter().any(|other| other.job == wanted.job)
            };
            let share = shares.entry(self.jobs.get(&wanted.job).map_or(0, |job| job.owner)).or_default();
            if !(alone && busy()) && *share < guc::max_jobs_per_role() {
                *share += 1;
                chosen.push(*wanted);
            }
        }
        if chosen.is_empty() {
            return Ok(());
        }
        let begin = |wanted: &Wanted| verbs::Begin {
            job: wanted.job,
            run: wanted.run,
            attempt: wanted.attempt,
            due: wanted.due,
        };
        let begun = transaction(|session| verbs::start(session, &chosen.iter().map(begin).collect::<Vec<_>>()))?;
        for wanted in &chosen {
            self.waiting.remove(wanted);
        }
        for begun in begun {
            let Some(wanted) = begun.place.checked_sub(1).and_then(|place| chosen.get(place)) else { continue };
            let timeout = self.jobs.get(&wanted.job).and_then(|job| job.timeout);
            let mut run = Run::new(begun, wanted.job, wanted.attempt, wanted.due, timeout);
            run.start(&mut self.idle);
            if run.worker.is_none() && self.idle.is_empty() && !self.complained {
                self.complained = true;
                warning!(
                    "pg_frontdesk: no free worker slot for a job, it waits; raise max_worker_processes or lower frontdesk.max_running_jobs"
                );
            }
            if run.worker.is_none() {
                // Their slots are needed.
                self.idle.drain(..).for_each(|worker| worker.end());
            }
            self.runs.push(run);
        }
        Ok(())
    }

    /// What is over is written down.
    fn collect(&mut self) -> Result<(), Failure> {
        let now = clock::now();
        let mut over = Vec::new();
        let mut failures: HashMap<i64, i32> = HashMap::new();
        for run in &self.runs {
            let Some(outcome) = run.outcome() else { continue };
            let status = run.status(&outcome);
            let job = self.jobs.get(&run.job);
            let failed = failures.entry(run.job).or_insert_with(|| job.map_or(0, |job| job.failures));
            let (report, retry_in) = match status {
                "succeeded" => (Some("job.recovered").filter(|_| *failed > 0), None),
                "cancelled" => (None, None),
                _ => (Some("job.failed"), job.and_then(|job| job.retry_in(run.attempt))),
            };
            *failed = match status {
                "succeeded" => 0,
                "cancelled" => *failed,
                _ => *failed + 1,
            };
            over.push(verbs::Finish {
                run: run.id,
                status,
                at: now,
                pid: run.pid(),
                rows: outcome.rows,
                result: outcome.result,
                sqlstate: outcome.sqlstate,
                message: outcome.message,
                failures: *failed,
                retry_at: retry_in.map(|wait| now.saturating_add(wait)),
                report,
            });
        }
        if over.is_empty() {
            return Ok(());
        }
        transaction(|session| verbs::finish(session, &over))?;
        for finish in over {
            let Some(place) = self.runs.iter().position(|run| run.id == finish.run) else { continue };
            let mut run = self.runs.swap_remove(place);
            self.idle.extend(run.worker.take().filter(|_| finish.sqlstate.is_none()));
            let Some(job) = self.jobs.get_mut(&run.job) else { continue };
            job.failures = finish.failures;
            if let Some(at) = finish.retry_at {
                job.retry = Some((at, run.attempt + 1, run.due));
                self.due.insert((at, job.id));
            }
        }
        Ok(())
    }
}
