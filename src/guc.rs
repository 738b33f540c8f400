//! The settings `frontdesk.*`. None is a secret: every role can read settings.

use std::ffi::{CStr, CString};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI16, Ordering::Relaxed};
use std::time::Duration;

use courier::IpNet;
use jiff::Timestamp;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::ffi;

static ALLOW_NETWORKS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static SECRET_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static ACCOUNT_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static USER_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static FAKE_NOW: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EVENT_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * DAY);
static SUCCESS_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(7 * DAY);
static FAILURE_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * DAY);
static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static JOB_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(14 * DAY);
static JOB_FAILURE_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(60 * DAY);
static MAX_RUNNING_JOBS: GucSetting<i32> = GucSetting::<i32>::new(16);
static MAX_JOBS_PER_ROLE: GucSetting<i32> = GucSetting::<i32>::new(0);
static REMINDER_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static LOG_JOBS: GucSetting<bool> = GucSetting::<bool>::new(true);
static DEPTH: GucSetting<i32> = GucSetting::<i32>::new(0);
static LED_BY: AtomicI16 = AtomicI16::new(0);
static MAX_PAYLOAD_KB: GucSetting<i32> = GucSetting::<i32>::new(1024);
static MAX_RECORD_KB: GucSetting<i32> = GucSetting::<i32>::new(16_384);
static MAX_RESPONSE_KB: GucSetting<i32> = GucSetting::<i32>::new(1024);
static ENGINE_MEMORY_MB: GucSetting<i32> = GucSetting::<i32>::new(256);
static MAX_CONNECTIONS: GucSetting<i32> = GucSetting::<i32>::new(10_000);

/// Retention is counted in minutes.
const DAY: i32 = 24 * 60;

pub fn init() {
    ffi::define_checked::<Networks>(
        c"frontdesk.allow_networks",
        c"Networks that HTTP may reach although they are private, as in '10.1.0.0/16, ::1/128'.",
        &ALLOW_NETWORKS,
        GucContext::Sighup,
    );
    string(
        c"frontdesk.ca_file",
        c"File of further certificate authorities (PEM) that HTTPS trusts.",
        &CA_FILE,
        GucContext::Sighup,
    );
    string(c"frontdesk.secret_key_file", c"File whose content is the key that secrets are encrypted with; or set PG_FRONTDESK_SECRET_KEY in the server's environment.", &SECRET_KEY_FILE, GucContext::Sighup);
    string(
        c"frontdesk.account_id",
        c"The account of schema crm that a function works for when none is given.",
        &ACCOUNT_ID,
        GucContext::Userset,
    );
    string(c"frontdesk.user_id", c"The application's user, recorded with each event.", &USER_ID, GucContext::Userset);
    ffi::define_checked::<Moment>(
        c"frontdesk.fake_now",
        c"For tests: the time that frontdesk.now() and the engine's clock show.",
        &FAKE_NOW,
        GucContext::Suset,
    );
    retention(c"frontdesk.event_retention", c"How long events are kept, as in '30d' or '12h'.", &EVENT_RETENTION);
    retention(c"frontdesk.success_retention", c"How long successful attempts are kept.", &SUCCESS_RETENTION);
    retention(c"frontdesk.failure_retention", c"How long failed attempts are kept.", &FAILURE_RETENTION);
    retention(c"frontdesk.job_retention", c"How long runs of jobs are kept.", &JOB_RETENTION);
    retention(c"frontdesk.job_failure_retention", c"How long failed runs of jobs are kept.", &JOB_FAILURE_RETENTION);
    int(
        c"frontdesk.max_running_jobs",
        c"How many jobs run at once; each takes one of max_worker_processes.",
        &MAX_RUNNING_JOBS,
        1,
        1000,
        GucContext::Sighup,
    );
    int(
        c"frontdesk.max_jobs_per_role",
        c"How many jobs of one role run at once; 0 is half of those that can run.",
        &MAX_JOBS_PER_ROLE,
        0,
        1000,
        GucContext::Sighup,
    );
    GucRegistry::define_int_guc(
        c"frontdesk.reminder_timeout",
        c"How long a batch of reminders may take to be read again and made into events.",
        c"A batch that takes longer is tried again with half as many; one alone is given up.",
        &REMINDER_TIMEOUT,
        100,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"frontdesk.log_jobs",
        c"Write the command of each run of a job into the server's log.",
        c"",
        &LOG_JOBS,
        GucContext::Sighup,
        GucFlags::default(),
    );
    int(
        c"frontdesk.depth",
        c"How many automations led to what this session does now; set by the engine.",
        &DEPTH,
        0,
        1000,
        GucContext::Suset,
    );
    int(
        c"frontdesk.max_payload_kb",
        c"Largest body of a request, in kB; a larger event becomes a dead letter.",
        &MAX_PAYLOAD_KB,
        1,
        262_144,
        GucContext::Sighup,
    );
    int(
        c"frontdesk.max_record_kb",
        c"Largest record of a row that is captured, in kB; columns that do not fit are left out and named in it.",
        &MAX_RECORD_KB,
        64,
        65_536,
        GucContext::Sighup,
    );
    int(
        c"frontdesk.max_response_kb",
        c"How much of a response is read, in kB.",
        &MAX_RESPONSE_KB,
        1,
        102_400,
        GucContext::Sighup,
    );
    int(
        c"frontdesk.max_connections",
        c"Largest number of connections that the engine opens; bounded by the limit of open files.",
        &MAX_CONNECTIONS,
        1,
        65_536,
        GucContext::Sighup,
    );
    GucRegistry::define_int_guc(
        c"frontdesk.engine_memory",
        c"Memory that the engine keeps within, besides what PostgreSQL itself needs.",
        c"An event of more than a sixteenth of it is not read: it is a dead letter. frontdesk.status() shows what is held.",
        &ENGINE_MEMORY_MB,
        64,
        65_536,
        GucContext::Sighup,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_bool_guc(
        c"frontdesk.enabled",
        c"Whether engines of this server send anything; off in a physical copy that must stay silent.",
        c"",
        &ENABLED,
        GucContext::Sighup,
        GucFlags::default(),
    );
    ffi::reserve_settings();
}

struct Networks;

impl ffi::Check for Networks {
    fn check(value: &str) -> Result<(), String> {
        let wrong = pieces(value).find(|text| network(text).is_none());
        wrong.map_or(Ok(()), |text| Err(format!("\"{text}\" is not a network such as 10.1.0.0/16 or ::1/128.")))
    }
}

/// What `frontdesk.allow_networks` allows besides public addresses.
pub fn allow_networks() -> Vec<IpNet> {
    pieces(&text(&ALLOW_NETWORKS)).filter_map(network).collect()
}

fn pieces(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).filter(|text| !text.is_empty())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub fn ca_file() -> Option<String> {
    Some(text(&CA_FILE)).filter(|path| !path.is_empty())
}

pub fn secret_key_file() -> Option<String> {
    Some(text(&SECRET_KEY_FILE)).filter(|path| !path.is_empty())
}

pub fn user_id() -> Option<String> {
    Some(text(&USER_ID)).filter(|user| !user.is_empty())
}

struct Moment;

impl ffi::Check for Moment {
    fn check(value: &str) -> Result<(), String> {
        let wrong = !value.is_empty() && value.parse::<Timestamp>().is_err();
        if wrong { Err("It is a moment with its offset from UTC, as 2026-11-23T09:00:00Z.".into()) } else { Ok(()) }
    }
}

pub fn fake_now() -> Option<Timestamp> {
    text(&FAKE_NOW).parse().ok()
}

pub fn enabled() -> bool {
    ENABLED.get()
}

pub fn max_running_jobs() -> usize {
    usize::try_from(MAX_RUNNING_JOBS.get()).unwrap_or(1)
}

/// How many jobs run at once: each takes a worker process, of which this leaves some to the launcher, the engine and reminders.
pub fn job_slots() -> usize {
    max_running_jobs().min(ffi::worker_processes().saturating_sub(3)).max(1)
}

/// How many of them one role may have.
pub fn max_jobs_per_role() -> usize {
    match usize::try_from(MAX_JOBS_PER_ROLE.get()) {
        Ok(jobs) if jobs > 0 => jobs,
        _ => job_slots().div_ceil(2),
    }
}

pub fn reminder_timeout() -> Duration {
    Duration::from_millis(u64::try_from(REMINDER_TIMEOUT.get()).unwrap_or(10_000))
}

pub fn log_jobs() -> bool {
    LOG_JOBS.get()
}

/// The setting; where a handler runs as many as led to its event at least, whatever it does about the setting.
pub fn depth() -> i16 {
    i16::try_from(DEPTH.get()).unwrap_or(i16::MAX).max(LED_BY.load(Relaxed))
}

/// What this process does from now on was led to by so many automations.
pub fn led_by(depth: i16) {
    LED_BY.store(depth, Relaxed);
}

pub fn max_record_bytes() -> usize {
    kilobytes(&MAX_RECORD_KB)
}

pub fn max_payload_bytes() -> usize {
    kilobytes(&MAX_PAYLOAD_KB)
}

pub fn max_response_bytes() -> usize {
    kilobytes(&MAX_RESPONSE_KB)
}

pub fn engine_memory_bytes() -> usize {
    usize::try_from(ENGINE_MEMORY_MB.get()).unwrap_or(1) << 20
}

/// What one endpoint may hold of large events before it is full: an eighth of the half that is for events.
pub fn endpoint_memory_bytes() -> usize {
    engine_memory_bytes() / 16
}

/// Largest record of an event that is read, as text.
pub fn max_read_bytes() -> usize {
    max_payload_bytes().min(endpoint_memory_bytes())
}

pub fn max_connections() -> usize {
    usize::try_from(MAX_CONNECTIONS.get()).unwrap_or(1)
}

fn kilobytes(setting: &GucSetting<i32>) -> usize {
    usize::try_from(setting.get()).unwrap_or(1) * 1024
}

fn text(setting: &GucSetting<Option<CString>>) -> String {
    setting.get().map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}

fn string(
    name: &'static CStr,
    description: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
) {
    GucRegistry::define_string_guc(name, description, c"", setting, context, GucFlags::default());
}

fn int(
    name: &'static CStr,
    description: &'static CStr,
    setting: &'static GucSetting<i32>,
    min: i32,
    max: i32,
    context: GucContext,
) {
    GucRegistry::define_int_guc(name, description, c"", setting, min, max, context, GucFlags::default());
}

fn retention(name: &'static CStr, description: &'static CStr, setting: &'static GucSetting<i32>) {
    let longest = 36_500 * DAY;
    GucRegistry::define_int_guc(name, description, c"", setting, 60, longest, GucContext::Sighup, GucFlags::UNIT_MIN);
}
