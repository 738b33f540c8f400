//! Client tests: what an application sees of the extension in a live server. `cargo xtask test client` runs them.
#![forbid(unsafe_code)]

mod appointments;
mod chaos;
mod closure;
mod delivery;
mod embedder;
mod fuzz;
mod handler;
mod hostile;
mod http;
mod knowledge;
mod leads;
mod life;
mod limits;
mod log;
mod meta;
mod ordered;
mod retry;
mod scenarios;
mod schedule;
mod scores;
mod source;
mod timer;
