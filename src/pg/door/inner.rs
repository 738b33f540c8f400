//! Which function stands behind a verb.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use pgrx::prelude::*;

use super::not_a_verb;

/// Kept as long as the expression that calls the verb.
pub struct Inner {
    pub flinfo: pg_sys::FmgrInfo,
    pub owner: pg_sys::Oid,
    pub has_search_path: bool,
}

/// What the catalog says of it.
#[derive(Clone, Copy)]
struct Found {
    function: pg_sys::Oid,
    owner: pg_sys::Oid,
    has_search_path: bool,
}

thread_local! {
    static FOUND: RefCell<HashMap<pg_sys::Oid, Found>> = RefCell::new(HashMap::new());
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

impl Inner {
    /// # Safety
    /// `fcinfo` is that of a call of the verb.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> *mut Inner {
        // SAFETY: fn_extra is ours, and lives in the context of the FmgrInfo that has it.
        unsafe {
            let outer = (*fcinfo).flinfo;
            if outer.is_null() || is_trigger((*fcinfo).context) {
                not_a_verb();
            }
            if (*outer).fn_extra.is_null() {
                let found = find((*outer).fn_oid);
                let inner = pg_sys::MemoryContextAllocZero((*outer).fn_mcxt, size_of::<Inner>()).cast::<Inner>();
                pg_sys::fmgr_info_cxt(found.function, &raw mut (*inner).flinfo, (*outer).fn_mcxt);
                (*inner).flinfo.fn_expr = (*outer).fn_expr;
                (*inner).owner = found.owner;
                (*inner).has_search_path = found.has_search_path;
                (*outer).fn_extra = inner.cast();
            }
            (*outer).fn_extra.cast()
        }
    }
}

unsafe fn is_trigger(context: *mut pg_sys::Node) -> bool {
    use pg_sys::NodeTag::{T_EventTriggerData, T_TriggerData};
    // SAFETY: the node says what it is.
    !context.is_null() && matches!(unsafe { (*context).type_ }, T_TriggerData | T_EventTriggerData)
}

/// Looked up once in a session, and again when a function was changed.
fn find(outer: pg_sys::Oid) -> Found {
    if !LISTENS.replace(true) {
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        // SAFETY: the callback is a function of this library, which is never unloaded.
        unsafe { pg_sys::CacheRegisterSyscacheCallback(cache, Some(forget), pg_sys::Datum::from(0_usize)) };
    }
    if let Some(found) = FOUND.with_borrow(|all| all.get(&outer).copied()) {
        return found;
    }
    let found = look_up(outer);
    FOUND.with_borrow_mut(|all| all.insert(outer, found));
    found
}

#[pg_guard]
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    // Not borrowed here: nothing is invalidated while the map is looked into.
    FOUND.with_borrow_mut(HashMap::clear);
}

/// The function of the same name and argument types in frontdesk_internal (with `_inner` behind its name for a verb that is
/// there itself), if both are the extension's, as is the schema.
fn look_up(outer: pg_sys::Oid) -> Found {
    // SAFETY: tuples of the system cache are released here, or by the abort after an ERROR; nothing of them is kept.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"frontdesk_internal".as_ptr(), true);
        let extension = pg_sys::get_extension_oid(c"pg_frontdesk".as_ptr(), true);
        if schema == pg_sys::InvalidOid || extension == pg_sys::InvalidOid {
            not_a_verb();
        }
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        let public = pg_sys::SearchSysCache1(cache, outer.into());
        if public.is_null() {
            not_a_verb();
        }
        let verb = &*pg_sys::GETSTRUCT(public).cast::<pg_sys::FormData_pg_proc>();
        let mut name = verb.proname;
        if verb.pronamespace == schema {
            add_inner(&mut name);
        }
        let work = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Datum::from(&raw const name),
            pg_sys::Datum::from(&raw const verb.proargtypes),
            schema.into(),
        );
        if work.is_null() {
            not_a_verb();
        }
        let inner = &*pg_sys::GETSTRUCT(work).cast::<pg_sys::FormData_pg_proc>();
        let alike = (verb.prorettype, verb.proretset, verb.prokind, verb.proowner)
            == (inner.prorettype, inner.proretset, inner.prokind, inner.proowner);
        if !alike || owner_of(schema) != inner.proowner {
            not_a_verb();
        }
        for member in [outer, inner.oid] {
            if pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, member) != extension {
                not_a_verb();
            }
        }
        let mut is_null = false;
        let settings = pg_sys::SysCacheGetAttr(cache, work, pg_sys::Anum_pg_proc_proconfig as i16, &mut is_null);
        let settings = if is_null { None } else { Vec::<String>::from_datum(settings, false) };
        let has_search_path = settings.iter().flatten().any(|setting| setting.starts_with("search_path="));
        let found = Found { function: inner.oid, owner: inner.proowner, has_search_path };
        pg_sys::ReleaseSysCache(work);
        pg_sys::ReleaseSysCache(public);
        found
    }
}

/// A name that has no room for it stays as it is, and so is no verb's.
fn add_inner(name: &mut pg_sys::NameData) {
    let suffix = c"_inner".to_bytes_with_nul();
    let length = name.data.iter().position(|byte| *byte == 0).unwrap_or(name.data.len());
    for (place, byte) in name.data.iter_mut().skip(length).zip(suffix) {
        *place = *byte as _;
    }
    if let Some(last) = name.data.last_mut() {
        *last = 0;
    }
}

fn owner_of(schema: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: released before it returns.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::NAMESPACEOID as i32, schema.into());
        if tuple.is_null() {
            not_a_verb();
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_namespace>()).nspowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}
