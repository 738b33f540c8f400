//! One spelling of a value in every session: what an output function says depends on settings, and these are set aside.

use std::ffi::{CStr, c_char, c_int};

use pgrx::pg_sys;

/// Which settings the text of a type depends on.
pub type Needs = u8;
/// DateStyle, IntervalStyle, bytea_output, extra_float_digits.
const STYLE: Needs = 1;
/// TimeZone.
const ZONE: Needs = 2;
/// lc_monetary.
const MONEY: Needs = 4;
/// search_path, quote_all_identifiers.
const NAMES: Needs = 8;
const ALL: Needs = STYLE | ZONE | MONEY | NAMES;

/// Types within types.
const DEEPEST: u32 = 16;
/// USE_ISO_DATES and INTSTYLE_POSTGRES of miscadmin.h, BYTEA_OUTPUT_HEX of utils/bytea.h.
const ISO_DATES: c_int = 1;
const POSTGRES_INTERVALS: c_int = 0;
const HEX: c_int = 1;

unsafe extern "C" {
    /// utils/bytea.h, utils/pg_locale.h; not among pgrx's bindings.
    static bytea_output: c_int;
    static locale_monetary: *const c_char;
}

/// What the text of a value of this type depends on.
///
/// # Safety
/// Within a transaction; the type exists.
pub unsafe fn needs(of_type: pg_sys::Oid) -> Needs {
    // SAFETY: as promised by the caller.
    unsafe { within(of_type, 0) }
}

unsafe fn within(of_type: pg_sys::Oid, depth: u32) -> Needs {
    if depth > DEEPEST {
        return ALL;
    }
    // SAFETY: look-ups of types that are there as long as what they are part of.
    unsafe {
        let base = pg_sys::getBaseType(of_type);
        match base {
            pg_sys::BOOLOID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
            | pg_sys::NAMEOID
            | pg_sys::CHAROID
            | pg_sys::NUMERICOID
            | pg_sys::UUIDOID
            | pg_sys::JSONOID
            | pg_sys::JSONBOID
            | pg_sys::OIDOID
            | pg_sys::INETOID => return 0,
            pg_sys::TIMESTAMPTZOID => return STYLE | ZONE,
            pg_sys::MONEYOID => return MONEY,
            pg_sys::REGCLASSOID
            | pg_sys::REGPROCOID
            | pg_sys::REGPROCEDUREOID
            | pg_sys::REGOPEROID
            | pg_sys::REGOPERATOROID
            | pg_sys::REGTYPEOID
            | pg_sys::REGCONFIGOID
            | pg_sys::REGDICTIONARYOID
            | pg_sys::REGCOLLATIONOID => return NAMES,
            pg_sys::RECORDOID => return ALL,
            _ => {}
        }
        let element = pg_sys::get_element_type(base);
        if element != pg_sys::InvalidOid {
            return within(element, depth + 1);
        }
        match pg_sys::get_typtype(base) as u8 {
            pg_sys::TYPTYPE_ENUM => 0,
            pg_sys::TYPTYPE_RANGE => within(pg_sys::get_range_subtype(base), depth + 1),
            pg_sys::TYPTYPE_MULTIRANGE => within(pg_sys::get_multirange_range(base), depth + 1),
            pg_sys::TYPTYPE_COMPOSITE => {
                let columns = pg_sys::lookup_rowtype_tupdesc(base, -1);
                let attributes = (*columns).attrs.as_slice((*columns).natts as usize);
                let there = attributes.iter().filter(|attribute| !attribute.attisdropped);
                let needs = there.map(|attribute| within(attribute.atttypid, depth + 1)).fold(0, |a, b| a | b);
                if (*columns).tdrefcount >= 0 {
                    pg_sys::DecrTupleDescRefCount(columns);
                }
                needs
            }
            // What another extension's output function looks at is not known; names and money are unheard of.
            _ if base.to_u32() >= pg_sys::FirstNormalObjectId => STYLE | ZONE,
            _ => STYLE,
        }
    }
}

/// While it lasts, values are written as they are everywhere.
pub struct Spelling(Option<c_int>);

impl Spelling {
    /// Costs nothing where the session's settings are those of the spelling anyhow.
    pub fn enter(needs: Needs) -> Spelling {
        let differing = needs & differing(needs);
        if differing == 0 {
            return Spelling(None);
        }
        // SAFETY: within a transaction; leave() goes back to this level, and so does an error.
        let level = unsafe { pg_sys::NewGUCNestLevel() };
        if differing & STYLE != 0 {
            set(c"datestyle", c"ISO, YMD");
            set(c"intervalstyle", c"postgres");
            set(c"bytea_output", c"hex");
            set(c"extra_float_digits", c"1");
        }
        if differing & ZONE != 0 {
            set(c"timezone", c"UTC");
        }
        if differing & MONEY != 0 {
            set(c"lc_monetary", c"C");
        }
        if differing & NAMES != 0 {
            set(c"search_path", c"pg_catalog");
            set(c"quote_all_identifiers", c"off");
        }
        Spelling(Some(level))
    }

    pub fn leave(self) {
        if let Some(level) = self.0 {
            // SAFETY: the level that enter() opened.
            unsafe { pg_sys::AtEOXact_GUC(true, level) };
        }
    }
}

fn differing(needs: Needs) -> Needs {
    // SAFETY: plain reads of the session's settings; texts are C strings.
    unsafe {
        let mut differing = 0;
        if needs & STYLE != 0
            && (pg_sys::DateStyle != ISO_DATES
                || pg_sys::IntervalStyle != POSTGRES_INTERVALS
                || bytea_output != HEX
                || pg_sys::extra_float_digits < 1)
        {
            differing |= STYLE;
        }
        if needs & ZONE != 0
            && !is(pg_sys::pg_get_timezone_name(pg_sys::session_timezone), &[c"UTC", c"Etc/UTC", c"GMT"])
        {
            differing |= ZONE;
        }
        if needs & MONEY != 0 && !is(locale_monetary, &[c"C", c"POSIX"]) {
            differing |= MONEY;
        }
        if needs & NAMES != 0 && (pg_sys::quote_all_identifiers || !is(pg_sys::namespace_search_path, &[c"pg_catalog"]))
        {
            differing |= NAMES;
        }
        differing
    }
}

unsafe fn is(text: *const c_char, values: &[&CStr]) -> bool {
    // SAFETY: null or a C string.
    !text.is_null() && values.contains(&unsafe { CStr::from_ptr(text) })
}

fn set(name: &CStr, value: &CStr) {
    // SAFETY: a setting of PostgreSQL's own that any user may change, to the end of the level.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
