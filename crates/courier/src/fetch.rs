//! One request, waited for.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

use crate::courier::Courier;
use crate::failure::{Failure, FailureKind};
use crate::message::{Receipt, Request};
use crate::settings::Config;

/// How often the caller is asked whether to go on.
const TICK: Duration = Duration::from_millis(50);

/// A single request under way, for a caller that waits for it.
///
/// A courier of its own for the length of one request: so guard, limits and failures are the very same as for deliveries,
/// where a second, blocking client would have its own of each. The thread it costs takes some 100 microseconds.
pub struct Fetch {
    courier: Courier,
    rung: Receiver<()>,
    id: u64,
    started_at: SystemTime,
}

impl Fetch {
    /// Starts the request on a helper thread, which inherits the caller's signal mask: block all signals around this
    /// call and restore them before [`Fetch::wait`].
    pub fn start(config: Config, request: Request) -> io::Result<Fetch> {
        let (ring, rung) = channel();
        // nobody listens any more when the caller gave up
        let courier = Courier::spawn(Config { max_connections: 1, ..config }, move || {
            let _ = ring.send(());
        })?;
        let (id, started_at) = (request.id, SystemTime::now());
        courier.send(vec![request]);
        Ok(Fetch { courier, rung, id, started_at })
    }

    /// Waits for the receipt. `interrupted` is asked every 50 ms; when it says yes, the request is abandoned and the
    /// failure is `Interrupted`. It may also unwind: the helper thread then ends by itself.
    pub fn wait(self, interrupted: &dyn Fn() -> bool) -> Receipt {
        let mut receipts = Vec::new();
        loop {
            if interrupted() {
                return self.ended(FailureKind::Interrupted, "the request was interrupted");
            }
            let waited = self.rung.recv_timeout(TICK);
            self.courier.drain(&mut receipts);
            if let Some(receipt) = receipts.pop() {
                return receipt;
            }
            if waited == Err(RecvTimeoutError::Disconnected) || !self.courier.is_alive() {
                return self.ended(FailureKind::Io, "the helper thread ended without an answer");
            }
        }
    }

    fn ended(&self, kind: FailureKind, detail: &str) -> Receipt {
        Receipt {
            id: self.id,
            started_at: self.started_at,
            duration: self.started_at.elapsed().unwrap_or_default(),
            address: None,
            result: Err(Failure::new(kind, detail)),
        }
    }
}
