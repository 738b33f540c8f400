//! Runs the statements of a command one after the other, as PostgreSQL runs a client's (exec_simple_query in postgres.c): each
//! through a top-level portal, so that VACUUM, CREATE INDEX CONCURRENTLY and procedures that commit work.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::Outcome;
use super::command::{self, Statement};
use super::first_row::FirstRow;

unsafe extern "C-unwind" {
    /// utils/timeout.h; not among pgrx's bindings.
    fn enable_timeout_after(id: std::ffi::c_int, delay_ms: std::ffi::c_int);
    fn disable_timeout(id: std::ffi::c_int, keep_indicator: bool);
    /// commands/discard.h; not among pgrx's bindings.
    fn DiscardCommand(statement: *mut pg_sys::DiscardStmt, top_level: bool);
}

/// STATEMENT_TIMEOUT of utils/timeout.h (PostgreSQL 17).
const STATEMENT_TIMEOUT: std::ffi::c_int = 3;

thread_local! {
    /// SQLSTATE of the error raised last, which pgrx keeps only when it knows it.
    static RAISED: Cell<i32> = const { Cell::new(0) };
    /// Whether the context of errors is kept, and that of the error raised last.
    static KEEPS_CONTEXTS: Cell<bool> = const { Cell::new(false) };
    static ERROR_CONTEXT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// When the statement under way times out, by a setting of the session.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Of the command.
    static CONTEXT: Cell<pg_sys::MemoryContext> = const { Cell::new(std::ptr::null_mut()) };
}

/// # Safety
/// In a connected process, outside any transaction. An error leaves the transaction to be aborted by the caller.
pub unsafe fn run(command: &CStr) -> Outcome {
    let mut outcome = Outcome::default();
    // SAFETY: as exec_simple_query does, in the same order; the parse trees live in a context of their own, because a procedure may
    // end the transaction under them.
    unsafe {
        note_codes();
        DEADLINE.set(None);
        let context = pg_sys::AllocSetContextCreateInternal(
            pg_sys::TopMemoryContext,
            c"frontdesk job".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        CONTEXT.set(context);
        pg_sys::debug_query_string = command.as_ptr();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, command.as_ptr());
        pg_sys::MemoryContextSwitchTo(context);
        let statements = command::statements(command);
        for statement in &statements {
            execute(statement, command, context, &mut outcome);
        }
        if pg_sys::IsTransactionBlock() || pg_sys::IsAbortedTransactionBlockState() {
            pg_sys::AbortOutOfAnyTransaction();
            outcome = Outcome {
                sqlstate: Some("25001".into()),
                message: "the command left a transaction open; it was rolled back\nHINT: End the command with commit."
                    .into(),
                ..Outcome::default()
            };
        }
        pg_sys::pgstat_report_stat(true);
    }
    outcome
}

/// Nothing of the command before, which succeeded, is left for the next: as DISCARD ALL.
///
/// # Safety
/// In a connected process, outside any transaction.
pub unsafe fn forget() {
    // SAFETY: as said above; the context is that of the last run(), and nothing in it is used any more.
    unsafe {
        pg_sys::debug_query_string = std::ptr::null();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::MemoryContextDelete(CONTEXT.replace(std::ptr::null_mut()));
        let mut all =
            pg_sys::DiscardStmt { type_: pg_sys::NodeTag::T_DiscardStmt, target: pg_sys::DiscardMode::DISCARD_ALL };
        pg_sys::StartTransactionCommand();
        // Temporary tables are dropped, for which catalogs are read.
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pgrx::pg_sys::ffi::pg_guard_ffi_boundary(|| DiscardCommand(&mut all, true));
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
    }
}

unsafe fn execute(statement: &Statement, command: &CStr, context: pg_sys::MemoryContext, outcome: &mut Outcome) {
    // SAFETY: as said at run().
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        if statement.shares {
            pg_sys::BeginImplicitTransactionBlock();
        }
        pg_sys::MemoryContextSwitchTo(context);
        let timeout = u64::try_from(pg_sys::StatementTimeout).ok().filter(|timeout| *timeout > 0);
        let timeout = timeout.map(|timeout| Timeout::start(Duration::from_millis(timeout)));
        DEADLINE.set(timeout.as_ref().map(|timeout| timeout.0));
        pg_sys::check_for_interrupts!();
        command::refuse_copy((*statement.raw).stmt);
        let tag = pg_sys::CreateCommandTag((*statement.raw).stmt);
        let snapshot = pg_sys::analyze_requires_snapshot(statement.raw);
        if snapshot {
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
            statement.raw,
            command.as_ptr(),
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
        );
        let parallel = pg_sys::CURSOR_OPT_PARALLEL_OK as i32;
        let plans = pg_sys::pg_plan_queries(queries, command.as_ptr(), parallel, std::ptr::null_mut());
        if snapshot {
            pg_sys::PopActiveSnapshot();
        }
        let portal = pg_sys::CreatePortal(c"".as_ptr(), true, true);
        (*portal).visible = false;
        pg_sys::PortalDefineQuery(portal, std::ptr::null(), command.as_ptr(), tag, plans, std::ptr::null_mut());
        pg_sys::PortalStart(portal, std::ptr::null_mut(), 0, std::ptr::null_mut());
        let mut row = FirstRow::new(context);
        let mut completion = pg_sys::QueryCompletion::default();
        let receiver = row.receiver();
        pg_sys::PortalRun(portal, i64::MAX, true, true, receiver, receiver, &mut completion);
        let json = row.json();
        pg_sys::PortalDrop(portal, false);
        drop(timeout);
        if statement.shares && statement.last {
            pg_sys::EndImplicitTransactionBlock();
        }
        if !statement.shares || statement.last {
            pg_sys::CommitTransactionCommand();
        } else {
            pg_sys::CommandCounterIncrement();
        }
        pg_sys::MemoryContextSwitchTo(context);
        let mut text = [0; 64];
        pg_sys::BuildQueryCompletionString(text.as_mut_ptr(), &completion, false);
        outcome.message = CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned();
        if pg_sys::command_tag_display_rowcount(completion.commandTag) {
            outcome.rows = i64::try_from(completion.nprocessed).ok();
        }
        match json {
            Some(Ok(json)) => outcome.result = Some(json),
            Some(Err(why)) => {
                outcome.result = None;
                outcome.message.push_str(&format!("\nits first row is not kept: {why}"));
            }
            None => {}
        }
    }
}

/// A limit to what this process does, in force until it is dropped: then the statement is cancelled.
pub struct Timeout(Instant);

impl Timeout {
    pub fn start(after: Duration) -> Timeout {
        let milliseconds = i32::try_from(after.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the timeout is registered in every connected process.
        unsafe { enable_timeout_after(STATEMENT_TIMEOUT, milliseconds) };
        Timeout(Instant::now() + after)
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        // SAFETY: as above; also where it has fired.
        unsafe { disable_timeout(STATEMENT_TIMEOUT, false) };
    }
}

/// After an error: whether the time of the statement was over.
pub fn has_timed_out() -> bool {
    RAISED.get() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED as i32
        && DEADLINE.get().is_some_and(|deadline| deadline <= Instant::now())
}

/// Codes of errors are kept, which pgrx does for those only that it knows.
pub fn note_codes() {
    // SAFETY: the callback is for the rest of the process's life.
    unsafe {
        if pg_sys::error_context_stack.is_null() {
            pg_sys::error_context_stack = Box::leak(Box::new(pg_sys::ErrorContextCallback {
                previous: std::ptr::null_mut(),
                callback: Some(note_code),
                arg: std::ptr::null_mut(),
            }));
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn note_code(_argument: *mut c_void) {
    // SAFETY: called while an error is being made, after all others that add to its context.
    unsafe {
        RAISED.set(pg_sys::geterrcode());
        if KEEPS_CONTEXTS.get() {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let error = pg_sys::CopyErrorData();
            if (*error).elevel >= PgLogLevel::ERROR as i32 {
                let context = (*error).context;
                let text = (!context.is_null()).then(|| CStr::from_ptr(context).to_string_lossy().into_owned());
                ERROR_CONTEXT.set(text);
            }
            pg_sys::FreeErrorData(error);
            pg_sys::MemoryContextSwitchTo(before);
        }
    }
}

/// From now on the context of errors is kept, as PL/pgSQL's functions and lines.
pub fn keep_contexts() {
    KEEPS_CONTEXTS.set(true);
}

/// That of the error raised last.
pub fn take_context() -> Option<String> {
    ERROR_CONTEXT.take()
}

/// The five characters of a code.
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    let raised = RAISED.get();
    match code {
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR if raised != 0 => unpack(raised),
        code => unpack(code as i32),
    }
}

/// As MAKE_SQLSTATE of utils/elog.h packs them: six bits a character.
pub fn unpack(code: i32) -> String {
    (0..5).map(|place| ((code >> (6 * place) & 0x3f) as u8 + b'0') as char).collect()
}
