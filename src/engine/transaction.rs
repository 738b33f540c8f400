//! A transaction of the engine: what goes wrong in it is a value, and it leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiResult, SpiTupleTable};

use crate::log::{self, Column};

/// Why a transaction failed: PostgreSQL's message, with its SQLSTATE.
#[derive(Debug, Clone)]
pub struct Failure(pub String);

thread_local! {
    static STATEMENTS: RefCell<HashMap<&'static str, OwnedPreparedStatement>> = RefCell::default();
    static EXTENSION: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

pub struct Session<'a, 'conn>(&'a mut SpiClient<'conn>);

impl<'conn> Session<'_, 'conn> {
    /// Calls the verb `frontdesk.<name>`, which is prepared once.
    pub fn call(&mut self, name: &'static str, args: &[DatumWithOid]) -> SpiResult<SpiTupleTable<'conn>> {
        if !STATEMENTS.with_borrow(|statements| statements.contains_key(name)) {
            let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
            let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
            let statement = self
                .0
                .prepare_mut(format!("select * from frontdesk.{name}({})", marks.join(", ")).as_str(), &types)?
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

    /// Runs a command that is no verb: settings of this session.
    pub fn run(&mut self, command: &str) -> SpiResult<()> {
        self.0.update(command, None, &[]).map(|_| ())
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
                    pg_sys::PopActiveSnapshot();
                    pg_sys::CommitTransactionCommand();
                    pg_sys::pgstat_report_stat(false);
                }
                Ok(value)
            }
            Err(error) => Err(abort(error.to_string())),
        }
    }))
    .catch_others(|error| match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => {
            Err(abort(format!("{} ({:?})", report.message(), report.sql_error_code())))
        }
    })
    .execute()
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

fn abort(message: String) -> Failure {
    // SAFETY: the transaction that transaction() began; its snapshot goes with it.
    unsafe { pg_sys::AbortCurrentTransaction() };
    Failure(message)
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
