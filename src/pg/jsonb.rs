//! A jsonb as an argument. What is valid for PostgreSQL may be nested deeper than the parser goes down: that is an error of the
//! caller's, said as one.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, direct_function_call};
use serde_json::Value;

use crate::error::raise;

pub struct Jsonb(pub Value);

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Jsonb> {
        if is_null {
            return None;
        }
        // SAFETY: a jsonb that is not null, as the function is declared; jsonb_out() makes a C string of its own.
        let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)]) }?;
        let value = text.to_str().map_err(serde::de::Error::custom);
        let value = value.and_then(|text| serde_json::from_str(&filter::unmarked(text)));
        // SAFETY: made by palloc() above, and nothing of it is kept.
        unsafe { pg_sys::pfree(text.as_ptr() as *mut _) };
        Some(Jsonb(value.unwrap_or_else(|error| unreadable(&error))))
    }
}

/// A jsonb that is not parsed here, because it may be nested deep: its text is for a parser that goes down into it.
pub struct Unread(pg_sys::Datum);

impl Unread {
    /// How many bytes it takes as text; None: it is damaged.
    pub fn bytes(&self) -> Option<u64> {
        // SAFETY: a jsonb, as the function is declared.
        unsafe { super::record::json_bytes(self.0) }
    }

    pub fn text(&self) -> String {
        // SAFETY: as above; jsonb_out() makes a C string of its own, and never returns null.
        let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(self.0)]) };
        text.unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl FromDatum for Unread {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Unread> {
        (!is_null).then_some(Unread(datum))
    }
}

// SAFETY: the argument is a jsonb, as the function is declared; null is for Option.
unsafe impl<'fcx> ArgAbi<'fcx> for Unread {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        let value = unsafe { arg.unbox_arg_using_from_datum::<Unread>() };
        value.unwrap_or_else(|| crate::error::invalid("a JSON argument is null", None))
    }
}

// SAFETY: it is written as jsonb in SQL.
unsafe impl SqlTranslatable for Unread {
    const TYPE_IDENT: &'static str = <pgrx::JsonB as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

fn unreadable(error: &serde_json::Error) -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        "this JSON cannot be read here",
        Some(error.to_string()),
        Some("Values may be nested 127 levels deep.".to_string()),
    )
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        pgrx::JsonB(self.0).into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the argument is a jsonb, as the function is declared; null is for Option.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        let value = unsafe { arg.unbox_arg_using_from_datum::<Jsonb>() };
        value.unwrap_or_else(|| crate::error::invalid("a JSON argument is null", None))
    }
}

// SAFETY: both directions are jsonb's.
unsafe impl pgrx::callconv::BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut pgrx::callconv::FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: called by the wrapper of the function.
        unsafe { pgrx::JsonB(self.0).box_into(fcinfo) }
    }
}

// SAFETY: it is written as jsonb in SQL.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = <pgrx::JsonB as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
