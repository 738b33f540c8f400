#![forbid(unsafe_code)]
//! When a job runs next: schedules as cron has always read them, with seconds, `L`, `W`, `#`, intervals, and time zones.
//!
//! Time is an argument. The fields are matched here and not by a crate: an error has to name its field and position,
//! `*/2` in a day field counts as a star as in Vixie cron, and the two passes of a repeated hour are told apart.

mod calendar;
mod clock;
mod every;
mod field;
mod schedule;
mod schedule_error;
mod week;

pub use field::FieldName;
pub use schedule::Schedule;
pub use schedule_error::ScheduleError;
