//! pg_frontdesk: row changes become signed webhooks, from inside PostgreSQL 17.
//!
//! `capture` writes events in the user's transaction, `wake` tells the engine at commit, `launcher` keeps one
//! engine per database, `engine` delivers. `doors` are the SQL functions written in Rust, one line each over a crate.

use pgrx::prelude::*;

mod capture;
mod doors;
mod embed;
mod engine;
mod error;
mod ffi;
mod guc;
mod hooks;
mod job;
mod launcher;
mod log;
mod pg;
mod shmem;
mod vault;
mod wake;

pg_module_magic!();

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    ffi::forget_backtraces();
    guc::init();
    log::init();
    wake::init();
    pg::door::init();
    hooks::init();
    launcher::init();
}
