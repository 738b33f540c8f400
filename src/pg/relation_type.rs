//! The type frontdesk.relation: a table by its name, where the name of one that is not there is nothing.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use pgrx::{direct_function_call, direct_function_call_as_datum};

/// As a number, because pgrx makes a null of the oid 0.
#[pg_extern(sql = false)]
fn relation_in(text: &CStr) -> i64 {
    let name = text.to_string_lossy();
    // A number names a table that was dropped elsewhere.
    if name == "-" || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    // SAFETY: it gets a text, and gives null for what names no relation.
    let relation = unsafe { direct_function_call::<pg_sys::Oid>(pg_sys::to_regclass, &[name.as_ref().into_datum()]) };
    relation.map_or(0, |relation| relation.to_u32().into())
}

#[pg_extern(sql = false)]
fn relation_out(relation: pg_sys::Oid) -> CString {
    // SAFETY: regclassout gives a C string of this memory context: the name, the number where there is none, or "-".
    unsafe {
        let text = direct_function_call_as_datum(pg_sys::regclassout, &[Some(relation.into())]);
        text.map_or_else(CString::default, |text| CStr::from_ptr(text.cast_mut_ptr()).into())
    }
}
