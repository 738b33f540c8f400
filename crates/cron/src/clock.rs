//! From the calendar to the time line, where an hour may be skipped or repeated.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::calendar::Calendar;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The first run after `after`.
pub(crate) fn next(calendar: &Calendar, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if is_fixed(calendar) { next_fixed(calendar, after, zone) } else { next_elapsed(calendar, after, zone) }
}

/// Does it name times of the day, and not each hour or each minute? Such a job runs once in a repeated hour.
pub(crate) fn is_fixed(calendar: &Calendar) -> bool {
    !calendar.hours.star && !calendar.minutes.star
}

/// Each time of the calendar is one moment: in a repeated hour the first, in a skipped hour the end of it.
fn next_fixed(calendar: &Calendar, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut from = zone.to_datetime(after);
    loop {
        let wanted = calendar.next(from)?;
        let moment = match zone.to_ambiguous_timestamp(wanted).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wanted).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wanted).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                let within = before.to_timestamp(wanted).ok()?.checked_add(SECOND).ok()?;
                zone.preceding(within).next()?.timestamp()
            }
        };
        if moment > after {
            return Some(moment);
        }
        from = wanted.checked_add(1.second()).ok()?;
    }
}

/// Each moment whose local time the calendar names: a repeated hour counts twice. A skipped hour that the job names (and not
/// only `*`) is made up for right after it.
fn next_elapsed(calendar: &Calendar, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut from = Timestamp::from_second(after.as_second()).ok()?;
    if from <= after {
        from = from.checked_add(SECOND).ok()?;
    }
    loop {
        let offset = zone.to_offset(from);
        let wanted = calendar.next(offset.to_datetime(from))?;
        let moment = offset.to_timestamp(wanted).ok()?;
        let Some(transition) = zone.following(from).next().filter(|transition| transition.timestamp() <= moment) else {
            return Some(moment);
        };
        let (change, skipped_to) = (transition.timestamp(), transition.offset().to_datetime(transition.timestamp()));
        if !calendar.hours.star && wanted < skipped_to {
            return Some(change);
        }
        from = change;
    }
}
