#![forbid(unsafe_code)]
//! Texts to vectors by an OpenAI-compatible `/embeddings`: the request, the answer, what to make of it.
//!
//! No sockets and no clock: the caller sends [`body`] and gives what came back to [`judge`].

mod answer;
mod batch;
mod outcome;
mod request;

pub use answer::{Answer, Fault, Vector, parse};
pub use batch::take_batch;
pub use outcome::{Outcome, judge, pause};
pub use request::{Encoding, body, most_bytes};
