//! One turn after the other: what is to be done, in the order in which it pays.

use super::{Core, POLL_INTERVAL};
use crate::action::Action;
use crate::now::Now;
use crate::rest::Part;

/// Where in a turn it is.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// First of all the network has work again, then what came back is written.
    #[default]
    Begin,
    Send,
    /// Handed over. What could not be made into a request has left room for more.
    Sent,
    Settle,
    Look,
    Configure,
    ReadMain,
    /// For these endpoints that read by themselves.
    ReadApart(Vec<i64>),
    Retries,
    SendAgain,
    SentAgain,
    Save,
    End,
}

impl Core {
    /// What to do next, as far as that is known now. None: nothing more in this turn.
    pub fn poll(&mut self, now: Now) -> Option<Action> {
        loop {
            if let Some(target) = self.recalls.pop() {
                return Some(Action::Recall(target));
            }
            if let Some(line) = self.said.pop_front() {
                return Some(Action::Say(line));
            }
            let stage = std::mem::take(&mut self.stage);
            if matches!(stage, Stage::End) {
                return None;
            }
            let (action, next) = self.step(stage, now);
            self.stage = next;
            if action.is_some() {
                return action;
            }
        }
    }

    fn step(&mut self, stage: Stage, now: Now) -> (Option<Action>, Stage) {
        let works = self.running && !self.leaving;
        match stage {
            Stage::Begin => {
                self.log.dirty |= self.polls() && self.looked(now) >= POLL_INTERVAL;
                self.recall_excess(now);
                (None, Stage::Send)
            }
            Stage::Send => match self.send(now) {
                Some(send) => (Some(send), Stage::Sent),
                None => (None, Stage::Settle),
            },
            Stage::Sent => (None, if std::mem::take(&mut self.unsent) { Stage::Send } else { Stage::Settle }),
            Stage::Settle => match self.write(now) {
                Some(write) => (Some(write), Stage::Settle),
                None => (None, Stage::Look),
            },
            Stage::Look if self.wants_to_look() && !self.rests.is_resting(Part::Refresh, now) => {
                (Some(Action::Look), Stage::Configure)
            }
            Stage::Look => (None, Stage::ReadMain),
            Stage::Configure => (self.window.is_some().then_some(Action::Configure), Stage::ReadMain),
            Stage::ReadMain if !works => (None, Stage::Save),
            Stage::ReadMain if self.rests.is_resting(Part::Read, now) => (None, Stage::Retries),
            Stage::ReadMain => {
                let read = self.read_main(now);
                (read, Stage::ReadApart(self.log.apart().collect()))
            }
            Stage::ReadApart(mut left) => match left.pop() {
                Some(id) => (self.read_apart(id, now), Stage::ReadApart(left)),
                None => (None, Stage::Retries),
            },
            Stage::Retries => (self.ask_for_due(now), Stage::SendAgain),
            Stage::SendAgain => match self.send(now) {
                Some(send) => (Some(send), Stage::SentAgain),
                None => (None, Stage::Save),
            },
            Stage::SentAgain => (None, if std::mem::take(&mut self.unsent) { Stage::SendAgain } else { Stage::Save }),
            Stage::Save => (self.save(now), Stage::End),
            Stage::End => (None, Stage::End),
        }
    }

    /// Before the process waits for long, or ends: everything that came back is written. None: that is done, or is not to be
    /// done now.
    pub fn flush(&mut self, now: Now) -> Option<Action> {
        if self.rests.is_resting(Part::Settle, now) {
            return None;
        }
        self.take_outcomes()
    }

    /// Before the process ends: how far the log is settled.
    pub fn last_save(&mut self) -> Option<Action> {
        self.log.save().map(Action::Save)
    }

    fn wants_to_look(&self) -> bool {
        self.news || self.log.wants_window() || self.version < 0
    }

    /// The list of what an ordered endpoint has to read is there: so is its turn, once more.
    pub(super) fn list_was_read(&mut self, id: i64) {
        if let Stage::ReadApart(left) = &mut self.stage {
            left.push(id);
        }
    }

    /// Reading failed: it is left for this turn.
    pub(super) fn stop_reading(&mut self) {
        if matches!(self.stage, Stage::ReadApart(_)) {
            self.stage = Stage::Retries;
        }
    }

    fn save(&mut self, now: Now) -> Option<Action> {
        if !self.log.is_save_due(now) || self.rests.is_resting(Part::Save, now) {
            return None;
        }
        self.log.save().map(Action::Save)
    }
}
