//! Makes a row fit into jsonb, which holds less than a table does: a row that cannot be recorded whole is still stored.

use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::row::Row;

/// JSONTYPE_ARRAY and JSONTYPE_COMPOSITE of utils/jsonfuncs.h.
const ARRAY: u32 = 8;
const COMPOSITE: u32 = 9;

unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_json(value: pg_sys::Datum, category: u32, output_function: pg_sys::Oid) -> pg_sys::Datum;
    /// utils/fmgrprotos.h; pgrx's binding is no function pointer.
    fn jsonb_in(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum;
}

/// Wide values of a row up to here, in bytes, are recorded: jsonb ends at 256 MB, bytea doubles on its way there, and an array
/// of booleans takes 32 bytes for each.
const WIDEST: usize = 16 << 20;

/// The columns that can have JSON in them: jsonb refuses some of what json takes.
///
/// # Safety
/// `columns` belongs to an open relation.
pub unsafe fn json_columns(columns: pg_sys::TupleDesc) -> Vec<i16> {
    // SAFETY: as promised by the caller.
    unsafe {
        let columns = &*columns;
        let attributes = columns.attrs.as_slice(columns.natts as usize);
        let json = |attribute: &&pg_sys::FormData_pg_attribute| !attribute.attisdropped && has_json(attribute.atttypid);
        attributes.iter().filter(json).map(|attribute| attribute.attnum).collect()
    }
}

/// Whether a value of this type can have JSON in it; of a composite it is taken for granted.
unsafe fn has_json(of_type: pg_sys::Oid) -> bool {
    // SAFETY: looks a type up that exists as long as its column does.
    unsafe {
        let base = pg_sys::getBaseType(of_type);
        let element = pg_sys::get_element_type(base);
        base == pg_sys::JSONOID || is_composite(base) || element != pg_sys::InvalidOid && has_json(element)
    }
}

unsafe fn is_composite(base: pg_sys::Oid) -> bool {
    // SAFETY: as above.
    base == pg_sys::RECORDOID || unsafe { pg_sys::get_typtype(base) } as u8 == pg_sys::TYPTYPE_COMPOSITE
}

/// The row, with JSON that jsonb does not take (`\u0000`, half a surrogate pair, a number of a million digits) as a string of its
/// text, and null for wide values that do not fit into 16 MB and
/// for arrays and composites with such JSON in them.
///
/// # Safety
/// `json` are columns of the row, of type json.
pub unsafe fn fitted(row: Row, json: &[i16]) -> Row {
    // SAFETY: columns are those of the row; the new values are of their types.
    unsafe {
        let mut replaced: Vec<(i16, Option<pg_sys::Datum>)> = Vec::new();
        if row.has_external() {
            replaced.extend(too_wide(&row).into_iter().map(|column| (column, None)));
        }
        for column in json.iter().copied() {
            if replaced.iter().any(|(wide, _)| *wide == column) {
                continue;
            }
            let Some(value) = row.datum(column) else { continue };
            let base = pg_sys::getBaseType(row.type_of(column));
            if base == pg_sys::JSONOID {
                if let Some(text) = row.text(column).filter(|text| !is_jsonb(text)) {
                    replaced.push((column, serde_json::to_string(&text).ok().and_then(IntoDatum::into_datum)));
                }
            } else {
                let category = if is_composite(base) { COMPOSITE } else { ARRAY };
                let text = String::from_datum(datum_to_json(value, category, pg_sys::InvalidOid), false);
                if !text.is_some_and(|text| is_jsonb(&text)) {
                    replaced.push((column, None));
                }
            }
        }
        if replaced.is_empty() { row } else { row.with(&replaced) }
    }
}

unsafe fn too_wide(row: &Row) -> Vec<i16> {
    let mut total = 0;
    // SAFETY: of a value of variable length its size can be asked.
    unsafe {
        row.wide_columns()
            .filter(|(_, value)| {
                let size = pg_sys::toast_raw_datum_size(*value);
                let fits = total + size <= WIDEST;
                total += if fits { size } else { 0 };
                !fits
            })
            .map(|(column, _)| column)
            .collect()
    }
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
