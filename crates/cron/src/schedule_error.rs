use report::Report;
use thiserror::Error;

use crate::FieldName;

/// Why a text is no schedule. Positions count characters from 1; texts are cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    #[error("schedule is empty")]
    Empty,
    #[error("schedule is too long")]
    TooLong,
    #[error("schedule has {got} {}, expected 5 (or 6 with seconds)", if *.got == 1 { "field" } else { "fields" })]
    FieldCount { got: usize },
    #[error("schedule: {field} at position {position} is \"{got}\", expected {expected}")]
    Field { field: FieldName, position: usize, got: String, expected: String },
    #[error("schedule \"{got}\" is unknown")]
    UnknownName { got: String },
    #[error("schedule: interval at position {position} is \"{got}\", expected {expected}")]
    Interval { position: usize, got: String, expected: &'static str },
    #[error("schedule never runs: {reason}")]
    NeverRuns { reason: String },
}

impl Report for ScheduleError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            ScheduleError::Field { .. } | ScheduleError::FieldCount { .. } | ScheduleError::Empty => {
                "Write minute hour day-of-month month day-of-week, as in \"30 9 * * mon-fri\" (seconds may come first), \
                 \"@daily\", or \"30 seconds\"."
            }
            ScheduleError::TooLong => "Schedules have at most 1000 characters.",
            ScheduleError::UnknownName { .. } => {
                "The names are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot and @restart."
            }
            ScheduleError::Interval { .. } => "As in \"30 seconds\", \"every 2 hours\", \"every 3 days\".",
            ScheduleError::NeverRuns { .. } => "For the last day of each month write L: \"0 9 L * *\".",
        };
        Some(hint.into())
    }
}

pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
