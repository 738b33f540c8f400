use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::FieldName::{self, DayOfMonth, DayOfWeek, Hour, Minute, Month, Second};
use crate::calendar::Calendar;
use crate::every::Every;
use crate::field::{self, Field};
use crate::schedule_error::shown;
use crate::{ScheduleError, clock};

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Reboot,
    Every(Every),
    Calendar(Box<Calendar>),
}

const LONGEST: usize = 1000;

impl Schedule {
    /// Reads five fields (minute, hour, day of month, month, day of week) or six (seconds first), `@daily` and its like,
    /// `@reboot`, or an interval.
    ///
    /// # Errors
    /// Anything else, with the field, its position and what was expected; a schedule that never runs, with the reason.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        if text.chars().count() > LONGEST {
            return Err(ScheduleError::TooLong);
        }
        let start = text.len() - text.trim_ascii_start().len();
        let trimmed = text.trim_ascii();
        if trimmed.is_empty() {
            return Err(ScheduleError::Empty);
        }
        if let Some(every) = Every::parse(trimmed) {
            return every.map(|every| Schedule(Kind::Every(every))).map_err(|error| moved(error, start));
        }
        if trimmed.starts_with('@') {
            return match trimmed.to_ascii_lowercase().as_str() {
                "@reboot" | "@restart" => Ok(Schedule(Kind::Reboot)),
                "@yearly" | "@annually" => fields("0 0 1 1 *"),
                "@monthly" => fields("0 0 1 * *"),
                "@weekly" => fields("0 0 * * 0"),
                "@daily" | "@midnight" => fields("0 0 * * *"),
                "@hourly" => fields("0 * * * *"),
                _ => Err(ScheduleError::UnknownName { got: shown(trimmed) }),
            };
        }
        fields(text)
    }

    /// The first run after this moment; None for `@reboot`, and beyond the year 9999.
    ///
    /// At a change of the clocks, a job in the skipped hour runs once right after it, and one at fixed times (neither its hour
    /// nor its minute begins with `*`) runs once in the repeated hour.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.0 {
            Kind::Reboot => None,
            Kind::Every(every) => every.next(after, zone),
            Kind::Calendar(calendar) => clock::next(calendar, after, zone),
        }
    }

    /// Does it run when the engine starts after the server did?
    pub fn is_reboot(&self) -> bool {
        self.0 == Kind::Reboot
    }

    /// Does it name times of the day? Such a job is not repeated when the clock is set back.
    pub fn is_fixed(&self) -> bool {
        matches!(&self.0, Kind::Calendar(calendar) if clock::is_fixed(calendar))
    }
}

fn fields(text: &str) -> Result<Schedule, ScheduleError> {
    let words = words(text);
    let names: &[FieldName] = match words.len() {
        5 => &[Minute, Hour, DayOfMonth, Month, DayOfWeek],
        6 => &[Second, Minute, Hour, DayOfMonth, Month, DayOfWeek],
        got => return Err(ScheduleError::FieldCount { got }),
    };
    let mut parsed = Vec::with_capacity(6);
    if names.len() == 5 {
        parsed.push(Field { values: 1, ..Field::default() });
    }
    for (name, (position, word)) in names.iter().zip(words) {
        parsed.push(field::parse(*name, word, position)?);
    }
    let Ok([seconds, minutes, hours, days, months, weekdays]) = <[Field; 6]>::try_from(parsed) else {
        return Err(ScheduleError::Empty);
    };
    let calendar = Calendar { seconds, minutes, hours, days, months, weekdays };
    calendar.check()?;
    Ok(Schedule(Kind::Calendar(Box::new(calendar))))
}

/// The words of a text with their positions, from 1.
fn words(text: &str) -> Vec<(usize, &str)> {
    text.split_ascii_whitespace()
        .map(|word| {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            (text[..at].chars().count() + 1, word)
        })
        .collect()
}

fn moved(error: ScheduleError, by: usize) -> ScheduleError {
    match error {
        ScheduleError::Interval { position, got, expected } => {
            ScheduleError::Interval { position: position + by, got, expected }
        }
        other => other,
    }
}
