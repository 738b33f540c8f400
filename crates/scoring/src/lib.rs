#![forbid(unsafe_code)]
//! Scores with their reasons: models of weighted rules over the facts of a lead, or of anything else.
//!
//! A [`Book`] is a set of models that may be parts of each other. Compiling it finds every mistake; scoring cannot fail.
//! All arithmetic is in [`Points`], hundredths as integers, so that the lines of an explanation add up to the score exactly.

mod book;
mod definition;
mod error;
mod evaluate;
mod facts;
mod keys;
mod line;
mod model;
mod moment;
mod points;
mod stored;
mod train;

pub use book::Book;
pub use definition::{ModelDefinition, RuleDefinition};
pub use error::ScoreError;
pub use evaluate::Score;
pub use facts::Facts;
pub use line::Line;
pub use points::Points;
pub use stored::{is_empty_object, numeric};
pub use train::{Sample, TrainError, Trained, train};
