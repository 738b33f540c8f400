use std::fmt;

use crate::ScheduleError;
use crate::schedule_error::shown;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldName {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

use FieldName::{DayOfMonth, DayOfWeek, Hour, Minute, Month, Second};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

impl FieldName {
    pub(crate) fn range(self) -> (u32, u32) {
        match self {
            Second | Minute => (0, 59),
            Hour => (0, 23),
            DayOfMonth => (1, 31),
            Month => (1, 12),
            DayOfWeek => (0, 7),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Second | Minute => "0 to 59, a range such as 10-20, a step such as */15, or *",
            Hour => "0 to 23, a range such as 9-17, a step such as */6, or *",
            DayOfMonth => "1 to 31, a range, a step, L (the last), L-2, 15W (the nearest weekday), LW, or *",
            Month => "1 to 12 or jan to dec, a range, a step, or *",
            DayOfWeek => "0 to 7 or sun to sat, a range, a step, fri#2 (the second), friL (the last), or *",
        }
    }

    fn named(self, text: &str) -> Option<u32> {
        let find = |names: &[&str]| {
            let text = text.to_ascii_lowercase();
            let found = names.iter().position(|name| text == *name || text.len() == 3 && name.starts_with(&text))?;
            u32::try_from(found).ok()
        };
        match self {
            Month => find(&MONTHS).map(|month| month + 1),
            DayOfWeek => find(&DAYS),
            _ => None,
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Second => "second",
            Minute => "minute",
            Hour => "hour",
            DayOfMonth => "day of month",
            Month => "month",
            DayOfWeek => "day of week",
        })
    }
}

pub(crate) fn month_name(month: u32) -> String {
    let name = MONTHS.get(month.saturating_sub(1) as usize).copied().unwrap_or_default();
    name[..1].to_uppercase() + &name[1..]
}

/// One field as sets: bit n stands for the value n.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub values: u64,
    /// It begins with `*`, or is `?`.
    pub star: bool,
    /// Day of month: bit n for `L-n`.
    pub from_last: u32,
    /// Day of month: bit n for `nW`.
    pub nearest: u32,
    /// Day of month: `LW`.
    pub last_weekday: bool,
    /// Day of week: bit 7 × (n - 1) + day for `day#n`.
    pub nth: u64,
    /// Day of week: bit n for `nL`.
    pub last: u8,
}

/// `position` is that of the field's first character.
pub(crate) fn parse(name: FieldName, text: &str, position: usize) -> Result<Field, ScheduleError> {
    let mut field = Field { star: text.starts_with('*'), ..Field::default() };
    let mut position = position;
    for item in text.split(',') {
        if parse_item(name, item, &mut field).is_none() {
            return Err(ScheduleError::Field {
                field: name,
                position,
                got: shown(item),
                expected: expected(name, item).to_owned(),
            });
        }
        position += item.chars().count() + 1;
    }
    if name == DayOfWeek && field.values & 1 << 7 != 0 {
        field.values |= 1;
    }
    Ok(field)
}

fn expected(name: FieldName, item: &str) -> &'static str {
    let (base, step) = item.split_once('/').unwrap_or((item, "1"));
    if item.is_empty() {
        return "a value between the commas";
    }
    if number(name, base).is_some() || base == "*" || range(name, base).is_some() {
        return if step.bytes().all(|byte| byte == b'0') { "a step of at least 1" } else { "a number after the /" };
    }
    if let Some((from, to)) = base.split_once('-')
        && let (Some(from), Some(to)) = (number(name, from), number(name, to))
        && from > to
    {
        return "a range that goes up; write 22-23,0-2 for one that wraps around";
    }
    name.expected()
}

fn parse_item(name: FieldName, item: &str, field: &mut Field) -> Option<()> {
    if name == DayOfMonth && day_of_month(item, field).is_some()
        || name == DayOfWeek && day_of_week(item, field).is_some()
    {
        return Some(());
    }
    let (base, step) = match item.split_once('/') {
        Some((base, step)) => (base, Some(digits(step).filter(|step| *step > 0)?)),
        None => (item, None),
    };
    let (low, high) = name.range();
    let (from, to) = if base == "*" {
        (low, if name == DayOfWeek { 6 } else { high })
    } else if let Some(range) = range(name, base) {
        range
    } else {
        let value = number(name, base)?;
        (value, if step.is_some() { high } else { value })
    };
    for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
        field.values |= 1 << value;
    }
    Some(())
}

/// What only a day of the month can be.
fn day_of_month(item: &str, field: &mut Field) -> Option<()> {
    let upper = item.to_ascii_uppercase();
    match upper.as_str() {
        "?" => {
            field.star = true;
            field.values = !0;
        }
        "L" | "$" => field.from_last |= 1,
        "LW" | "WL" => field.last_weekday = true,
        _ => {
            if let Some(back) = upper.strip_prefix("L-") {
                field.from_last |= 1 << digits(back).filter(|back| *back <= 30)?;
            } else {
                let day = digits(upper.strip_suffix('W')?).filter(|day| (1..=31).contains(day))?;
                field.nearest |= 1 << day;
            }
        }
    }
    Some(())
}

/// What only a day of the week can be.
fn day_of_week(item: &str, field: &mut Field) -> Option<()> {
    if item == "?" {
        field.star = true;
        field.values = !0;
    } else if let Some((day, nth)) = item.split_once('#') {
        let nth = digits(nth).filter(|nth| (1..=5).contains(nth))?;
        field.nth |= 1 << (7 * (nth - 1) + number(DayOfWeek, day)? % 7);
    } else {
        let day = item.strip_suffix(['L', 'l'])?;
        field.last |= 1 << (number(DayOfWeek, day)? % 7);
    }
    Some(())
}

fn range(name: FieldName, text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-')?;
    let (from, mut to) = (number(name, from)?, number(name, to)?);
    // The week may be said to end on Sunday.
    if name == DayOfWeek && to == 0 && from > 0 {
        to = 7;
    }
    (from <= to).then_some((from, to))
}

/// A value within the field's range, or one of its names.
fn number(name: FieldName, text: &str) -> Option<u32> {
    let (low, high) = name.range();
    digits(text).filter(|value| (low..=high).contains(value)).or_else(|| name.named(text))
}

fn digits(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
