//! The courier against receivers, good and bad, on loopback.

mod common;
mod failures;
mod fetch;
mod guard;
mod http2;
mod keep_alive;
mod life;
mod limits;
mod names;
mod oddities;
mod requests;
mod storm;
mod tls;
mod trust;
mod urls;
