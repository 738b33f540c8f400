//! Commands of which the engine must hear: those that want its database for themselves, DROP EXTENSION, COMMIT PREPARED.

mod dropping;
mod exclusive;

use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use pgrx::prelude::*;

use crate::job::follow;
use crate::{log, wake};

static PREVIOUS: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

pub fn init() {
    // SAFETY: _PG_init runs once, in one thread; a hook is a function pointer of this type or null.
    unsafe {
        PREVIOUS.store(pg_sys::ProcessUtility_hook.map_or(std::ptr::null_mut(), |hook| hook as *mut ()), SeqCst);
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// The hook's type, and so standard_ProcessUtility's.
type ProcessUtility = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const std::ffi::c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);

mod direct {
    use super::pg_sys;

    unsafe extern "C-unwind" {
        /// tcop/utility.h: the function as such. pgrx's binding would catch its errors and raise them again, without
        /// their position and the names of the constraint, table and column.
        pub fn standard_ProcessUtility(
            statement: *mut pg_sys::PlannedStmt,
            query: *const std::ffi::c_char,
            read_only: bool,
            context: pg_sys::ProcessUtilityContext::Type,
            params: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            receiver: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        );
    }
}

fn next() -> ProcessUtility {
    let previous = PREVIOUS.load(SeqCst);
    if previous.is_null() {
        return direct::standard_ProcessUtility;
    }
    // SAFETY: what init() took from the hook, which is of this type.
    unsafe { std::mem::transmute::<*mut (), ProcessUtility>(previous) }
}

/// Not guarded: an error of a command passes through as it is, and nothing here has to be dropped.
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the arguments are PostgreSQL's own and passed on unchanged.
    unsafe {
        match listen((*statement).utilityStmt, context) {
            Command::Other => {
                next()(statement, query, read_only, context, params, environment, receiver, completion);
            }
            Command::CommitPrepared => {
                next()(statement, query, read_only, context, params, environment, receiver, completion);
                wake::prepared();
            }
            Command::ChangesOwners => {
                next()(statement, query, read_only, context, params, environment, receiver, completion);
                follow::owners_changed((*statement).utilityStmt);
            }
            command => attend(command, statement, query, read_only, context, params, environment, receiver, completion),
        }
    }
}

/// A command before and after which something is to be done, whatever becomes of it.
#[pg_guard]
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn attend(
    command: Command,
    statement: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: as in process_utility(); here errors are caught, so that what was sent away is called back.
    let run = || unsafe {
        pgrx::pg_sys::ffi::pg_guard_ffi_boundary(|| {
            next()(statement, query, read_only, context, params, environment, receiver, completion)
        })
    };
    match command {
        Command::WantsDatabase(database) => exclusive::without_engine(database, run),
        _ => {
            let there = dropping::is_installed();
            // SAFETY: a command of this kind, as listen() found.
            if unsafe { dropping::is_ours(&*(*statement).utilityStmt.cast()) } {
                dropping::lock_all();
            }
            run();
            if there && !dropping::is_installed() {
                wake::reboot_at_commit();
            }
        }
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
enum Command {
    /// REASSIGN OWNED, DROP OWNED.
    ChangesOwners,
    Other,
    WantsDatabase(pg_sys::Oid),
    CommitPrepared,
    DropsExtension,
}

/// What the command is to us. Guarded, because looking into it may raise.
#[pg_guard]
unsafe extern "C-unwind" fn listen(
    command: *mut pg_sys::Node,
    context: pg_sys::ProcessUtilityContext::Type,
) -> Command {
    // It may change a table of the log, which must not be open then.
    log::close();
    // SAFETY: a parsed command.
    unsafe { heard(command, context) }.unwrap_or(Command::Other)
}

unsafe fn heard(command: *mut pg_sys::Node, context: pg_sys::ProcessUtilityContext::Type) -> Option<Command> {
    // SAFETY: a node's tag says its type.
    unsafe {
        match (*command).type_ {
            pg_sys::NodeTag::T_TransactionStmt => {
                let kind = (*command.cast::<pg_sys::TransactionStmt>()).kind;
                (kind == pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED).then_some(Command::CommitPrepared)
            }
            pg_sys::NodeTag::T_DropStmt => {
                let drop = &*command.cast::<pg_sys::DropStmt>();
                (drop.removeType == pg_sys::ObjectType::OBJECT_EXTENSION).then_some(Command::DropsExtension)
            }
            pg_sys::NodeTag::T_DropdbStmt
            | pg_sys::NodeTag::T_AlterDatabaseStmt
            | pg_sys::NodeTag::T_RenameStmt
            | pg_sys::NodeTag::T_CreatedbStmt => {
                // Elsewhere such a command on a database is refused.
                let alone =
                    context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL && !pg_sys::IsTransactionBlock();
                alone.then(|| exclusive::wanted(command)).flatten().map(Command::WantsDatabase)
            }
            _ => follow::is_about_owners(command).then_some(Command::ChangesOwners),
        }
    }
}
