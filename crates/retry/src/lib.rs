#![forbid(unsafe_code)]
//! When to try again: delays between attempts, what a status means, when to leave an endpoint alone.
//!
//! Time and chance are arguments. Moments are microseconds since the Unix epoch (`i64`), spans are
//! [`Duration`](std::time::Duration).

mod breaker;
mod bucket;
mod duration;
mod moment;
mod pace;
mod policy;
mod policy_error;
mod retry_after;
mod verdict;

pub use breaker::{Breaker, Gate, Transition};
pub use bucket::Bucket;
pub use duration::{DurationError, parse_duration};
pub use pace::Pace;
pub use policy::Policy;
pub use policy_error::PolicyError;
pub use retry_after::retry_after;
pub use verdict::{Verdict, judge};
