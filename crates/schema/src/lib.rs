#![forbid(unsafe_code)]
//! JSON Schema (2020-12 unless the schema says another draft): does a document fit, and if not, what is wrong where,
//! in words for whoever wrote it.

mod cache;
mod checker;
mod cost;
mod schema_error;

pub use cache::Cache;
pub use checker::{Checker, Mistake};
pub use schema_error::SchemaError;
