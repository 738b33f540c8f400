//! Until when a certificate is valid (RFC 5280, section 4.1): the one thing that the TLS library reads and does not tell.

use std::fmt;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A moment as certificates have it, in UTC; ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    year: u16,
    /// month, day, hour, minute, second
    rest: [u8; 5],
}

impl Moment {
    /// From seconds since 1970.
    pub fn from_unix(seconds: u64) -> Moment {
        let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
        // days since 1 March of the year 0, in eras of 400 years, so that a leap day ends its year
        let from_march = days + 719_468;
        let (era, day_of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = (year_of_era + era * 400 + next_year).clamp(0, 9_999) as u16;
        let [hour, minute, second] = [second / 3_600, second / 60 % 60, second % 60].map(|part| part as u8);
        Moment { year, rest: [month as u8, day as u8, hour, minute, second] }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [month, day, hour, minute, second] = self.rest;
        write!(f, "{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", self.year)
    }
}

/// `notAfter` of a certificate in DER; `None` for what is none.
pub(crate) fn not_after(der: &[u8]) -> Option<Moment> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (body, _) = element(certificate, SEQUENCE)?;
    let mut rest = body;
    if *rest.first()? == VERSION {
        rest = any(rest)?.2;
    }
    // serial number, signature algorithm, issuer
    for _ in 0..3 {
        rest = any(rest)?.2;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, _, after) = any(validity)?;
    let (tag, text, _) = any(after)?;
    moment(tag, text)
}

/// `YYMMDDHHMMSSZ`, of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &[u8]) -> Option<Moment> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = u16::from(pair(year)?);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (u16::from(pair(year)?) * 100 + u16::from(pair(&year[2..])?), rest)
        }
        _ => return None,
    };
    let mut parts = [0; 5];
    for (part, two) in parts.iter_mut().zip(rest.chunks(2)) {
        *part = pair(two)?;
    }
    (rest.len() == 10).then_some(Moment { year, rest: parts })
}

fn pair(digits: &[u8]) -> Option<u8> {
    let [tens, ones, ..] = digits else { return None };
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

/// The content of the element of this tag that `der` begins with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and what follows (X.690, section 8.1).
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        // 0x80 has its end elsewhere, which DER does not allow
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_calendar_s() {
        let shown = |seconds| Moment::from_unix(seconds).to_string();
        assert_eq!(shown(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(shown(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(shown(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(shown(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(shown(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn both_spellings_of_time_are_read() {
        let shown = |tag, text: &[u8]| moment(tag, text).map(|moment| moment.to_string());
        assert_eq!(shown(UTC_TIME, b"491231235959Z").unwrap(), "2049-12-31 23:59:59 UTC");
        assert_eq!(shown(UTC_TIME, b"500101000000Z").unwrap(), "1950-01-01 00:00:00 UTC");
        assert_eq!(shown(GENERALIZED_TIME, b"20500101000000Z").unwrap(), "2050-01-01 00:00:00 UTC");
        for wrong in [&b"5001010000Z"[..], b"500101000000", b"5001010000000Z", b"5o0101000000Z", b"Z", b""] {
            assert_eq!(shown(UTC_TIME, wrong), None);
            assert_eq!(shown(GENERALIZED_TIME, wrong), None);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for der in [&b""[..], &[0x30], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 3, 0x30, 1, 0xa0], &[0; 64]]
        {
            assert_eq!(not_after(der), None);
        }
    }
}
