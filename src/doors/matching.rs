//! Room 21: patterns and filters, as SQL sees them.

use filter::{Filter, Pattern};
use pgrx::prelude::*;

use crate::error::{OrReport, raise};
use crate::pg::jsonb::{Jsonb, Unread};

#[pg_extern(sql = false)]
fn pattern_matches(pattern: Option<&str>, kind: Option<&str>) -> Option<bool> {
    Some(Pattern::parse(pattern?).or_report().matches(kind?))
}

/// Bytes of a document that a filter looks into.
const LARGEST: u64 = 64 << 20;

#[pg_extern(sql = false)]
fn filter_matches(filter: Option<Jsonb>, document: Option<Unread>) -> Option<bool> {
    let filter = Filter::parse(&filter?.0).or_report();
    let document = document?;
    let bytes = document.bytes();
    if bytes.is_none_or(|bytes| bytes > LARGEST) {
        raise(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "the document is too large for a filter",
            bytes.map(|bytes| format!("As text it has {bytes} bytes.")),
            Some("At most 64 MB are looked into.".into()),
        );
    }
    Some(filter.matches(&filter::document(&document.text())))
}

#[pg_extern(sql = false)]
fn json_bytes(value: Unread) -> Option<i64> {
    value.bytes().and_then(|bytes| i64::try_from(bytes).ok())
}

#[pg_extern(sql = false)]
fn utf8(bytes: &[u8]) -> String {
    crate::engine::readable(bytes)
}
