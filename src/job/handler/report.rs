//! What a process says of an order, besides the marks.

use serde::{Deserialize, Serialize};

use super::Outcome;

/// Bytes of what is said of one failure, and of all of them.
const LONGEST: usize = 2000;
const FULL: usize = 8000;

#[derive(Default, Serialize, Deserialize)]
pub struct Report {
    /// Why the handler cannot run.
    pub broken: Option<String>,
    /// There is no such handler of this role any more.
    pub gone: bool,
    pub failed: Vec<Failure>,
}

#[derive(Serialize, Deserialize)]
pub struct Failure {
    /// Which event of the order.
    pub event: usize,
    /// SQLSTATE and message.
    pub detail: String,
}

impl Report {
    pub fn broken(why: String) -> Report {
        Report { broken: Some(why), ..Report::default() }
    }

    pub fn gone() -> Report {
        Report { gone: true, ..Report::default() }
    }

    pub fn add(&mut self, event: usize, outcome: &Outcome) {
        let code = outcome.sqlstate.as_deref().unwrap_or_default();
        let mut detail = format!("{code}: {}", outcome.message);
        // Control characters take six bytes each as JSON.
        detail.retain(|c| c == '\n' || !c.is_control());
        detail.truncate(detail.floor_char_boundary(LONGEST));
        self.failed.push(Failure { event, detail });
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.failed.iter().map(|failure| failure.detail.len() + 40).sum::<usize>() >= FULL
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What cannot be read says nothing.
    pub fn read(text: Option<&str>) -> Report {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
