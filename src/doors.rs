//! SQL functions written in Rust: each is a line over a crate. Their signatures stand in sql/functions.

mod base;
mod check;
pub mod contact;
mod crm;
mod embed;
mod fetch;
mod knowledge;
mod locale;
mod matching;
mod schedule;
mod schema;
mod scoring;
mod source;
mod webhook;
