//! The engine: one process per database, the only writer of what became of events.
//!
//! The core (crates/delivery) decides; the shell does what it says. The main thread reads the log and settles what came back,
//! in short transactions; the courier's thread does the HTTP.
//! Between the two nothing is open: no transaction, no lock.

mod booting;
pub mod clock;
mod direct;
mod handlers;
mod mark;
mod perform;
mod receipts;
mod requests;
mod schedule;
mod settings;
mod shape;
mod shell;
mod timers;
mod timetable;
pub mod tls;
mod transaction;
mod verbs;
mod wait;

use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;

use courier::Config;
use pgrx::prelude::*;

pub use delivery::readable;
pub use shape::{Payload, Signature};
pub use wait::without_signals;

use crate::{ffi, guc, launcher, shmem};

/// The entry point of the engine's background worker, with the database's oid as argument.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn frontdesk_engine_main(argument: pg_sys::Datum) {
    launcher::handle_signals();
    launcher::leave_in_time();
    let database = pg_sys::Oid::from(argument.value() as u32);
    let Some(slot) = shmem::slot(database) else { return };
    ffi::enter_database(database, left);
    slot.engine.enter();
    slot.reboot.store(0, SeqCst);
    let leave = match shell::Shell::open(slot) {
        Ok(Some(shell)) => shell.work(),
        Ok(None) => true,
        Err(failure) => {
            warning!("pg_frontdesk: the engine cannot start: {}", failure.message);
            slot.health.fail(&format!("it cannot start: {}", failure.message));
            false
        }
    };
    if leave {
        slot.wanted.store(shmem::UNWANTED, SeqCst);
    }
}

fn left(database: pg_sys::Oid) {
    if let Some(slot) = shmem::slot(database) {
        slot.engine.leave();
        // The launcher that started this one is told by the postmaster; a launcher that came later is not.
        shmem::shared().launcher.wake();
    }
}

pub fn courier_config(max_connections: usize) -> Config {
    Config {
        allow_networks: guc::allow_networks(),
        extra_ca_file: guc::ca_file().map(PathBuf::from),
        max_response_bytes: guc::max_response_bytes(),
        max_connections,
        idle_timeout: Config::default().idle_timeout,
        user_agent: concat!("pg_frontdesk/", env!("CARGO_PKG_VERSION")).into(),
    }
}
