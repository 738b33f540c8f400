//! An open partition of a log, and how the executor puts rows into it: defaults of columns that are not ours, constraints,
//! triggers, every index.
#![allow(non_snake_case)]

use std::ffi::CStr;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use super::Column;
use crate::error::raise;

const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// executor/nodeModifyTable.h; not among pgrx's bindings.
    fn ExecComputeStoredGenerated(
        result: *mut pg_sys::ResultRelInfo,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
        command: pg_sys::CmdType::Type,
    );
}

pub struct Table {
    pub partition: pg_sys::Oid,
    relation: pg_sys::Relation,
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where each of our columns is, from 0. One that its owner dropped is nowhere.
    places: Vec<Option<usize>>,
    /// Columns of the owner's own that have a default.
    defaults: Vec<(usize, *mut pg_sys::ExprState)>,
}

impl Table {
    /// What is opened belongs to the present memory context and resource owner.
    ///
    /// # Safety
    /// Within a transaction that holds a lock for writing on the partition.
    pub unsafe fn open(partition: pg_sys::Oid, columns: &[Column]) -> Table {
        // SAFETY: as promised by the caller.
        unsafe {
            let relation = pg_sys::table_open(partition, KEEP);
            let estate = pg_sys::CreateExecutorState();
            let result = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(result, relation, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let slot = pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsVirtual);
            let places = places(relation, columns);
            let defaults = defaults(relation, estate, &places);
            Table { partition, relation, estate, result, slot, places, defaults }
        }
    }

    /// # Safety
    /// The resource owner is the one that the table was opened under.
    pub unsafe fn close(self) {
        // SAFETY: opened by open(); the lock is kept to the end of the transaction.
        unsafe {
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            // Slots of triggers.
            pg_sys::ExecResetTupleTable((*self.estate).es_tupleTable, false);
            pg_sys::table_close(self.relation, KEEP);
            pg_sys::FreeExecutorState(self.estate);
        }
    }

    /// Puts one row in.
    ///
    /// # Safety
    /// Values are of the columns that the table was opened with, in their order.
    pub unsafe fn put(&mut self, values: &[Option<pg_sys::Datum>]) {
        // SAFETY: as promised by the caller; what the executor needs was made by open().
        unsafe {
            self.fill(self.slot, values);
            let triggers = (*self.result).ri_TrigDesc;
            let fires = |before: bool| match triggers.as_ref() {
                Some(triggers) if before => triggers.trig_insert_before_row,
                Some(triggers) => triggers.trig_insert_after_row,
                None => false,
            };
            if fires(true) && !pg_sys::ExecBRInsertTriggers(self.estate, self.result, self.slot) {
                return self.forget_row();
            }
            self.check(self.slot);
            if fires(true) {
                pg_sys::ExecPartitionCheck(self.result, self.slot, self.estate, true);
            }
            if fires(false) {
                pg_sys::AfterTriggerBeginQuery();
                let opened = (*self.estate).es_opened_result_relations;
                (*self.estate).es_opened_result_relations = pg_sys::lappend(opened, self.result.cast());
            }
            pg_sys::simple_table_tuple_insert(self.relation, self.slot);
            let recheck = self.index(self.slot);
            if fires(false) {
                pg_sys::ExecARInsertTriggers(self.estate, self.result, self.slot, recheck, std::ptr::null_mut());
                pg_sys::AfterTriggerEndQuery(self.estate);
                (*self.estate).es_opened_result_relations = std::ptr::null_mut();
            }
            self.forget_row();
        }
    }

    /// Puts many rows in: with one record of WAL for a page of them.
    ///
    /// # Safety
    /// As [`put`](Table::put).
    pub unsafe fn put_all(&mut self, rows: &[Vec<Option<pg_sys::Datum>>]) {
        // SAFETY: as promised by the caller; each slot is dropped.
        unsafe {
            if rows.len() == 1 || !(*self.result).ri_TrigDesc.is_null() {
                return rows.iter().for_each(|row| self.put(row));
            }
            let description = (*self.relation).rd_att;
            let empty = || pg_sys::MakeSingleTupleTableSlot(description, &raw const pg_sys::TTSOpsHeapTuple);
            let mut slots: Vec<*mut pg_sys::TupleTableSlot> = Vec::with_capacity(rows.len());
            for row in rows {
                self.fill(self.slot, row);
                self.check(self.slot);
                let slot = empty();
                let tuple = pg_sys::heap_form_tuple(description, (*self.slot).tts_values, (*self.slot).tts_isnull);
                pg_sys::ExecForceStoreHeapTuple(tuple, slot, true);
                slots.push(slot);
                self.forget_row();
            }
            let (relation, slots) = (self.relation, &mut slots[..]);
            if let Some(insert) = (*(*relation).rd_tableam).multi_insert {
                let command = pg_sys::GetCurrentCommandId(true);
                let (first, count) = (slots.as_mut_ptr(), slots.len() as i32);
                pg_guard_ffi_boundary(|| insert(relation, first, count, command, 0, std::ptr::null_mut()));
            }
            for slot in slots {
                self.index(*slot);
                self.forget_row();
                pg_sys::ExecDropSingleTupleTableSlot(*slot);
            }
        }
    }

    unsafe fn fill(&self, slot: *mut pg_sys::TupleTableSlot, values: &[Option<pg_sys::Datum>]) {
        // SAFETY: the slot has a place for each column of the relation, and is empty.
        unsafe {
            let count = (*(*self.relation).rd_att).natts as usize;
            let nulls = std::slice::from_raw_parts_mut((*slot).tts_isnull, count);
            let datums = std::slice::from_raw_parts_mut((*slot).tts_values, count);
            nulls.fill(true);
            for (place, value) in self.places.iter().zip(values) {
                if let (Some(place), Some(value)) = (place, value) {
                    datums[*place] = *value;
                    nulls[*place] = false;
                }
            }
            for (place, default) in &self.defaults {
                datums[*place] = self.evaluate(*default, &mut nulls[*place]);
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }

    unsafe fn evaluate(&self, default: *mut pg_sys::ExprState, null: &mut bool) -> pg_sys::Datum {
        // SAFETY: the expression was prepared in this executor state.
        unsafe {
            let Some(evaluate) = (*default).evalfunc else { return pg_sys::Datum::from(0_usize) };
            let context = match (*self.estate).es_per_tuple_exprcontext {
                context if context.is_null() => pg_sys::MakePerTupleExprContext(self.estate),
                context => context,
            };
            let before = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
            let value = pg_guard_ffi_boundary(|| evaluate(default, context, null));
            pg_sys::MemoryContextSwitchTo(before);
            value
        }
    }

    /// Generated columns, NOT NULL, CHECK.
    unsafe fn check(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the slot has a row of the relation.
        unsafe {
            let Some(constraints) = (*(*self.relation).rd_att).constr.as_ref() else { return };
            if constraints.has_generated_stored {
                ExecComputeStoredGenerated(self.result, self.estate, slot, pg_sys::CmdType::CMD_INSERT);
            }
            pg_sys::ExecConstraints(self.result, slot, self.estate);
        }
    }

    unsafe fn index(&self, slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::List {
        // SAFETY: the row in the slot was stored just now.
        unsafe {
            if (*self.result).ri_NumIndices == 0 {
                return std::ptr::null_mut();
            }
            let none = std::ptr::null_mut();
            let (result, estate) = (self.result, self.estate);
            pg_sys::ExecInsertIndexTuples(result, slot, estate, false, false, none, std::ptr::null_mut(), false)
        }
    }

    /// Empties the slot, and what was evaluated for its row.
    unsafe fn forget_row(&self) {
        // SAFETY: nothing of the row is looked at any more.
        unsafe {
            let slot = self.slot;
            if let Some(clear) = (*(*slot).tts_ops).clear {
                pg_guard_ffi_boundary(|| clear(slot));
            }
            let context = (*self.estate).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::ReScanExprContext(context);
            }
        }
    }
}

/// Our columns among those of the relation, by their names.
unsafe fn places(relation: pg_sys::Relation, columns: &[Column]) -> Vec<Option<usize>> {
    // SAFETY: the relation is open; a column's name is a C string.
    unsafe {
        let description = &*(*relation).rd_att;
        let attributes = description.attrs.as_slice(description.natts as usize);
        let is = |at: usize, name: &str| {
            attributes.get(at).is_some_and(|attribute| {
                !attribute.attisdropped && CStr::from_ptr(attribute.attname.data.as_ptr()).to_bytes() == name.as_bytes()
            })
        };
        let place = |(at, (name, of_type)): (usize, &Column)| {
            // Mostly they are where sql/tables has them.
            let place = if is(at, name) { Some(at) } else { (0..attributes.len()).find(|at| is(*at, name)) }?;
            if attributes[place].atttypid != *of_type {
                raise(
                    PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                    format!("column \"{name}\" of a log of pg_frontdesk has another type than it was made with"),
                    Some(format!("It is column {} of {}.", place + 1, name_of(relation))),
                    Some("Give it its type back with ALTER TABLE.".into()),
                );
            }
            (attributes[place].attgenerated == 0).then_some(place)
        };
        columns.iter().enumerate().map(place).collect()
    }
}

unsafe fn defaults(
    relation: pg_sys::Relation,
    estate: *mut pg_sys::EState,
    ours: &[Option<usize>],
) -> Vec<(usize, *mut pg_sys::ExprState)> {
    // SAFETY: the relation is open; expressions are prepared in the memory of the executor state.
    unsafe {
        let description = &*(*relation).rd_att;
        let attributes = description.attrs.as_slice(description.natts as usize);
        let own = attributes.iter().enumerate().filter(|(at, attribute)| {
            !attribute.attisdropped && attribute.attgenerated == 0 && !ours.contains(&Some(*at))
        });
        let prepared = own.filter_map(|(at, attribute)| {
            let default = pg_sys::build_column_default(relation, attribute.attnum.into()).cast::<pg_sys::Expr>();
            (!default.is_null()).then(|| (at, pg_sys::ExecPrepareExpr(default, estate)))
        });
        prepared.collect()
    }
}

unsafe fn name_of(relation: pg_sys::Relation) -> String {
    // SAFETY: the relation is open; its name is a C string.
    unsafe { CStr::from_ptr((*(*relation).rd_rel).relname.data.as_ptr()) }.to_string_lossy().into_owned()
}
