use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// The component `VTIMEZONE` (RFC 5545, 3.6.5) of a zone, lines without their ends: what holds from `from` until `until`, and
/// the change after it. A calendar that knows the zone by its name takes its own rules; one that does not has these.
pub fn vtimezone(name: &str, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<String> {
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{name}")];
    let before = zone.preceding(from).next();
    let mut offset = match &before {
        // What held before it is known by the moment before it.
        Some(change) => zone.to_offset(earlier(change.timestamp())),
        None => zone.to_offset(from),
    };
    let first = zone.to_offset_info(from);
    match &before {
        Some(change) => observance(
            &mut lines,
            change.timestamp(),
            offset,
            first.offset(),
            first.dst().is_dst(),
            first.abbreviation(),
        ),
        None => observance(&mut lines, Timestamp::UNIX_EPOCH, offset, offset, false, first.abbreviation()),
    }
    offset = first.offset();
    for change in zone.following(from).take(40) {
        observance(
            &mut lines,
            change.timestamp(),
            offset,
            change.offset(),
            change.dst().is_dst(),
            change.abbreviation(),
        );
        offset = change.offset();
        if change.timestamp() > until {
            break;
        }
    }
    lines.push("END:VTIMEZONE".into());
    lines
}

fn observance(lines: &mut Vec<String>, at: Timestamp, from: Offset, to: Offset, is_dst: bool, abbreviation: &str) {
    let kind = if is_dst { "DAYLIGHT" } else { "STANDARD" };
    lines.push(format!("BEGIN:{kind}"));
    // On the clocks as they were until then.
    lines.push(format!("DTSTART:{}", from.to_datetime(at).strftime("%Y%m%dT%H%M%S")));
    lines.push(format!("TZOFFSETFROM:{}", utc_offset(from)));
    lines.push(format!("TZOFFSETTO:{}", utc_offset(to)));
    lines.push(format!("TZNAME:{abbreviation}"));
    lines.push(format!("END:{kind}"));
}

fn earlier(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second().saturating_sub(1)).unwrap_or(moment)
}

/// RFC 5545, 3.3.14: `+0530`, with seconds only where there are some; never `-0000`.
fn utc_offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, all) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let text = format!("{sign}{:02}{:02}", all / 3600, all / 60 % 60);
    match all % 60 {
        0 => text,
        rest => format!("{text}{rest:02}"),
    }
}
