//! A world in memory around the engine's core.

mod chance;
mod database;
mod watch;
mod world;

#[allow(unused_imports)]
pub use world::{TRACE, run};
