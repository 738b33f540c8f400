//! Requests of one's own.

mod fetch;
mod outbox;
