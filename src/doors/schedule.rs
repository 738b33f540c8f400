//! Rooms 30 and 31: schedules, commands, and what wakes the engine for them.

use cron::Schedule;
use jiff::Timestamp;
use pgrx::prelude::*;

use crate::engine::clock;
use crate::error::{OrReport, raise};
use crate::guc;
use crate::job::{command, owner, signal, timers, zone};

#[pg_extern(sql = false)]
fn check_schedule(schedule: Option<&str>) -> &str {
    let schedule = schedule.unwrap_or_default();
    Schedule::parse(schedule).or_report();
    schedule
}

#[pg_extern(sql = false)]
fn check_timezone(timezone: Option<&str>) -> &str {
    let timezone = timezone.unwrap_or_default();
    find_zone(timezone);
    timezone
}

#[pg_extern(sql = false)]
fn check_command(command: Option<&str>) -> &str {
    let command = command.unwrap_or_default();
    command::check(command);
    command
}

/// Moments outside PostgreSQL's and the calendar's common range end the list.
#[pg_extern(sql = false)]
fn next_runs(
    schedule: Option<&str>,
    timezone: Option<&str>,
    count: Option<i32>,
    after: Option<TimestampWithTimeZone>,
) -> SetOfIterator<'static, TimestampWithTimeZone> {
    let schedule = Schedule::parse(schedule.unwrap_or_default()).or_report();
    let zone = find_zone(timezone.unwrap_or("UTC"));
    let count = usize::try_from(count.unwrap_or(5)).unwrap_or(0);
    let after = after.map_or_else(clock::now, i64::from);
    let mut last = moment(after);
    let runs = std::iter::from_fn(move || {
        last = schedule.next_after(last?, &zone);
        last.map(|run| clock::timestamp(clock::from_unix(run.as_microsecond())))
    });
    SetOfIterator::new(runs.take(count))
}

#[pg_extern(sql = false)]
fn jobs_changed() {
    signal::jobs_changed();
}

#[pg_extern(sql = false)]
fn timer_set(due: Option<TimestampWithTimeZone>) {
    if let Some(due) = due {
        signal::timer_set(i64::from(due));
    }
}

pub fn moment(micros: i64) -> Option<Timestamp> {
    let unix = micros.checked_add(clock::UNIX_EPOCH_SECONDS * clock::SECOND)?;
    Timestamp::from_microsecond(unix).ok()
}

pub fn find_zone(timezone: &str) -> jiff::tz::TimeZone {
    zone::get(timezone).unwrap_or_else(|| {
        raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("time zone \"{timezone}\" is unknown"),
            None,
            Some("Use a name such as Europe/Madrid: select name from pg_timezone_names.".into()),
        )
    })
}

#[pg_extern(sql = false)]
fn texts_as(
    role: pg_sys::Oid,
    query: &str,
    keys: Vec<Option<String>>,
    moments: Vec<Option<TimestampWithTimeZone>>,
) -> SetOfIterator<'static, String> {
    SetOfIterator::new(owner::texts_as(role, query, keys, moments))
}

/// Of version 0.1.0 alone, which is installed where one of its dumps is restored, to be updated.
#[pg_extern(sql = false)]
fn query_as() -> SetOfIterator<'static, String> {
    raise(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "this function is of version 0.1.0 of pg_frontdesk",
        None,
        Some("alter extension pg_frontdesk update;".into()),
    )
}

#[pg_extern(sql = false)]
fn timer_rows_as(role: pg_sys::Oid, query: &str, rule: i64) -> i64 {
    owner::each_as(role, query, |keys, moments| {
        Spi::run_with_args(
            "select frontdesk_internal.timer_put($1, $2, $3)",
            &[rule.into(), keys.into(), moments.into()],
        )
    })
}

#[pg_extern(sql = false)]
fn timer_at_work(rule: Option<i64>, timers: Option<i32>, key: Option<String>, moment: Option<TimestampWithTimeZone>) {
    timers::at_work(rule.unwrap_or_default(), timers.unwrap_or_default(), key, moment);
}

#[pg_extern(sql = false)]
fn job_share() -> i32 {
    i32::try_from(guc::max_jobs_per_role()).unwrap_or(i32::MAX)
}
