//! A webhook receiver that verifies signatures: for the demo, the tests and the bench.
//!
//! What it does with a request stands in the request's path, so that one receiver can play any number of good and bad
//! ones:
//!
//! | path | answer |
//! |---|---|
//! | `/ok...` and any other | 200 `{"ok":true}` |
//! | `/status/N`, `/gone` | N, 410 |
//! | `/delay/MS` | 200 after a while |
//! | `/fail-first/N/TAG` | 500 for the first N requests of the tag, then 200; `?retry-after=S` adds the header |
//! | `/fail-first-each/N` | the same for each webhook-id |
//! | `/retry-after/S` | 503 with `Retry-After: S`; `?status=N`: another than 503 |
//! | `/toggle/NAME` | the status set through control, 200 until then; 0 is no answer |
//! | `/redirect?to=URL`, `/redirect/N?to=URL` | 302 or N |
//! | `/echo` | the request as JSON |
//! | `/big/BYTES`, `/binary` | a long body; one that is not UTF-8 |
//! | `/hang`, `/drip/MS` | nothing, ever; a byte each MS (default 1000), for ever |
//! | `/reset`, `/reset/headers`, `/reset/body` | a TCP reset, after none or some of the response |
//! | `/embed/DIMENSIONS`, `/embed/DIMENSIONS/FAULT` | an embedder; one whose answers are wrong |
//! | `/close`, `/garbage`, `/headers-endless` | no answer; no HTTP; headers without end |
//!
//! It counts everything and answers questions about it, in the process ([`Receiver`]) or under `/_control/`.
#![forbid(unsafe_code)]

mod behaviour;
mod connection;
mod control;
mod desk;
mod embedder;
mod listener;
mod options;
mod raw;
mod record;
mod reply;
mod stats;
mod tally;

pub use listener::Receiver;
pub use options::{Options, Tls};
pub use record::Record;
pub use stats::{Arrival, PathStats, Stats};
