//! From a committed change to a request: what is sent, to whom, how it is signed.

mod agreement;
mod connection;
mod payload;
mod routing;
mod signature;
mod transactions;
