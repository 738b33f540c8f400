//! The days and times of day that a cron expression names, on a calendar without time zones.

use jiff::civil::{Date, DateTime, Time};

use crate::ScheduleError;
use crate::field::{Field, month_name};
use crate::week;

/// The Gregorian calendar repeats after 400 years.
const CYCLE: i32 = 400 * 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub seconds: Field,
    pub minutes: Field,
    pub hours: Field,
    pub days: Field,
    pub months: Field,
    pub weekdays: Field,
}

impl Calendar {
    /// The first date and time at or after `from` that the fields name.
    pub fn next(&self, from: DateTime) -> Option<DateTime> {
        let (mut year, mut month) = (from.year(), from.month());
        let mut first_day = from.day();
        for _ in 0..=CYCLE {
            if self.months.values & 1 << month != 0 {
                let mut days = self.days_of(year, month)? & !0 << first_day;
                while days != 0 {
                    let day = days.trailing_zeros() as i8;
                    let date = Date::new(year, month, day).ok()?;
                    let time =
                        if date == from.date() { self.time_from(from.time()) } else { self.time_from(Time::MIN) };
                    if let Some(time) = time {
                        return Some(date.to_datetime(time));
                    }
                    days &= days - 1;
                }
            }
            first_day = 1;
            month += 1;
            if month > 12 {
                month = 1;
                year += 1;
            }
        }
        None
    }

    /// Refuses what no year has, such as 30 February.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if self.next(Date::constant(2000, 1, 1).to_datetime(Time::MIN)).is_some() {
            return Ok(());
        }
        let months: Vec<String> = (1..=12).filter(|m| self.months.values & 1 << m != 0).map(month_name).collect();
        let day = self.days.values.trailing_zeros();
        let reason = if self.weekdays.star && day <= 31 {
            let verb = if months.len() == 1 { "has" } else { "have" };
            format!("{} {verb} no day {day}", months.join(", "))
        } else {
            "these days of the month and of the week never fall together".to_owned()
        };
        Err(ScheduleError::NeverRuns { reason })
    }

    /// Bit n: day n of this month.
    fn days_of(&self, year: i16, month: i8) -> Option<u32> {
        let first = Date::new(year, month, 1).ok()?;
        let month = week::Month { length: first.days_in_month().unsigned_abs().into(), first: week::day(first) };
        let of_month = month.days(&self.days);
        let of_week = month.weekdays(&self.weekdays);
        // As cron has always done: either, when both are set.
        let both = self.days.star || self.weekdays.star;
        Some(if both { of_month & of_week } else { of_month | of_week })
    }

    fn time_from(&self, from: Time) -> Option<Time> {
        let (mut hour, mut minute, mut second) = (from.hour() as u32, from.minute() as u32, from.second() as u32);
        loop {
            let found = next_bit(self.hours.values, hour)?;
            if found > hour {
                (minute, second) = (0, 0);
            }
            hour = found;
            let Some(found) = next_bit(self.minutes.values, minute) else {
                (hour, minute, second) = (hour + 1, 0, 0);
                continue;
            };
            if found > minute {
                second = 0;
            }
            minute = found;
            let Some(found) = next_bit(self.seconds.values, second) else {
                (minute, second) = (minute + 1, 0);
                continue;
            };
            return Time::new(hour as i8, minute as i8, found as i8, 0).ok();
        }
    }
}

/// The lowest bit that is set, from this one on.
fn next_bit(bits: u64, from: u32) -> Option<u32> {
    let rest = bits & (!0_u64).checked_shl(from).unwrap_or(0);
    (rest != 0).then(|| rest.trailing_zeros())
}
