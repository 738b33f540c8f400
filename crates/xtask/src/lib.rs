//! Everything around the extension: PostgreSQL found or built, the extension installed, throw-away clusters,
//! the test command, the benches and the demo. `cargo xtask` is the binary; the client tests use the library.

#![forbid(unsafe_code)]

pub mod account;
pub mod amcheck;
pub mod bench;
pub mod boundary;
pub mod cache;
pub mod checkout;
pub mod cluster;
pub mod demo;
pub mod embedder;
pub mod faults;
pub mod image;
pub mod install;
pub mod postgres;
pub mod provide;
pub mod receiver;
pub mod reference;
pub mod step;
pub mod test;
pub mod throwaway;
