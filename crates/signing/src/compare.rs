use subtle::ConstantTimeEq;

/// Whether `text`, in hex of either case and with or without `sha256=` before it, spells `expected`.
/// Constant time in the content.
pub fn hex_equals(text: &str, expected: &[u8; 32]) -> bool {
    let digits = text.strip_prefix("sha256=").unwrap_or(text).as_bytes();
    if digits.len() != 2 * expected.len() {
        return false;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    bytes.ct_eq(expected).into()
}

/// Whether the two texts are equal. Constant time in the content, not in the length.
pub fn text_equals(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Whether a timestamp is at most `tolerance` seconds before or after `now`.
pub fn is_fresh(timestamp: i64, now: i64, tolerance: i64) -> bool {
    u64::try_from(tolerance).is_ok_and(|tolerance| timestamp.abs_diff(now) <= tolerance)
}

/// Seconds since the epoch as senders write them: digits only, so that no two spellings mean one time.
pub fn timestamp(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn nibble(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_either_case_and_prefix() {
        let lower = "ab".repeat(32);
        assert!(hex_equals(&lower, &[0xab; 32]));
        assert!(hex_equals(&lower.to_uppercase(), &[0xab; 32]));
        assert!(hex_equals(&format!("sha256={lower}"), &[0xab; 32]));
        assert!(!hex_equals(&lower, &[0xac; 32]));
        assert!(!hex_equals(&lower[1..], &[0xab; 32]));
        assert!(!hex_equals("", &[0xab; 32]));
        assert!(!hex_equals(&"é".repeat(32), &[0xab; 32]));
    }

    #[test]
    fn freshness_holds_in_both_directions_and_never_overflows() {
        assert!(is_fresh(100, 400, 300));
        assert!(is_fresh(700, 400, 300));
        assert!(!is_fresh(99, 400, 300));
        assert!(!is_fresh(701, 400, 300));
        assert!(!is_fresh(400, 400, -1));
        assert!(!is_fresh(i64::MIN, i64::MAX, i64::MAX));
    }

    #[test]
    fn a_timestamp_has_one_spelling() {
        assert_eq!(timestamp("1649367553"), Some(1_649_367_553));
        for text in ["", "+1", "-1", " 1", "1.0", "1e3", "99999999999999999999"] {
            assert_eq!(timestamp(text), None, "{text:?}");
        }
    }
}
