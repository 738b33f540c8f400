use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Whether two values are equal as `jsonb` says: numbers by value (1 equals 1.0), objects whatever their order.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Ordering::Equal,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Compares the numbers themselves, as they are written: none is rounded.
pub fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a.cmp(&b);
    }
    let (a, b) = (a.to_string(), b.to_string());
    // Numbers of so few digits have each a double of their own, unless an exponent leads out of its range.
    let is_exact = |text: &str| text.len() <= EXACT && !text.contains(['e', 'E']);
    if is_exact(&a)
        && is_exact(&b)
        && let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>())
        && let Some(order) = a.partial_cmp(&b)
    {
        return order;
    }
    Decimal::parse(&a).cmp(&Decimal::parse(&b))
}

/// Characters of a number whose digits a double holds.
const EXACT: usize = 15;

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Plus or minus 0.d1d2d3... times ten to the power of `point`.
struct Decimal {
    negative: bool,
    point: i64,
    /// Without zeros at either end; empty: zero.
    digits: Vec<u8>,
}

impl Decimal {
    fn parse(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches(['-', '0']);
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
        digits.truncate(end);
        let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
        let point = exponent.saturating_add(whole.len() as i64 - leading as i64);
        Decimal { negative: text.starts_with('-') && !digits.is_empty(), point, digits }
    }

    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |number: &Decimal| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, negative) => {
                if negative {
                    -1
                } else {
                    1
                }
            }
        };
        let magnitude = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => magnitude(),
            _ => magnitude().reverse(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn by_value() {
        assert!(equal(&json!(1), &json!(1.0)));
        assert!(equal(&json!(-0.0), &json!(0)));
        assert!(equal(&json!({"a": [1], "b": 2}), &json!({"b": 2.0, "a": [1.0]})));
        assert!(!equal(&json!([1, 2]), &json!([2, 1])));
        assert!(!equal(&json!([1]), &json!([1, 1])));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
        assert!(!equal(&json!("1"), &json!(1)));
        assert!(!equal(&json!(false), &json!(null)));
    }

    #[test]
    fn integers_next_to_fractions_are_not_rounded() {
        let order = |a: Value, b: Value| match (a, b) {
            (Value::Number(a), Value::Number(b)) => compare_numbers(&a, &b),
            _ => unreachable!(),
        };
        // 2^53 + 1 has no double of its own.
        assert_eq!(order(json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0)), Ordering::Greater);
        assert_eq!(order(json!(u64::MAX), json!(18_446_744_073_709_551_616.0)), Ordering::Less);
        assert_eq!(order(json!(i64::MIN), json!(-1e300)), Ordering::Greater);
        assert_eq!(order(json!(1), json!(1e300)), Ordering::Less);
        assert_eq!(order(json!(1), json!(1.5)), Ordering::Less);
        assert_eq!(order(json!(-1), json!(-1.5)), Ordering::Greater);
        assert_eq!(order(json!(2.5), json!(2)), Ordering::Greater);
    }

    #[test]
    fn numbers_as_they_are_written() {
        let order = |a: &str, b: &str| Decimal::parse(a).cmp(&Decimal::parse(b));
        assert_eq!(order("1234567890123456.78", "1234567890123456.79"), Ordering::Less);
        assert_eq!(order("-1234567890123456.78", "-1234567890123456.79"), Ordering::Greater);
        assert_eq!(order("100.00", "1e2"), Ordering::Equal);
        assert_eq!(order("0.00100", "1e-3"), Ordering::Equal);
        assert_eq!(order("-0.0", "0"), Ordering::Equal);
        assert_eq!(order("0.5", "-7"), Ordering::Greater);
        assert_eq!(order("1e400", "9e399"), Ordering::Greater);
        assert_eq!(order("0.1", "0.09"), Ordering::Greater);
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            (-5_i64..5).prop_map(Number::from),
            (-20_i32..20).prop_filter_map("finite", |n| Number::from_f64(f64::from(n) / 4.0)),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
        ]
    }

    proptest! {
        #[test]
        fn a_total_order(a in number(), b in number(), c in number()) {
            prop_assert_eq!(compare_numbers(&a, &b), compare_numbers(&b, &a).reverse());
            if compare_numbers(&a, &b).is_le() && compare_numbers(&b, &c).is_le() {
                prop_assert!(compare_numbers(&a, &c).is_le());
            }
        }
    }
}
