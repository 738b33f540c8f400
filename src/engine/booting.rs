//! Beginning: who this installation is, and where it was in the log.

use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;

use super::desk::Desk;
use super::lane::{Lane, Mark, Snapshot};
use super::transaction::{Failure, transaction};
use super::verbs;
use crate::guc;

impl Desk {
    pub fn boot(&mut self) -> Result<bool, Failure> {
        let restored = transaction(|session| {
            let Some(boot) = verbs::boot(session)? else { return Ok(None) };
            let cursors = verbs::cursors(session)?;
            let blocked = verbs::blocked(session)?;
            Ok(verbs::window(session)?.map(|window| (boot, cursors, blocked, window)))
        })?;
        let Some((boot, cursors, blocked, window)) = restored else { return Ok(false) };
        if boot.state == "stopped" {
            return Ok(false);
        }
        self.identify(&boot);
        self.slot.prepared.store(1, SeqCst);
        let now = Snapshot::parse(&window.snapshot).map(Rc::new);
        for cursor in cursors {
            let (Some(last), Some(now)) = (Snapshot::parse(&cursor.last), &now) else { continue };
            let current = cursor.current.as_deref().and_then(Snapshot::parse).map(Rc::new);
            let mark = Mark {
                last: Rc::new(last),
                current,
                xid: cursor.xid,
                id: cursor.id,
                since: cursor.since,
                next_since: cursor.since,
            };
            let lane = Lane::restore(mark, now.clone());
            if cursor.endpoint == 0 {
                self.main = lane;
            } else {
                self.lanes.insert(cursor.endpoint, lane);
            }
        }
        self.configure()?;
        for (endpoint, key) in blocked {
            if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                endpoint.blocked.insert(key);
            }
        }
        Ok(true)
    }

    /// As after a start, with what is in flight forgotten: it is sent again under the same webhook-id.
    pub fn reboot(&mut self) -> Result<(), Failure> {
        self.write()?;
        self.recall_all();
        self.in_flight.clear();
        self.loaded.clear();
        self.endpoints.clear();
        self.hosts.clear();
        self.lanes.clear();
        self.dropped_lanes.clear();
        self.next_due = i64::MIN;
        self.dirty = true;
        self.stopped = !self.boot()?;
        Ok(())
    }

    pub fn identify(&mut self, boot: &verbs::Boot) {
        self.installation = boot.installation.to_string().replace('-', "");
        let same_version = boot.extension_version == env!("CARGO_PKG_VERSION");
        self.running = boot.state == "running" && !boot.silent && same_version && guc::enabled();
        self.stopped = boot.state == "stopped";
        if boot.silent {
            self.complain_once(
                "this database is a copy of another installation: nothing is sent before select frontdesk.adopt()",
            );
        } else if !same_version {
            self.complain_once(
                "the library and the extension are of different versions: alter extension pg_frontdesk update",
            );
        }
    }
}
