//! The verbs of rooms 30 and 31: sql/functions/30_schedule_engine.sql, 31_timer_engine.sql.

use pgrx::prelude::*;
use pgrx::spi::SpiResult;

use super::super::clock::timestamp;
use super::super::transaction::Session;
use super::{column, number, text, time};

/// Every job as JSON.
pub fn jobs(session: &mut Session) -> SpiResult<Vec<String>> {
    session.call("engine_jobs", &[])?.map(|row| text(&row, 1)).collect()
}

pub fn version(session: &mut Session) -> SpiResult<String> {
    let mut rows = session.call("engine_jobs_version", &[])?;
    rows.next().map_or_else(|| Ok(String::new()), |row| text(&row, 1))
}

pub fn problem(session: &mut Session, job: i64, why: Option<&str>) -> SpiResult<()> {
    session.call("engine_job_problem", &[job.into(), why.into()]).map(|_| ())
}

/// A run that somebody wants, or wants to stop.
pub struct Request {
    pub run: i64,
    pub job: i64,
    pub due: i64,
    pub cancel: bool,
}

pub fn requests(session: &mut Session) -> SpiResult<Vec<Request>> {
    let rows = session.call("engine_job_requests", &[])?;
    rows.map(|row| {
        let cancel = row.get(4)?.unwrap_or(false);
        Ok(Request { run: number(&row, 1)?, job: number(&row, 2)?, due: time(&row, 3)?, cancel })
    })
    .collect()
}

/// A run to begin; `run` 0: a new one.
pub struct Begin {
    pub job: i64,
    pub run: i64,
    pub attempt: i32,
    pub due: i64,
}

/// A run that began. `place`: which of those asked for, from 1.
pub struct Begun {
    pub place: usize,
    pub run: i64,
    pub owner: u32,
    pub name: String,
    pub command: String,
}

pub fn start(session: &mut Session, wanted: &[Begin]) -> SpiResult<Vec<Begun>> {
    let args = [
        column(wanted, |w| w.job).into(),
        column(wanted, |w| w.run).into(),
        column(wanted, |w| w.attempt).into(),
        column(wanted, |w| timestamp(w.due)).into(),
    ];
    let rows = session.call("engine_job_start", &args)?;
    rows.map(|row| {
        Ok(Begun {
            place: usize::try_from(row.get::<i32>(1)?.unwrap_or(0)).unwrap_or(0),
            run: number(&row, 2)?,
            owner: row.get::<pg_sys::Oid>(3)?.unwrap_or(pg_sys::InvalidOid).to_u32(),
            name: text(&row, 4)?,
            command: text(&row, 5)?,
        })
    })
    .collect()
}

/// A run that is over.
pub struct Finish {
    pub run: i64,
    pub status: &'static str,
    pub at: i64,
    pub pid: Option<i32>,
    pub rows: Option<i64>,
    pub result: Option<String>,
    pub sqlstate: Option<String>,
    pub message: String,
    pub failures: i32,
    pub retry_at: Option<i64>,
    pub report: Option<&'static str>,
}

pub fn finish(session: &mut Session, over: &[Finish]) -> SpiResult<()> {
    let args = [
        column(over, |f| f.run).into(),
        column(over, |f| f.status.to_owned()).into(),
        column(over, |f| timestamp(f.at)).into(),
        column(over, |f| f.pid).into(),
        column(over, |f| f.rows).into(),
        column(over, |f| f.result.clone()).into(),
        column(over, |f| f.sqlstate.clone()).into(),
        column(over, |f| f.message.clone()).into(),
        column(over, |f| f.failures).into(),
        column(over, |f| f.retry_at.map(timestamp)).into(),
        column(over, |f| f.report.map(str::to_owned)).into(),
    ];
    session.call("engine_job_finish", &args).map(|_| ())
}

/// Due times that pass without a run: job, when, why.
pub fn skip(session: &mut Session, skipped: &[(i64, i64, String)]) -> SpiResult<()> {
    let args = [
        column(skipped, |s| s.0).into(),
        column(skipped, |s| timestamp(s.1)).into(),
        column(skipped, |s| s.2.clone()).into(),
    ];
    session.call("engine_job_skip", &args).map(|_| ())
}

/// Runs that were under way when the engine before this one ended.
pub fn recover(session: &mut Session) -> SpiResult<i64> {
    let mut rows = session.call("engine_job_recover", &[])?;
    rows.next().map_or(Ok(0), |row| number(&row, 1))
}

/// The owners of tables with reminders, and when the next is due for each.
pub fn timers(session: &mut Session) -> SpiResult<Vec<(u32, i64)>> {
    let rows = session.call("engine_timers", &[])?;
    rows.map(|row| Ok((row.get::<pg_sys::Oid>(1)?.unwrap_or(pg_sys::InvalidOid).to_u32(), time(&row, 2)?))).collect()
}

/// The process of an owner ended while it was about so many timers of a rule; 0: about none.
pub fn timers_failed(
    session: &mut Session,
    owner: u32,
    rule: i64,
    timers: i32,
    code: &str,
    why: &str,
) -> SpiResult<()> {
    let nothing: (Option<&str>, Option<TimestampWithTimeZone>) = (None, None);
    let owner = pg_sys::Oid::from(owner);
    let args = [owner.into(), rule.into(), timers.into(), nothing.0.into(), nothing.1.into(), code.into(), why.into()];
    session.call("timers_failed", &args).map(|_| ())
}
