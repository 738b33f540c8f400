//! Time, in microseconds since 2000-01-01 UTC as PostgreSQL counts it.

use pgrx::prelude::*;

use crate::{ffi, guc};

pub use delivery::{SECOND, UNIX_EPOCH_SECONDS};

/// The time of day, or the setting `frontdesk.fake_now`.
pub fn now() -> i64 {
    guc::fake_now().map_or_else(real, |fake| from_unix(fake.as_microsecond()))
}

/// The time of day.
pub fn real() -> i64 {
    ffi::current_timestamp()
}

pub fn from_unix(micros: i64) -> i64 {
    micros.saturating_sub(UNIX_EPOCH_SECONDS * SECOND)
}

pub fn to_unix(micros: i64) -> i64 {
    micros.saturating_add(UNIX_EPOCH_SECONDS * SECOND)
}

pub fn from_system(time: std::time::SystemTime) -> i64 {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    from_unix(since.as_micros() as i64)
}

/// RFC 3339 in UTC.
pub fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros + UNIX_EPOCH_SECONDS * SECOND)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

pub fn unix_seconds(micros: i64) -> i64 {
    micros.div_euclid(SECOND) + UNIX_EPOCH_SECONDS
}

pub fn timestamp(micros: i64) -> TimestampWithTimeZone {
    // What is before or after PostgreSQL's range is so at infinity.
    TimestampWithTimeZone::try_from(micros).unwrap_or_else(|_| match micros < 0 {
        true => TimestampWithTimeZone::negative_infinity(),
        false => TimestampWithTimeZone::positive_infinity(),
    })
}
