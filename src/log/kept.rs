//! A partition that stays open from one row to the next. One row opens and closes it; from the second row of a statement on
//! it stays open, because opening costs more than inserting. It belongs to the subtransaction that opened it, with its locks
//! and its memory, and ends with it; any command that might change the table closes it first.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::Column;
use super::table::Table;

struct Kept {
    table: Table,
    subtransaction: pg_sys::SubTransactionId,
    owner: pg_sys::ResourceOwner,
}

thread_local! {
    static OPEN: RefCell<Option<Kept>> = const { RefCell::new(None) };
    /// Transaction, subtransaction and command of the last insert.
    static LAST: Cell<(u64, pg_sys::SubTransactionId, pg_sys::CommandId)> = const { Cell::new((0, 0, 0)) };
}

/// Called once, when the library is loaded.
pub fn init() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterSubXactCallback(Some(at_subtransaction), std::ptr::null_mut()) };
}

/// # Safety
/// Within the transaction `xid`; the partition is locked for writing, and the values are of the columns.
pub unsafe fn insert(partition: pg_sys::Oid, xid: u64, columns: &[Column], values: &[Option<pg_sys::Datum>]) {
    // SAFETY: as promised by the caller.
    unsafe {
        let subtransaction = pg_sys::GetCurrentSubTransactionId();
        let fits = |kept: &Kept| kept.table.partition == partition && kept.subtransaction == subtransaction;
        // Taken out while it is used: a trigger or an index of the log may come back here.
        if let Some(mut kept) = OPEN.with_borrow_mut(|open| open.take_if(|kept| fits(kept))) {
            owned_by(kept.owner, || kept.table.put(values));
            return keep(kept);
        }
        // A session's command counter, which only moves on between statements.
        let this = (xid, subtransaction, pg_sys::GetCurrentCommandId(false));
        if LAST.replace(this) != this {
            let mut table = Table::open(partition, columns);
            table.put(values);
            return table.close();
        }
        close();
        let owner = pg_sys::CurTransactionResourceOwner;
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::CurTransactionContext);
        let table = owned_by(owner, || {
            // The lock is held already; this is its hold by the subtransaction itself.
            pg_sys::LockRelationOid(partition, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
            Table::open(partition, columns)
        });
        pg_sys::MemoryContextSwitchTo(context);
        let mut kept = Kept { table, subtransaction, owner };
        owned_by(owner, || kept.table.put(values));
        keep(kept);
    }
}

fn keep(kept: Kept) {
    if let Some(other) = OPEN.replace(Some(kept)) {
        // SAFETY: opened meanwhile by insert(), in the same subtransaction.
        unsafe { owned_by(other.owner, || other.table.close()) };
    }
}

/// Before the transaction ends, or before a command that may want the partition for itself.
pub fn close() {
    if let Some(kept) = OPEN.take() {
        // SAFETY: opened by insert() in a subtransaction that is not over, with this owner.
        unsafe { owned_by(kept.owner, || kept.table.close()) };
    }
}

/// The transaction was rolled back: PostgreSQL has closed what was open.
pub fn forget() {
    OPEN.set(None);
}

#[pg_guard]
unsafe extern "C-unwind" fn at_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    this: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if !OPEN.with_borrow(|open| open.as_ref().is_some_and(|kept| kept.subtransaction == this)) {
        return;
    }
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => close(),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => forget(),
        _ => {}
    }
}

/// Runs `body` with the resources of this owner: an index keeps pages pinned between inserts.
unsafe fn owned_by<T>(owner: pg_sys::ResourceOwner, body: impl FnOnce() -> T) -> T {
    // SAFETY: the owner is there as long as its subtransaction, and the present one restored; an abort resets it.
    unsafe {
        let present = pg_sys::CurrentResourceOwner;
        pg_sys::CurrentResourceOwner = owner;
        let result = body();
        pg_sys::CurrentResourceOwner = present;
        result
    }
}
