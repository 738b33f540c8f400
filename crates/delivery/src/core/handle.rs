//! What happened, told to those whom it concerns.

use super::Core;
use crate::input::Input;
use crate::now::Now;
use crate::rest::{FailureKind, Part};

impl Core {
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Committed { work } => {
                self.log.dirty = true;
                if work {
                    self.news = true;
                    self.retries.look();
                }
            }
            Input::Prepared(prepared) => self.prepared = prepared,
            Input::Reconfigure => {
                self.version = -1;
                self.log.dirty = true;
            }
            Input::Leave(leaving) => {
                if leaving && !self.leaving {
                    self.recall_all();
                }
                self.leaving = leaving;
            }
            Input::Sent(made) => self.sent(made, now),
            Input::Receipt(receipt) => self.receive(receipt, now),
            Input::Window(window) => {
                if window.version == self.version {
                    self.begin(window, now);
                } else {
                    self.window = Some(window);
                }
            }
            Input::Configuration(configuration) => {
                self.configure(configuration, now);
                if let Some(window) = self.window.take() {
                    self.begin(window, now);
                }
            }
            Input::Page(read, page) => {
                self.rests.of(Part::Read).went_well();
                self.take_page(read, page, now);
            }
            Input::List(read, places) => {
                self.rests.of(Part::Read).went_well();
                self.take_list(read, places);
            }
            Input::Due(due) => {
                self.rests.of(Part::Retries).went_well();
                self.take_due(due, now);
            }
            Input::Written(outcomes, free) => {
                self.tell(outcomes, free);
                if self.ledger.is_taken() {
                    self.rests.of(Part::Settle).went_well();
                    self.fleet.recorded();
                }
            }
            Input::Unwritten(outcomes, kind, message) => self.unwritten(outcomes, kind, &message, now),
            Input::Saved(save) => {
                self.rests.of(Part::Save).went_well();
                self.log.saved(save, now);
            }
            Input::Failed(part, kind) => self.failed_part(part, kind, now),
        }
    }

    fn failed_part(&mut self, part: Part, kind: FailureKind, now: Now) {
        self.rests.of(part).failed(kind, now);
        match part {
            Part::Refresh => self.window = None,
            Part::Read => self.stop_reading(),
            Part::Settle | Part::Retries | Part::Save => {}
        }
    }
}
