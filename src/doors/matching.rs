//! Room 21: patterns and filters, as SQL sees them.

use filter::{Filter, Pattern};
use pgrx::prelude::*;

use crate::error::invalid;
use crate::pg::jsonb::Jsonb;

#[pg_extern(sql = false)]
fn pattern_matches(pattern: Option<&str>, kind: Option<&str>) -> Option<bool> {
    let pattern = Pattern::parse(pattern?).unwrap_or_else(|error| invalid(error.to_string(), error.hint()));
    Some(pattern.matches(kind?))
}

#[pg_extern(sql = false)]
fn filter_matches(filter: Option<Jsonb>, document: Option<Jsonb>) -> Option<bool> {
    let filter = Filter::parse(&filter?.0).unwrap_or_else(|error| invalid(error.to_string(), error.hint()));
    Some(filter.matches(&document?.0))
}

#[pg_extern(sql = false)]
fn utf8(bytes: &[u8]) -> String {
    crate::engine::readable(bytes)
}
