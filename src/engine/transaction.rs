//! A transaction of the engine: what goes wrong in it is a value, and it leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiResult, SpiTupleTable};

use crate::log::{self, Column};
use crate::pg::lock::{self, Until};
use crate::pg::subtransaction::report;

/// Why a transaction failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// PostgreSQL's message, with its SQLSTATE.
    pub message: String,
    pub kind: FailureKind,
}

pub use delivery::FailureKind;

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), kind: FailureKind::Passing }
    }

    fn of(report: &pgrx::pg_sys::panic::ErrorReportWithLevel) -> Failure {
        let code = report.sql_error_code();
        let kind = match code {
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED => {
                FailureKind::Lock
            }
            _ if LASTING.contains(&class(code).as_str()) => FailureKind::Lasting,
            _ => FailureKind::Passing,
        };
        Failure { message: format!("{} ({code:?})", report.message()), kind }
    }
}

/// Classes of SQLSTATE that are about the values of a statement: data exceptions, constraints, limits of the program, damaged
/// data, internal errors.
const LASTING: [&str; 5] = ["22", "23", "54", "F0", "XX"];

/// The first two characters of an SQLSTATE, each of which takes six bits.
fn class(code: PgSqlErrorCode) -> String {
    let code = code as u32;
    [code & 0x3f, code >> 6 & 0x3f].into_iter().filter_map(|six| char::from_u32(six + u32::from(b'0'))).collect()
}

/// How long the engine waits for a lock, in milliseconds: meanwhile nothing is sent.
const LOCK_TIMEOUT: &std::ffi::CStr = c"250";
/// How long one transaction may take, in milliseconds.
const TIMEOUT: i32 = 600_000;

/// STATEMENT_TIMEOUT of utils/timeout.h.
const STATEMENT_TIMEOUT: std::ffi::c_int = 3;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/timeout.h; not among pgrx's bindings.
    fn enable_timeout_after(id: std::ffi::c_int, delay_ms: std::ffi::c_int);
    /// utils/timeout.h; not among pgrx's bindings.
    fn disable_timeout(id: std::ffi::c_int, keep_indicator: bool);
}

thread_local! {
    static STATEMENTS: RefCell<HashMap<&'static str, OwnedPreparedStatement>> = RefCell::default();
    static EXTENSION: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

pub struct Session<'a, 'conn>(&'a mut SpiClient<'conn>);

impl<'conn> Session<'_, 'conn> {
    /// Calls the verb `frontdesk_internal.<name>`, which is prepared once.
    pub fn call(&mut self, name: &'static str, args: &[DatumWithOid]) -> SpiResult<SpiTupleTable<'conn>> {
        if !STATEMENTS.with_borrow(|statements| statements.contains_key(name)) {
            let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
            let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
            let statement = self
                .0
                .prepare_mut(format!("select * from frontdesk_internal.{name}({})", marks.join(", ")).as_str(), &types)?
                .keep();
            STATEMENTS.with_borrow_mut(|statements| statements.insert(name, statement));
        }
        STATEMENTS.with_borrow(|statements| match statements.get(name) {
            // SpiClient::update() would take a transaction id, and a commit record, for those too that only read.
            Some(statement) => self.0.select(statement, None, args),
            None => Err(pgrx::spi::Error::InvalidPosition),
        })
    }

    /// Appends rows of one partition to a log, as the executor does it. `rows`: the columns without the first, the id.
    pub fn append<const COLUMNS: usize, const REST: usize>(
        &mut self,
        log: &str,
        sequence: &str,
        columns: &'static [Column; COLUMNS],
        rows: &[[Option<pg_sys::Datum>; REST]],
    ) {
        // SAFETY: in a transaction; a log's columns are known to the verb that calls this.
        unsafe { log::append(log, sequence, columns, rows) };
    }

    /// The moment before which all rows of a log are.
    pub fn end(&self, log: &str) -> i64 {
        // SAFETY: in a transaction.
        unsafe { log::end(log) }
    }
}

/// Forget what was prepared: the extension may have been dropped and made anew.
pub fn forget_statements() {
    STATEMENTS.with_borrow_mut(HashMap::clear);
    EXTENSION.set(pg_sys::InvalidOid);
}

pub fn transaction<T>(body: impl FnOnce(&mut Session) -> SpiResult<T>) -> Result<T, Failure> {
    // SAFETY: outside any transaction; as PostgreSQL's own background workers begin one.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        enable_timeout_after(STATEMENT_TIMEOUT, TIMEOUT);
    }
    PgTryBuilder::new(AssertUnwindSafe(|| {
        keep_extension();
        // SAFETY: in the transaction that was begun above.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        let result = Spi::connect_mut(|client| body(&mut Session(client)));
        match result {
            Ok(value) => {
                // SAFETY: ends what was begun above.
                unsafe {
                    disable_timeout(STATEMENT_TIMEOUT, false);
                    pg_sys::PopActiveSnapshot();
                    pg_sys::CommitTransactionCommand();
                    pg_sys::pgstat_report_stat(false);
                }
                Ok(value)
            }
            Err(error) => Err(abort(Failure::new(error.to_string()))),
        }
    }))
    .catch_others(|error| Err(abort(Failure::of(report(&error)))))
    .execute()
}

/// What the engine has beside the settings of its process: how long it waits for a lock, and plans that it can foresee.
pub fn settle_in() {
    let settings = [
        (c"lock_timeout", LOCK_TIMEOUT),
        // The tables are read by their indexes, whatever the planner thinks of them while they are new.
        (c"enable_seqscan", c"off"),
        (c"enable_indexscan", c"on"),
        (c"enable_indexonlyscan", c"on"),
        (c"enable_bitmapscan", c"on"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        (c"enable_nestloop", c"on"),
        (c"plan_cache_mode", c"force_generic_plan"),
        (c"jit", c"off"),
        (c"max_parallel_workers_per_gather", c"0"),
    ];
    for (name, value) in settings {
        // SAFETY: in a transaction, for some look into the catalog; names and values are constants.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
            );
        }
    }
}

/// One engine works in a database.
pub fn become_the_only_one() {
    lock::take(b"desk", 0, true, Until::Exit);
}

/// DROP EXTENSION locks the extension before its tables: whoever holds the extension first never meets it half way.
fn keep_extension() {
    // SAFETY: in a transaction.
    unsafe {
        if EXTENSION.get() == pg_sys::InvalidOid {
            EXTENSION.set(pg_sys::get_extension_oid(c"pg_frontdesk".as_ptr(), true));
        }
        if EXTENSION.get() != pg_sys::InvalidOid {
            let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
            pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, EXTENSION.get(), 0, share);
        }
    }
}

fn abort(failure: Failure) -> Failure {
    // SAFETY: the transaction that transaction() began; its snapshot goes with it.
    unsafe {
        disable_timeout(STATEMENT_TIMEOUT, false);
        pg_sys::AbortCurrentTransaction();
    }
    failure
}

/// xid8, which pgrx does not know.
#[derive(Clone, Copy)]
pub struct Xid8(pub u64);

impl IntoDatum for Xid8 {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(pg_sys::Datum::from(self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::XID8OID
    }
}

impl FromDatum for Xid8 {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Xid8> {
        (!is_null).then(|| Xid8(datum.value() as u64))
    }
}
