//! Makes a row fit into its record, which holds less than a table does: a row that cannot be recorded whole is still stored,
//! and the record says what is left out.

use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::extent::{Room, expands};
use super::jsonb::bytes_of;
use super::row::Row;
use crate::guc;

/// JSONTYPE_ARRAY and JSONTYPE_COMPOSITE of utils/jsonfuncs.h.
const ARRAY: u32 = 8;
const COMPOSITE: u32 = 9;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_json(value: pg_sys::Datum, category: u32, output_function: pg_sys::Oid) -> pg_sys::Datum;
}

unsafe extern "C-unwind" {
    /// utils/fmgrprotos.h; pgrx's binding is no function pointer. Called through PostgreSQL alone.
    fn jsonb_in(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum;
}

/// Which columns of a relation are looked at.
pub struct Fit {
    /// Those whose values can become much larger than they are.
    expanding: Vec<i16>,
    /// Those that can have JSON in them: jsonb refuses some of what json takes.
    json: Vec<i16>,
}

/// A row that fits.
pub struct Fitted {
    pub row: Row,
    /// The columns that did not, which are null in it.
    pub left_out: Vec<i16>,
}

impl Fit {
    /// # Safety
    /// `columns` belongs to an open relation.
    pub unsafe fn of(columns: pg_sys::TupleDesc) -> Fit {
        // SAFETY: as promised by the caller.
        unsafe {
            let attributes = (*columns).attrs.as_slice((*columns).natts as usize);
            let numbers = |is: unsafe fn(pg_sys::Oid) -> bool| -> Vec<i16> {
                let there = attributes.iter().filter(|attribute| !attribute.attisdropped);
                there.filter(|attribute| is(attribute.atttypid)).map(|attribute| attribute.attnum).collect()
            };
            Fit { expanding: numbers(expands), json: numbers(has_json) }
        }
    }

    /// The row, with null for what does not fit into the largest record there may be, as jsonb or as the text of that, and
    /// with JSON that jsonb does not take (`\u0000`, half a surrogate pair, a number of a million digits) as a string of its
    /// text, or null within an array or a composite.
    ///
    /// # Safety
    /// `row` is of the relation.
    pub unsafe fn fitted(&self, row: Row) -> Fitted {
        // SAFETY: columns are those of the row; the new values are of their types.
        unsafe {
            let mut left_out = Vec::new();
            if row.has_external() || !self.expanding.is_empty() {
                let mut room = Room(guc::max_record_bytes());
                let values = row.values();
                // Without values outside the row only those can be large that become so.
                let looked_at = |column: &i16| row.has_external() || self.expanding.contains(column);
                for column in (1..=values.len() as i16).filter(looked_at) {
                    let Some(value) = values[column as usize - 1] else { continue };
                    let before = room;
                    if room.take_value(value, row.type_of(column)).is_err() {
                        room = before;
                        left_out.push(column);
                    }
                }
            }
            let mut replaced: Vec<(i16, Option<pg_sys::Datum>)> = Vec::new();
            for column in self.json.iter().copied() {
                let Some(value) = row.datum(column).filter(|_| !left_out.contains(&column)) else { continue };
                let base = pg_sys::getBaseType(row.type_of(column));
                if base == pg_sys::JSONOID {
                    let text = String::from_utf8_lossy(bytes_of(value));
                    if !is_jsonb(&text) {
                        replaced.push((column, serde_json::to_string(&text).ok().and_then(IntoDatum::into_datum)));
                    }
                } else {
                    let category = if is_composite(base) { COMPOSITE } else { ARRAY };
                    let text = String::from_datum(datum_to_json(value, category, pg_sys::InvalidOid), false);
                    if !text.is_some_and(|text| is_jsonb(&text)) {
                        left_out.push(column);
                    }
                }
            }
            replaced.extend(left_out.iter().map(|column| (*column, None)));
            Fitted { row: if replaced.is_empty() { row } else { row.with(&replaced) }, left_out }
        }
    }
}

/// Whether a value of this type can have JSON in it.
unsafe fn has_json(of_type: pg_sys::Oid) -> bool {
    // SAFETY: looks types up that exist as long as the column does.
    unsafe { within(of_type, 0) }
}

unsafe fn within(of_type: pg_sys::Oid, depth: u32) -> bool {
    // SAFETY: as above.
    unsafe {
        let base = pg_sys::getBaseType(of_type);
        let element = pg_sys::get_element_type(base);
        // Of what is nested without end it is taken for granted.
        base == pg_sys::JSONOID
            || base == pg_sys::RECORDOID
            || depth > 16
            || element != pg_sys::InvalidOid && within(element, depth + 1)
            || is_composite(base) && {
                let columns = pg_sys::lookup_rowtype_tupdesc(base, -1);
                let attributes = (*columns).attrs.as_slice((*columns).natts as usize);
                let found = attributes.iter().any(|a| !a.attisdropped && within(a.atttypid, depth + 1));
                if (*columns).tdrefcount >= 0 {
                    pg_sys::DecrTupleDescRefCount(columns);
                }
                found
            }
    }
}

unsafe fn is_composite(base: pg_sys::Oid) -> bool {
    // SAFETY: as above.
    base == pg_sys::RECORDOID || unsafe { pg_sys::get_typtype(base) } as u8 == pg_sys::TYPTYPE_COMPOSITE
}

unsafe fn is_jsonb(text: &str) -> bool {
    let Ok(text) = std::ffi::CString::new(text) else { return false };
    let mut context = pg_sys::ErrorSaveContext { type_: pg_sys::NodeTag::T_ErrorSaveContext, ..Default::default() };
    let mut result = pg_sys::Datum::from(0_usize);
    // SAFETY: jsonb_in reports what is wrong with its input into the context.
    unsafe {
        pg_sys::DirectInputFunctionCallSafe(
            Some(jsonb_in),
            text.as_ptr().cast_mut(),
            pg_sys::InvalidOid,
            -1,
            (&raw mut context).cast(),
            &mut result,
        )
    }
}
