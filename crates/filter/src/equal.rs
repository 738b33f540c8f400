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

/// Compares the numbers themselves, also an integer with a fraction, without rounding either.
pub fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_mixed(a, float(b)),
        (None, Some(b)) => compare_mixed(b, float(a)).reverse(),
        (None, None) => float(a).partial_cmp(&float(b)).unwrap_or(Ordering::Equal),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// JSON has neither NaN nor infinity.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

/// `integer` is of 65 bits at most, so that a fraction which does not fit into 128 lies beyond it.
fn compare_mixed(integer: i128, fraction: f64) -> Ordering {
    let whole = fraction.trunc();
    // The cast saturates, which keeps the order.
    integer.cmp(&(whole as i128)).then_with(|| whole.partial_cmp(&fraction).unwrap_or(Ordering::Equal))
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
