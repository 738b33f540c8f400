//! Leaving: after stop(), or when the server or an administrator ends the process.

use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::desk::Desk;
use super::transaction::Failure;
use crate::launcher::asked_to_leave;

/// After stop(): how long what is in flight may take to be answered.
const AFTER_STOP: Duration = Duration::from_secs(5);
/// After SIGTERM: a server that is being shut down waits for this process.
const AFTER_SIGNAL: Duration = Duration::from_secs(1);

impl Desk {
    pub fn is_leaving(&self) -> bool {
        self.stopped || asked_to_leave()
    }

    /// Waits a moment for the answers to what is in flight, and writes them down: what is known to have been received is not
    /// sent again. None: that is done.
    pub fn finish(&mut self) -> Result<Option<Option<Duration>>, Failure> {
        if self.leaving_since.is_none() {
            self.recall_all();
        }
        let patience = if asked_to_leave() { AFTER_SIGNAL } else { AFTER_STOP };
        let left = patience.saturating_sub(self.leaving_since.get_or_insert_with(Instant::now).elapsed());
        if !self.in_flight.is_empty() && !left.is_zero() {
            return Ok(Some(Some(left)));
        }
        self.write()?;
        self.save(true)?;
        Ok(None)
    }

    /// True: for good, until somebody wants an engine again.
    pub fn leave(&mut self) -> bool {
        self.timetable.abandon();
        log!("pg_frontdesk: engine leaves the database");
        !asked_to_leave()
    }
}
