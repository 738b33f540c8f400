//! The type frontdesk.role: a role by its name, where the name of one that is not there is nobody.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;

/// As a number, because pgrx makes a null of the oid 0.
#[pg_extern(sql = false)]
fn role_in(text: &CStr) -> i64 {
    let text = text.to_string_lossy();
    let Some(name) = name(text.trim()) else { return 0 };
    // SAFETY: a C string; a role that is not there is InvalidOid.
    unsafe { pg_sys::get_role_oid(name.as_ptr(), true) }.to_u32().into()
}

/// The name as the catalog has it. None for "-" and for a number, which names a role that was dropped elsewhere.
fn name(text: &str) -> Option<CString> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let name = match inner {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None if text == "-" || text.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        None => text.to_ascii_lowercase(),
    };
    CString::new(name).ok()
}

#[pg_extern(sql = false)]
fn role_out(role: pg_sys::Oid) -> CString {
    if role == pg_sys::InvalidOid {
        return c"-".into();
    }
    // SAFETY: both give a C string of this memory context; the first a null for a role that is not there.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return CString::new(role.to_u32().to_string()).unwrap_or_default();
        }
        CStr::from_ptr(pg_sys::quote_identifier(name)).into()
    }
}
