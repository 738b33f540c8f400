use std::time::{Duration, SystemTime};

/// The longest wait a receiver may ask for.
const MAX: Duration = Duration::from_secs(86_400);

/// Value of a `Retry-After` header as a wait from `now`: seconds or an HTTP date (RFC 9110 §10.2.3).
///
/// A date that has passed is zero, more than 24 hours are 24 hours, anything else is `None`.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_ascii();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to read is a long time too.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO).min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn seconds() {
        assert_eq!(retry_after("120", at(0)), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", at(0)), Some(Duration::ZERO));
        assert_eq!(retry_after("99999", at(0)), Some(MAX));
        assert_eq!(retry_after("99999999999999999999999", at(0)), Some(MAX));
    }

    #[test]
    fn dates() {
        // 784111777 is the date of the example in RFC 9110 §5.6.7, in its three forms.
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(retry_after(text, at(784_111_717)), Some(Duration::from_secs(60)), "{text}");
            assert_eq!(retry_after(text, at(784_111_778)), Some(Duration::ZERO), "{text}");
            assert_eq!(retry_after(text, at(0)), Some(MAX), "{text}");
        }
    }

    #[test]
    fn anything_else() {
        for text in ["", "-1", "1.5", "soon", "5s", "Sun, 06 Nov 1994"] {
            assert_eq!(retry_after(text, at(0)), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_exceeds_a_day(text in "\\PC*", now in 0_u64..10_000_000_000) {
            prop_assert!(retry_after(&text, at(now)).is_none_or(|wait| wait <= MAX));
        }
    }
}
