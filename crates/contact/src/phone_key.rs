//! Whose phone it is: what tells that two numbers are one, and that a number is nobody's.

use crate::phone::{country_code, is_assigned};
use crate::phone_plan::{canonical, digits, spellings};

/// Fewer digits are no phone of one person: an extension, a short code, `0`.
const FEWEST: usize = 7;

/// What a number, in E.164 or as somebody wrote it, is recognised by: the same for every spelling of one phone.
/// `None` for what people type where a form insists on a number: it is nobody's.
pub fn phone_key(number: &str) -> Option<String> {
    let digits = digits(number);
    let is_international = number.starts_with('+');
    if is_placeholder(&digits, if is_international { country_code(&digits) } else { 0 }) {
        return None;
    }
    if !is_international {
        // Of no known country: the same digits are the same phone, as far as one account knows.
        return Some(digits);
    }
    Some(canonical(&format!("+{digits}"), is_assigned))
}

/// Every way in which this phone may have been written down, its key first; none of a number that is nobody's.
pub fn phone_spellings(number: &str) -> Vec<String> {
    phone_key(number).map(spellings).unwrap_or_default()
}

/// 0000000000, +1 111 111 1111, 123456789, +52 55 0000 0000.
fn is_placeholder(digits: &str, code: usize) -> bool {
    let digits = digits.as_bytes();
    let Some(last) = digits.len().checked_sub(FEWEST) else { return true };
    digits[last..].iter().all(|digit| *digit == digits[last])
        || [0, code].iter().any(|from| *from <= last && is_row_of_keys(&digits[*from..]))
}

/// 1234567890, 0123456789, 987654321: up or down one by one from the end of the keys on, through all of them.
fn is_row_of_keys(digits: &[u8]) -> bool {
    let next = |step: u8| digits.windows(2).all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0');
    match digits.first() {
        Some(b'0' | b'1') => next(1),
        Some(b'9' | b'8') => next(9),
        _ => false,
    }
}
