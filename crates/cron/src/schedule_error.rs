use std::fmt;

use crate::FieldName;

/// Why a text is no schedule. Positions count characters from 1; texts are cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    Empty,
    TooLong,
    FieldCount { got: usize },
    Field { field: FieldName, position: usize, got: String, expected: String },
    UnknownName { got: String },
    Interval { position: usize, got: String, expected: &'static str },
    NeverRuns { reason: String },
}

impl ScheduleError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
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
        Some(hint.to_owned())
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleError::Empty => f.write_str("schedule is empty"),
            ScheduleError::TooLong => f.write_str("schedule is too long"),
            ScheduleError::FieldCount { got } => {
                write!(
                    f,
                    "schedule has {got} {}, expected 5 (or 6 with seconds)",
                    if *got == 1 { "field" } else { "fields" }
                )
            }
            ScheduleError::Field { field, position, got, expected } => {
                write!(f, "schedule: {field} at position {position} is \"{got}\", expected {expected}")
            }
            ScheduleError::UnknownName { got } => write!(f, "schedule \"{got}\" is unknown"),
            ScheduleError::Interval { position, got, expected } => {
                write!(f, "schedule: interval at position {position} is \"{got}\", expected {expected}")
            }
            ScheduleError::NeverRuns { reason } => write!(f, "schedule never runs: {reason}"),
        }
    }
}

impl std::error::Error for ScheduleError {}

pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
