//! The log's partition with its indexes. One row opens and closes it; from the second row of a statement on it stays open
//! to the end of the transaction, because opening costs more than inserting.

use std::cell::Cell;

use pgrx::pg_sys;

use super::log::COLUMNS;

#[derive(Clone, Copy)]
struct Handle {
    partition: pg_sys::Oid,
    relation: pg_sys::Relation,
    indexes: pg_sys::CatalogIndexState,
}

thread_local! {
    static OPEN: Cell<Option<Handle>> = const { Cell::new(None) };
    /// Transaction and command of the last insert.
    static LAST: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
}

/// # Safety
/// Within the transaction `xid`; the partition is locked, and the values are of its columns.
pub unsafe fn insert(partition: pg_sys::Oid, xid: u64, values: &[pg_sys::Datum; COLUMNS], nulls: &[bool; COLUMNS]) {
    // SAFETY: as promised by the caller.
    unsafe {
        // A session's command counter, which only moves on between statements.
        let this = (xid, pg_sys::GetCurrentCommandId(false));
        let again = LAST.replace(this) == this;
        match OPEN.get().filter(|handle| handle.partition == partition) {
            Some(handle) => owned_by_transaction(|| put(handle.relation, handle.indexes, values, nulls)),
            None if again => {
                close();
                let handle = for_the_transaction(|| open(partition));
                OPEN.set(Some(handle));
                owned_by_transaction(|| put(handle.relation, handle.indexes, values, nulls));
            }
            None => {
                let handle = open(partition);
                put(handle.relation, handle.indexes, values, nulls);
                shut(handle);
            }
        }
    }
}

/// Before the transaction ends, or before a command that wants the partition for itself.
pub fn close() {
    if let Some(handle) = OPEN.take() {
        // SAFETY: opened by insert() in this transaction, with the same owner.
        unsafe { for_the_transaction(|| shut(handle)) };
    }
}

/// The transaction was rolled back: PostgreSQL has closed what was open.
pub fn forget() {
    OPEN.set(None);
}

unsafe fn open(partition: pg_sys::Oid) -> Handle {
    // SAFETY: the lock is held.
    unsafe {
        let relation = pg_sys::table_open(partition, pg_sys::NoLock as pg_sys::LOCKMODE);
        Handle { partition, relation, indexes: pg_sys::CatalogOpenIndexes(relation) }
    }
}

unsafe fn put(
    relation: pg_sys::Relation,
    indexes: pg_sys::CatalogIndexState,
    values: &[pg_sys::Datum; COLUMNS],
    nulls: &[bool; COLUMNS],
) {
    // SAFETY: as promised by insert()'s caller.
    unsafe {
        let tuple = pg_sys::heap_form_tuple((*relation).rd_att, values.as_ptr().cast_mut(), nulls.as_ptr().cast_mut());
        pg_sys::CatalogTupleInsertWithInfo(relation, tuple, indexes);
        pg_sys::heap_freetuple(tuple);
    }
}

unsafe fn shut(handle: Handle) {
    // SAFETY: opened by open(), with the present owner.
    unsafe {
        pg_sys::CatalogCloseIndexes(handle.indexes);
        pg_sys::table_close(handle.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
}

/// Runs `body` with memory and resources that live as long as the transaction, whatever statement or savepoint it is called in.
unsafe fn for_the_transaction<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the context is there within a transaction, and the present one restored; an abort resets it.
    unsafe {
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
        let result = owned_by_transaction(body);
        pg_sys::MemoryContextSwitchTo(context);
        result
    }
}

/// The same for resources alone: an index keeps pages pinned between inserts.
unsafe fn owned_by_transaction<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the owner is there within a transaction, and the present one restored; an abort resets it.
    unsafe {
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
        let result = body();
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
