//! Where in a log a row belongs: what the catalog says of its partitions, whatever they are called.
#![allow(non_snake_case)]

use std::ffi::{CStr, CString};

use pgrx::prelude::*;

use crate::error::raise;

const SHARE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
const WRITE: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/partcache.h; not among pgrx's bindings.
    fn RelationGetPartitionKey(relation: pg_sys::Relation) -> *const Key;
}

/// The beginning of PartitionKeyData, utils/partcache.h.
#[repr(C)]
struct Key {
    strategy: pg_sys::PartitionStrategy::Type,
    count: i16,
    columns: *const i16,
    expressions: *mut pg_sys::List,
    families: *mut pg_sys::Oid,
    classes: *mut pg_sys::Oid,
    compare: *mut pg_sys::FmgrInfo,
    collations: *mut pg_sys::Oid,
}

/// A partition that has rows itself. All rows of the log between two moments belong there; none but the row that it was looked
/// up for where the log is not simply a table of moments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    pub oid: pg_sys::Oid,
    pub from: i64,
    pub until: i64,
}

/// What the row has in a column of this name and type.
pub type Value<'a> = &'a dyn Fn(&str, pg_sys::Oid) -> Option<pg_sys::Datum>;

/// A relation of the extension, in whichever of its two schemas.
pub fn find(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).unwrap_or_default();
    let schemas = [c"frontdesk_internal", c"frontdesk"];
    // SAFETY: look-ups in the system caches.
    let in_schema = |schema: &CStr| unsafe {
        pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(schema.as_ptr(), true))
    };
    schemas.into_iter().map(in_schema).find(|oid| *oid != pg_sys::InvalidOid)
}

/// The partition of a row, locked as for any write.
///
/// # Safety
/// Within a transaction; `root` is a log of the extension.
pub unsafe fn locked(root: pg_sys::Oid, value: Value) -> Leaf {
    // SAFETY: as promised by the caller.
    unsafe {
        loop {
            let leaf = of(root, value);
            // Taking the lock lets news in: a partition may have been attached, detached or dropped meanwhile.
            pg_sys::LockRelationOid(leaf.oid, WRITE);
            if of(root, value).oid == leaf.oid {
                return leaf;
            }
            unlock(leaf.oid);
        }
    }
}

/// Gives up what was locked and is not the right one any more: it may even be gone.
pub fn unlock(partition: pg_sys::Oid) {
    // SAFETY: the lock was taken just now.
    unsafe { pg_sys::UnlockRelationOid(partition, WRITE) };
}

/// The partition of a row, not locked.
///
/// # Safety
/// As [`locked`].
pub unsafe fn of(root: pg_sys::Oid, value: Value) -> Leaf {
    let mut leaf = Leaf { oid: root, from: i64::MIN, until: i64::MAX };
    let mut levels = 0;
    // SAFETY: as promised by the caller; each table is locked while it is looked at.
    unsafe {
        while pg_sys::get_rel_relkind(leaf.oid) as u8 == pg_sys::RELKIND_PARTITIONED_TABLE {
            let relation = pg_sys::table_open(leaf.oid, SHARE);
            let next = below(relation, value);
            pg_sys::table_close(relation, SHARE);
            let Some(next) = next else { no_place(leaf.oid) };
            levels += 1;
            // Of more than one level only this row is known to belong there.
            leaf = if levels == 1 { next } else { Leaf { from: 1, until: 0, ..next } };
        }
        if pg_sys::get_rel_relkind(leaf.oid) as u8 != pg_sys::RELKIND_RELATION {
            no_place(leaf.oid);
        }
    }
    leaf
}

/// The partition one level further down.
unsafe fn below(relation: pg_sys::Relation, value: Value) -> Option<Leaf> {
    // SAFETY: the relation is open and partitioned; its bounds are as partitioning/partbounds.h says; the value is of the
    // column's type, as sql/tables has it.
    unsafe {
        let key = &*RelationGetPartitionKey(relation);
        let column = (key.count == 1).then(|| *key.columns).filter(|column| *column > 0)?;
        let columns = &*(*relation).rd_att;
        let attribute = columns.attrs.as_slice(columns.natts as usize).get(column as usize - 1)?;
        let name = CStr::from_ptr(attribute.attname.data.as_ptr()).to_str().ok()?;
        let value = value(name, attribute.atttypid);

        let description = &*pg_sys::RelationGetPartitionDesc(relation, true);
        let bounds = description.boundinfo.as_ref()?;
        let mut equal = false;
        let mut between = (1, 0);
        let index = match (key.strategy, value) {
            (_, None) => bounds.null_index,
            (pg_sys::PartitionStrategy::PARTITION_STRATEGY_LIST, Some(value)) => {
                let at = pg_sys::partition_list_bsearch(
                    key.compare,
                    key.collations,
                    description.boundinfo,
                    value,
                    &mut equal,
                );
                if at >= 0 && equal { *bounds.indexes.add(at as usize) } else { -1 }
            }
            (pg_sys::PartitionStrategy::PARTITION_STRATEGY_RANGE, Some(mut value)) => {
                let at = pg_sys::partition_range_datum_bsearch(
                    key.compare,
                    key.collations,
                    description.boundinfo,
                    1,
                    &mut value,
                    &mut equal,
                );
                if attribute.atttypid == pg_sys::TIMESTAMPTZOID {
                    between = (bound(bounds, at).unwrap_or(i64::MIN), bound(bounds, at + 1).unwrap_or(i64::MAX));
                }
                *bounds.indexes.add((at + 1) as usize)
            }
            _ => return None,
        };
        let index = usize::try_from(if index < 0 { bounds.default_index } else { index }).ok()?;
        Some(Leaf { oid: *description.oids.add(index), from: between.0, until: between.1 })
    }
}

/// The moment at a bound; None without a bound, or where it is the beginning or the end of time.
unsafe fn bound(bounds: &pg_sys::PartitionBoundInfoData, at: i32) -> Option<i64> {
    // SAFETY: bounds of ranges of one column, of which there are so many.
    unsafe {
        let at = usize::try_from(at).ok().filter(|at| *at < bounds.ndatums as usize)?;
        let value = **bounds.kind.add(at) == pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_VALUE;
        value.then(|| (**bounds.datums.add(at)).value() as i64)
    }
}

fn no_place(log: pg_sys::Oid) -> ! {
    // SAFETY: a look-up in the system caches; a name is a C string.
    let name = unsafe {
        let name = pg_sys::get_rel_name(log);
        if name.is_null() { "?".into() } else { CStr::from_ptr(name).to_string_lossy() }
    };
    raise(
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
        format!("no partition of relation \"{name}\" found for row"),
        Some("A log of pg_frontdesk has a partition for each day, and a default partition for the rest.".into()),
        Some("Attach its default partition again, or one for today.".into()),
    )
}

/// The moment before which all rows of a log are; the end of time when its default partition has some. Whoever reads up to
/// there need not open the days that were made ahead.
///
/// # Safety
/// Within a transaction.
pub unsafe fn end(log: &str) -> i64 {
    let Some(parent) = find(log) else { return i64::MAX };
    // SAFETY: a log is partitioned by ranges of one column, a timestamptz.
    unsafe {
        let relation = pg_sys::table_open(parent, SHARE);
        let description = pg_sys::RelationGetPartitionDesc(relation, true);
        let bounds = (*description).boundinfo;
        let has_rows = |index: i32| {
            let Ok(index) = usize::try_from(index) else { return false };
            let partition = pg_sys::table_open(*(*description).oids.add(index), SHARE);
            // Partitions that are themselves partitioned are searched as well.
            let blocks = match (*(*partition).rd_rel).relkind as u8 {
                pg_sys::RELKIND_RELATION => {
                    pg_sys::RelationGetNumberOfBlocksInFork(partition, pg_sys::ForkNumber::MAIN_FORKNUM)
                }
                _ => 1,
            };
            pg_sys::table_close(partition, KEEP);
            blocks > 0
        };
        let end = if bounds.is_null() || has_rows((*bounds).default_index) {
            i64::MAX
        } else {
            // What ends at a bound has the same place among the partitions as the bound among the bounds; what has no end,
            // the last.
            let places = (*bounds).nindexes.max(0) as usize;
            let last = (0..places).rev().find(|place| has_rows(*(*bounds).indexes.add(*place)));
            last.map_or(i64::MIN, |place| bound(&*bounds, place as i32).unwrap_or(i64::MAX))
        };
        pg_sys::table_close(relation, KEEP);
        end
    }
}
