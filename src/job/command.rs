//! A command cut into statements, and which of them share a transaction.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_void};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::NodeTag;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use crate::error::{invalid, raise};

pub struct Statement {
    pub raw: *mut pg_sys::RawStmt,
    /// Is it in one transaction with its neighbours?
    pub shares: bool,
    /// Is it the last of those?
    pub last: bool,
}

thread_local! {
    /// Where in a command the parser stopped, in characters from 1.
    static POSITION: Cell<i32> = const { Cell::new(0) };
}

/// Raises unless the command has statements that can be parsed; whether their objects exist is seen when it runs.
pub fn check(command: &str) {
    let Ok(text) = CString::new(command) else { invalid("command contains a NUL character", None) };
    // SAFETY: plain read.
    let previous = unsafe { pg_sys::error_context_stack };
    let mut callback =
        pg_sys::ErrorContextCallback { previous, callback: Some(note_position), arg: std::ptr::null_mut() };
    let count = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: the callback is taken off again below, whatever happens.
        unsafe {
            pg_sys::error_context_stack = &mut callback;
            let list = pg_sys::pg_parse_query(text.as_ptr());
            (0..length(list)).for_each(|n| refuse_copy((*element::<pg_sys::RawStmt>(list, n)).stmt));
            length(list)
        }
    }))
    .finally(move || {
        // SAFETY: as it was before.
        unsafe { pg_sys::error_context_stack = previous };
    })
    .catch_others(|error| match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => {
            let position = POSITION.replace(0);
            let at = (position > 0).then(|| format!("At character {position} of the command."));
            raise(
                report.sql_error_code(),
                format!("invalid command: {}", report.message()),
                at,
                report.hint().map(str::to_owned),
            )
        }
    })
    .execute();
    if count == 0 {
        invalid("command is empty", Some("Give one or more SQL statements.".into()));
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn note_position(_argument: *mut c_void) {
    // SAFETY: called while an error is being made.
    POSITION.set(unsafe { pg_sys::geterrposition() });
}

/// Consecutive ordinary statements share a transaction, as a client's do that come in one message. One that cannot run in a
/// transaction block, or that may end it, is on its own; where the command begins transactions itself, all are.
///
/// # Safety
/// In the memory context that is to hold the statements.
pub unsafe fn statements(command: &CStr) -> Vec<Statement> {
    // SAFETY: pg_parse_query returns a list of RawStmt.
    unsafe {
        let list = pg_sys::pg_parse_query(command.as_ptr());
        let raws: Vec<*mut pg_sys::RawStmt> = (0..length(list)).map(|n| element(list, n)).collect();
        let own_transactions = raws.iter().any(|raw| (*(**raw).stmt).type_ == NodeTag::T_TransactionStmt);
        let alone: Vec<bool> = raws.iter().map(|raw| own_transactions || must_be_alone((**raw).stmt)).collect();
        let with = |n: usize| alone.get(n).is_some_and(|alone| !alone);
        (0..raws.len())
            .map(|n| {
                let (before, after) = (n > 0 && with(n - 1), with(n + 1));
                Statement { raw: raws[n], shares: !alone[n] && (before || after), last: !after }
            })
            .collect()
    }
}

/// COPY to or from the client: a job has none, and the process would take the server's log for it.
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn refuse_copy(statement: *mut pg_sys::Node) {
    // SAFETY: cast to what its tag says.
    unsafe {
        if (*statement).type_ != NodeTag::T_CopyStmt {
            return;
        }
        let copy = statement.cast::<pg_sys::CopyStmt>();
        if (*copy).filename.is_null() {
            raise(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("COPY {} in a job", if (*copy).is_from { "FROM STDIN" } else { "TO STDOUT" }),
                Some("A job has no client that could send or receive the rows.".into()),
                Some("Copy to or from a file or a program of the server.".into()),
            );
        }
    }
}

/// # Safety
/// `statement` is a parse tree.
unsafe fn must_be_alone(statement: *mut pg_sys::Node) -> bool {
    // SAFETY: each is cast to what its tag says.
    unsafe {
        match (*statement).type_ {
            NodeTag::T_VacuumStmt => (*statement.cast::<pg_sys::VacuumStmt>()).is_vacuumcmd,
            NodeTag::T_IndexStmt => (*statement.cast::<pg_sys::IndexStmt>()).concurrent,
            NodeTag::T_DropStmt => (*statement.cast::<pg_sys::DropStmt>()).concurrent,
            NodeTag::T_DoStmt => ends_transactions(statement.cast()),
            NodeTag::T_CallStmt
            | NodeTag::T_ReindexStmt
            | NodeTag::T_ClusterStmt
            | NodeTag::T_CreatedbStmt
            | NodeTag::T_DropdbStmt
            | NodeTag::T_AlterDatabaseStmt
            | NodeTag::T_AlterSystemStmt
            | NodeTag::T_CreateTableSpaceStmt
            | NodeTag::T_DropTableSpaceStmt
            | NodeTag::T_CreateSubscriptionStmt
            | NodeTag::T_AlterSubscriptionStmt
            | NodeTag::T_DropSubscriptionStmt => true,
            NodeTag::T_AlterTableStmt => detaches_concurrently(statement.cast()),
            _ => false,
        }
    }
}

/// Does the body of a DO block speak of commit or rollback?
unsafe fn ends_transactions(statement: *mut pg_sys::DoStmt) -> bool {
    // SAFETY: the arguments are DefElem nodes; that of the body is a string.
    unsafe {
        let arguments = (*statement).args;
        (0..length(arguments)).any(|n| {
            let argument: *mut pg_sys::DefElem = element(arguments, n);
            let value = (*argument).arg;
            if value.is_null() || (*value).type_ != NodeTag::T_String {
                return false;
            }
            let text = CStr::from_ptr((*value.cast::<pg_sys::String>()).sval).to_string_lossy().to_ascii_lowercase();
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| matches!(word, "commit" | "rollback"))
        })
    }
}

unsafe fn detaches_concurrently(statement: *mut pg_sys::AlterTableStmt) -> bool {
    // SAFETY: the commands are AlterTableCmd nodes; that of a detach has a PartitionCmd.
    unsafe {
        let commands = (*statement).cmds;
        (0..length(commands)).any(|n| {
            let command: *mut pg_sys::AlterTableCmd = element(commands, n);
            (*command).subtype == pg_sys::AlterTableType::AT_DetachPartition
                && !(*command).def.is_null()
                && (*(*command).def.cast::<pg_sys::PartitionCmd>()).concurrent
        })
    }
}

/// # Safety
/// A list, or null for the empty one.
pub unsafe fn length(list: *mut pg_sys::List) -> usize {
    // SAFETY: a list, or null for the empty one.
    if list.is_null() { 0 } else { unsafe { (*list).length.max(0) as usize } }
}

/// # Safety
/// `n` is below the length of the list, which is one of pointers.
pub unsafe fn element<T>(list: *mut pg_sys::List, n: usize) -> *mut T {
    // SAFETY: n is below the length of the list, which is one of pointers.
    unsafe { (*(*list).elements.add(n)).ptr_value.cast() }
}
