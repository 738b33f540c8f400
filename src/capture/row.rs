//! A row as a trigger sees it: its columns, as they are and as text.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::canonical::{self, Spelling};
use super::event::hash;
use super::extent::Room;
use super::jsonb::bytes_of;

/// In bytes. What is longer is no key, and no state.
const LONGEST_TEXT: usize = 4 << 20;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/datum.h; not among pgrx's bindings.
    fn datum_image_eq(a: pg_sys::Datum, b: pg_sys::Datum, by_value: bool, length: std::ffi::c_int) -> bool;
}

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
        unsafe { self.equal(column, self.datum(column), other.datum(column)) }
    }

    /// The same of many columns: each row is taken apart once, not from its beginning for every column.
    pub unsafe fn same_in(&self, other: &Row, columns: &[i16]) -> bool {
        // SAFETY: as above.
        unsafe {
            let (new, old) = (self.values(), other.values());
            columns.iter().all(|column| self.equal(*column, new[*column as usize - 1], old[*column as usize - 1]))
        }
    }

    unsafe fn equal(&self, column: i16, a: Option<pg_sys::Datum>, b: Option<pg_sys::Datum>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
        // SAFETY: values of the column's type; a pointer to a value of variable length is to that many bytes.
        unsafe {
            let attribute = self.attribute(column);
            let bytes = |datum: pg_sys::Datum| {
                let value = datum.cast_mut_ptr::<pg_sys::varlena>();
                std::slice::from_raw_parts(value.cast::<u8>(), pgrx::varsize_any(value))
            };
            // Mostly they are the same bytes; if not, they can be the same value written in another way.
            attribute.attlen == -1 && bytes(a) == bytes(b)
                || datum_image_eq(a, b, attribute.attbyval, attribute.attlen.into())
        }
    }

    /// The value as it is written in every session; a number that stands for it where that would be very long.
    pub unsafe fn text(&self, column: i16) -> Option<String> {
        // SAFETY: the output function is that of the column's type.
        unsafe {
            let datum = self.datum(column)?;
            let of_type = self.attribute(column).atttypid;
            match pg_sys::getBaseType(of_type) {
                // As casts and JSON have it; the output function says t and f.
                pg_sys::BOOLOID => return Some(datum.value().ne(&0).to_string()),
                pg_sys::INT2OID => return Some((datum.value() as i16).to_string()),
                pg_sys::INT4OID => return Some((datum.value() as i32).to_string()),
                pg_sys::INT8OID => return Some((datum.value() as i64).to_string()),
                _ => {}
            }
            // A number of ten bytes can have a hundred thousand digits.
            if Room(LONGEST_TEXT).take_value(datum, of_type).is_err() {
                let raw = pg_sys::toast_raw_datum_size(datum);
                let start = pg_sys::pg_detoast_datum_slice(datum.cast_mut_ptr(), 0, LONGEST_TEXT as i32);
                return Some(format!("#{:016x}#{raw}", hash(pgrx::varlena::varlena_to_byte_slice(start))));
            }
            if matches!(of_type, pg_sys::TEXTOID | pg_sys::VARCHAROID) {
                return Some(String::from_utf8_lossy(bytes_of(datum)).into_owned());
            }
            let mut function = pg_sys::InvalidOid;
            let mut varlena = false;
            pg_sys::getTypeOutputInfo(of_type, &mut function, &mut varlena);
            let spelling = Spelling::enter(canonical::needs(of_type));
            let text = pg_sys::OidOutputFunctionCall(function, datum);
            spelling.leave();
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

    /// Whether a value is kept outside the row: only then can it be wide.
    pub unsafe fn has_external(&self) -> bool {
        // SAFETY: a tuple has a header.
        unsafe { u32::from((*(*self.tuple).t_data).t_infomask) & pg_sys::HEAP_HASEXTERNAL != 0 }
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

    /// All columns, dropped ones included.
    pub unsafe fn values(&self) -> Vec<Option<pg_sys::Datum>> {
        // SAFETY: as promised by the caller; there is room for every column.
        unsafe {
            let count = (*self.columns).natts as usize;
            let mut values = vec![pg_sys::Datum::from(0_usize); count];
            let mut nulls = vec![true; count];
            pg_sys::heap_deform_tuple(self.tuple, self.columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            values.into_iter().zip(nulls).map(|(value, null)| (!null).then_some(value)).collect()
        }
    }

    /// The number of a column.
    pub unsafe fn column(&self, name: &str) -> Option<i16> {
        // SAFETY: as promised by the caller.
        unsafe { (1..=(*self.columns).natts as i16).find(|column| self.is_column(*column, name)) }
    }

    /// Has the column of this number, if there is one, this name?
    pub unsafe fn is_column(&self, column: i16, name: &str) -> bool {
        // SAFETY: as promised by the caller; a column's name is a C string.
        unsafe {
            column <= (*self.columns).natts as i16 && {
                let attribute = self.attribute(column);
                !attribute.attisdropped && CStr::from_ptr(attribute.attname.data.as_ptr()).to_bytes() == name.as_bytes()
            }
        }
    }

    /// How many characters there may be in a column of type varchar(n).
    pub unsafe fn longest(&self, column: i16) -> Option<usize> {
        // SAFETY: as promised by the caller.
        let attribute = unsafe { self.attribute(column) };
        let header = pg_sys::VARHDRSZ as i32;
        (attribute.atttypid == pg_sys::VARCHAROID && attribute.atttypmod >= header)
            .then(|| (attribute.atttypmod - header) as usize)
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

/// # Safety
/// `datum` is a jsonb.
pub unsafe fn to_value(datum: pg_sys::Datum) -> serde_json::Value {
    // SAFETY: jsonb_out on a jsonb returns a C string.
    let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)]) };
    text.and_then(|text| text.to_str().ok()).map(filter::document).unwrap_or_default()
}
