//! JSON Schema, as SQL sees it.

use std::cell::RefCell;

use pgrx::prelude::*;
use schema::{Cache, Checker};

use crate::error::OrReport;
use crate::pg::jsonb::Jsonb;

thread_local! {
    static COMPILED: RefCell<Cache> = const { RefCell::new(Cache::new()) };
}

#[pg_extern(sql = false)]
fn check_schema(schema: Option<Jsonb>) -> Option<Jsonb> {
    if let Some(Jsonb(schema)) = &schema {
        Checker::compile(schema).or_report();
    }
    schema
}

#[pg_extern(sql = false)]
fn validate_json(
    schema: Jsonb,
    document: Jsonb,
) -> TableIterator<'static, (name!(path, String), name!(message, String))> {
    let checker = COMPILED.with_borrow_mut(|cache| cache.get(&schema.0)).or_report();
    let mistakes = checker.mistakes(&document.0);
    TableIterator::new(mistakes.into_iter().map(|mistake| (mistake.path, mistake.message)))
}
