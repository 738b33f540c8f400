//! A row as a trigger sees it: its columns as text, itself as jsonb.

use std::ffi::CStr;

use pgrx::{IntoDatum, pg_sys};

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_jsonb(value: pg_sys::Datum, category: u32, output_function: pg_sys::Oid) -> pg_sys::Datum;
    /// utils/datum.h; not among pgrx's bindings.
    fn datum_image_eq(a: pg_sys::Datum, b: pg_sys::Datum, by_value: bool, length: std::ffi::c_int) -> bool;
}

/// JSONTYPE_COMPOSITE of utils/jsonfuncs.h.
const COMPOSITE: u32 = 9;

#[derive(Clone, Copy)]
pub struct Row {
    tuple: pg_sys::HeapTuple,
    columns: pg_sys::TupleDesc,
}

impl Row {
    /// # Safety
    /// `tuple` is of the relation that `columns` describes, and both outlive the row.
    pub unsafe fn new(tuple: pg_sys::HeapTuple, columns: pg_sys::TupleDesc) -> Row {
        Row { tuple, columns }
    }

    /// # Safety
    /// `column` is a column of the relation; the same holds for all that follow.
    pub unsafe fn datum(&self, column: i16) -> Option<pg_sys::Datum> {
        let mut null = false;
        // SAFETY: as promised by the caller.
        let datum = unsafe { pg_sys::heap_getattr(self.tuple, column.into(), self.columns, &mut null) };
        (!null).then_some(datum)
    }

    pub unsafe fn same(&self, other: &Row, column: i16) -> bool {
        // SAFETY: as promised by the caller; both values are of the column's type.
        unsafe {
            match (self.datum(column), other.datum(column)) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    let attribute = self.attribute(column);
                    datum_image_eq(a, b, attribute.attbyval, attribute.attlen.into())
                }
                _ => false,
            }
        }
    }

    pub unsafe fn text(&self, column: i16) -> Option<String> {
        // SAFETY: the output function is that of the column's type.
        unsafe {
            let datum = self.datum(column)?;
            if self.attribute(column).atttypid == pg_sys::BOOLOID {
                // As casts and JSON have it; the output function says t and f.
                return Some(datum.value().ne(&0).to_string());
            }
            let mut function = pg_sys::InvalidOid;
            let mut varlena = false;
            pg_sys::getTypeOutputInfo(self.attribute(column).atttypid, &mut function, &mut varlena);
            let text = pg_sys::OidOutputFunctionCall(function, datum);
            Some(CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// The key as text: the value of its column, or a JSON array when it has several. None without a key or with a null in it.
    pub unsafe fn key(&self, columns: &[i16]) -> Option<String> {
        // SAFETY: as promised by the caller.
        unsafe {
            match columns {
                [] => None,
                [column] => self.text(*column),
                _ => {
                    let values: Option<Vec<String>> = columns.iter().map(|column| self.text(*column)).collect();
                    serde_json::to_string(&values?).ok()
                }
            }
        }
    }

    /// Whether a value is kept outside the row: only then can the row be wide.
    pub unsafe fn has_external(&self) -> bool {
        // SAFETY: a tuple has a header.
        unsafe { u32::from((*(*self.tuple).t_data).t_infomask) & pg_sys::HEAP_HASEXTERNAL != 0 }
    }

    /// The values of variable length that are not null.
    pub unsafe fn wide_columns(&self) -> impl Iterator<Item = (i16, pg_sys::Datum)> {
        // SAFETY: as promised by the caller; a dropped column is null.
        unsafe {
            (1..=(*self.columns).natts as i16)
                .filter(|column| self.attribute(*column).attlen == -1)
                .filter_map(|column| Some((column, self.datum(column)?)))
        }
    }

    /// The row with other values in these columns.
    pub unsafe fn with(&self, values: &[(i16, Option<pg_sys::Datum>)]) -> Row {
        let mut columns: Vec<i32> = values.iter().map(|(column, _)| i32::from(*column)).collect();
        let mut datums: Vec<pg_sys::Datum> =
            values.iter().map(|(_, value)| value.unwrap_or(pg_sys::Datum::from(0_usize))).collect();
        let mut nulls: Vec<bool> = values.iter().map(|(_, value)| value.is_none()).collect();
        // SAFETY: the arrays are of one length; the values are of the columns' types.
        let tuple = unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                self.tuple,
                self.columns,
                values.len() as i32,
                columns.as_mut_ptr(),
                datums.as_mut_ptr(),
                nulls.as_mut_ptr(),
            )
        };
        Row { tuple, columns: self.columns }
    }

    pub fn tuple(&self) -> pg_sys::HeapTuple {
        self.tuple
    }

    pub unsafe fn to_jsonb(self) -> pg_sys::Datum {
        // SAFETY: the datum is a composite of the relation's row type, with everything toasted fetched.
        unsafe {
            datum_to_jsonb(pg_sys::heap_copy_tuple_as_datum(self.tuple, self.columns), COMPOSITE, pg_sys::InvalidOid)
        }
    }

    pub unsafe fn type_of(&self, column: i16) -> pg_sys::Oid {
        // SAFETY: as promised by the caller.
        unsafe { self.attribute(column).atttypid }
    }

    unsafe fn attribute(&self, column: i16) -> &pg_sys::FormData_pg_attribute {
        // SAFETY: columns are numbered from 1, and this one exists.
        let columns = unsafe { &*self.columns };
        // SAFETY: as above.
        let attributes = unsafe { columns.attrs.as_slice(columns.natts as usize) };
        &attributes[column as usize - 1]
    }
}

/// The object without these keys.
///
/// # Safety
/// `object` is a jsonb object.
pub unsafe fn without(object: pg_sys::Datum, keys: &[String]) -> pg_sys::Datum {
    let Some(keys) = keys.to_vec().into_datum() else { return object };
    // SAFETY: jsonb - text[] on values of these types; its result is never null.
    unsafe {
        pgrx::direct_function_call_as_datum(pg_sys::jsonb_delete_array, &[Some(object), Some(keys)]).unwrap_or(object)
    }
}

/// # Safety
/// `datum` is a jsonb.
pub unsafe fn to_value(datum: pg_sys::Datum) -> serde_json::Value {
    // SAFETY: jsonb_out on a jsonb returns a C string.
    let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)]) };
    text.and_then(|text| text.to_str().ok()).map(filter::document).unwrap_or_default()
}
