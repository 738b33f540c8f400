#![forbid(unsafe_code)]
//! The filter language, event patterns and event types.
//!
//! A [`Filter`] is a JSON object in the manner of MongoDB, matched against a JSON document; a [`Pattern`]
//! selects events by their dotted type. Parsing finds every mistake, matching cannot fail.

mod contains;
mod document;
mod equal;
mod eval;
mod event_type;
mod filter;
mod filter_error;
mod node;
mod parse;
mod path;
mod pattern;
mod sql;

pub use contains::contains;
pub use document::{document, double, unmarked};
pub use equal::{compare_numbers, equal};
pub use event_type::{EventTypeError, RESERVED, check_event_type, event_word, is_reserved};
pub use filter::Filter;
pub use filter_error::FilterError;
pub use node::{Node, Order, Scalar, Test};
pub use path::{Document, Path, Segment};
pub use pattern::{Pattern, PatternError};
pub use sql::{SqlError, containing, literal, sql};
