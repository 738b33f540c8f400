//! The days of a month that the two day fields name.

use jiff::civil::Date;

use crate::field::Field;

/// Its length, and the day of the week it begins with (0: Sunday).
pub(crate) struct Month {
    pub length: u32,
    pub first: u32,
}

pub(crate) fn day(date: Date) -> u32 {
    date.weekday().to_sunday_zero_offset().unsigned_abs().into()
}

impl Month {
    /// Bit n: day n is one of the days of the month.
    pub fn days(&self, field: &Field) -> u32 {
        let mut days = field.values as u32 & self.all();
        for back in bits(field.from_last) {
            if back < self.length {
                days |= 1 << (self.length - back);
            }
        }
        for day in bits(field.nearest).filter(|day| *day <= self.length) {
            days |= 1 << self.nearest_weekday(day);
        }
        if field.last_weekday {
            days |= 1 << self.nearest_weekday(self.length);
        }
        days
    }

    /// Bit n: day n falls on one of the days of the week.
    pub fn weekdays(&self, field: &Field) -> u32 {
        let mut days = 0;
        for day in 1..=self.length {
            let weekday = self.weekday(day);
            let nth = (day - 1) / 7;
            let plain = field.values & 1 << weekday != 0;
            let last = field.last & 1 << weekday != 0 && day + 7 > self.length;
            if plain || last || field.nth & 1 << (7 * nth + weekday) != 0 {
                days |= 1 << day;
            }
        }
        days
    }

    fn all(&self) -> u32 {
        ((2_u64 << self.length) - 2) as u32
    }

    fn weekday(&self, day: u32) -> u32 {
        (self.first + day - 1) % 7
    }

    /// The weekday nearest to a day, within the month.
    fn nearest_weekday(&self, day: u32) -> u32 {
        match self.weekday(day) {
            6 if day > 1 => day - 1,
            6 => day + 2,
            0 if day < self.length => day + 1,
            0 => day - 2,
            _ => day,
        }
    }
}

fn bits(set: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |bit| set & 1 << bit != 0)
}
