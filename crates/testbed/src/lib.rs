//! What tests, benches, the demo and the test command stand on: PostgreSQL found or built, the extension installed into
//! it, throw-away clusters, and the receiver and the embedder as processes.

#![forbid(unsafe_code)]

pub mod account;
pub mod amcheck;
pub mod cache;
pub mod checkout;
pub mod cluster;
pub mod embedder;
pub mod faults;
pub mod install;
pub mod postgres;
pub mod provide;
pub mod receiver;
pub mod step;
