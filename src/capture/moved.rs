//! A row that moves to another partition. PostgreSQL deletes it in one, inserts it into the other, and fires the
//! triggers of a DELETE and of an INSERT, for each row one right after the other. The deleted row is held here until
//! the inserted one comes: to whoever watches the table, the two are one update. If none comes, because a BEFORE
//! trigger kept the row out or it left the part of the table that is watched, the row was deleted.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_void};

use pgrx::prelude::*;
use pgrx::{direct_function_call, pg_guard};

use super::row::Row;

struct Held {
    /// The trigger of the partitioned table that both partitions have a copy of, and what it is called.
    origin: pg_sys::Oid,
    name: CString,
    /// Numbers a command within its transaction.
    command: pg_sys::CommandId,
    /// How many triggers it happened in, and in how many subtransactions.
    triggers: i32,
    level: i32,
    row: Row,
    columns: pg_sys::TupleDesc,
    /// What becomes of a row that was deleted.
    deleted: Box<dyn FnOnce(Row)>,
}

thread_local! {
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// The trigger of a partitioned table that this trigger of a partition is a copy of, from the top.
///
/// # Safety
/// In a transaction; `trigger` is valid.
pub unsafe fn origin(trigger: *const pg_sys::Trigger) -> Option<pg_sys::Oid> {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut origin = (*trigger).tgoid;
        if !(*trigger).tgisclone {
            return None;
        }
        loop {
            match parent(origin) {
                Some(pg_sys::InvalidOid) | None => return Some(origin),
                Some(parent) => origin = parent,
            }
        }
    }
}

/// Called first by a trigger for each row. Returns what an inserted row was in the partition that it comes from, in
/// the shape of this one.
///
/// # Safety
/// `trigger` is that of a change of a row in this transaction; `origin` is that of its trigger.
pub unsafe fn came_from(trigger: &pg_sys::TriggerData, origin: Option<pg_sys::Oid>) -> Option<Row> {
    if HELD.with_borrow(Vec::is_empty) {
        return None;
    }
    // SAFETY: as promised by the caller.
    unsafe {
        let (name, triggers) = (CStr::from_ptr((*trigger.tg_trigger).tgname), depth());
        let held = HELD.with_borrow_mut(|all| {
            if trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK != pg_sys::TRIGGER_EVENT_INSERT {
                return None;
            }
            let command = pg_sys::HeapTupleHeaderGetCmin((*trigger.tg_trigtuple).t_data);
            let arrives = |held: &Held| Some(held.origin) == origin && held.command == command;
            let place = all.iter().position(|held| held.triggers == triggers && arrives(held))?;
            Some(all.remove(place))
        });
        // Nothing comes between the two of a row: what is held still, by this statement or by one that is over, was
        // deleted.
        settle(|held| held.triggers >= triggers && held.name.as_c_str() == name);
        let held = held?;
        let columns = (*trigger.tg_relation).rd_att;
        let map = pg_sys::convert_tuples_by_name(held.columns, columns);
        let tuple =
            if map.is_null() { held.row.tuple() } else { pg_sys::execute_attr_map_tuple(held.row.tuple(), map) };
        Some(Row::new(tuple, columns))
    }
}

/// Whether the deleted row goes on to another partition. If so it is held, and `deleted` called later should it not
/// arrive.
///
/// # Safety
/// `trigger` is that of a DELETE, for a row; `origin` is that of its trigger.
pub unsafe fn leaves(
    trigger: &pg_sys::TriggerData,
    origin: Option<pg_sys::Oid>,
    deleted: impl FnOnce(Row) + 'static,
) -> bool {
    let Some(origin) = origin else { return false };
    // SAFETY: as promised by the caller. The copies live as long as the transaction, which is the longest that they
    // are held.
    unsafe {
        let header = (*trigger.tg_trigtuple).t_data;
        if !is_moved(&(*header).t_ctid) {
            return false;
        }
        listen();
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
        let columns = pg_sys::CreateTupleDescCopyConstr((*trigger.tg_relation).rd_att);
        let row = Row::new(pg_sys::heap_copytuple(trigger.tg_trigtuple), columns);
        pg_sys::MemoryContextSwitchTo(context);
        let held = Held {
            origin,
            name: CStr::from_ptr((*trigger.tg_trigger).tgname).to_owned(),
            command: pg_sys::HeapTupleHeaderGetCmax(header),
            triggers: depth(),
            level: pg_sys::GetCurrentTransactionNestLevel(),
            row,
            columns,
            deleted: Box::new(deleted),
        };
        HELD.with_borrow_mut(|all| all.push(held));
        true
    }
}

fn depth() -> i32 {
    // SAFETY: reads the session's state.
    unsafe { direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) }.unwrap_or_default()
}

fn settle(is_over: impl Fn(&Held) -> bool) {
    loop {
        let next = |all: &mut Vec<Held>| {
            let place = all.iter().position(&is_over)?;
            Some(all.remove(place))
        };
        let Some(held) = HELD.with_borrow_mut(next) else { return };
        // SAFETY: in a transaction that is in progress; the snapshot is taken off again, or by the abort.
        unsafe {
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            (held.deleted)(held.row);
            pg_sys::PopActiveSnapshot();
        }
    }
}

fn is_moved(at: &pg_sys::ItemPointerData) -> bool {
    at.ip_blkid.bi_hi == u16::MAX
        && at.ip_blkid.bi_lo == u16::MAX
        && u32::from(at.ip_posid) == pg_sys::MovedPartitionsOffsetNumber
}

fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: the callbacks are functions of this library, which is never unloaded. Those that were registered
        // last are called first: the log is still open.
        unsafe {
            pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(at_subtransaction), std::ptr::null_mut());
        }
    }
}

/// Rows that are still held when the transaction ends well arrived nowhere.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => settle(|_| true),
        _ => HELD.with_borrow_mut(Vec::clear),
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    _this: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if HELD.with_borrow(Vec::is_empty) {
        return;
    }
    // SAFETY: reads the session's state.
    let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => settle(|held| held.level >= level),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => {
            HELD.with_borrow_mut(|all| all.retain(|held| held.level < level))
        }
        _ => {}
    }
}

/// What a trigger is a copy of; InvalidOid: of none. None: there is no such trigger.
unsafe fn parent(trigger: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: in a transaction; the columns of pg_trigger up to this one are those of FormData_pg_trigger.
    unsafe {
        let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(pg_sys::TriggerRelationId, share);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_trigger_oid as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_OIDEQ.into(),
            trigger.into(),
        );
        let by_oid = pg_sys::TriggerOidIndexId.into();
        let scan = pg_sys::systable_beginscan(relation, by_oid, true, std::ptr::null_mut(), 1, &mut key);
        let tuple = pg_sys::systable_getnext(scan);
        let parent = (!tuple.is_null()).then(|| {
            let header = (*tuple).t_data;
            (*header.cast::<u8>().add((*header).t_hoff.into()).cast::<pg_sys::FormData_pg_trigger>()).tgparentid
        });
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, share);
        parent
    }
}
