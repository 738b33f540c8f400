use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Hundredths of a point. Integers, so that a sum does not depend on its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Points(pub i64);

impl Points {
    pub const ZERO: Points = Points(0);
    /// The largest number that a model may name, in points.
    pub const MAX: f64 = 1_000_000.0;

    /// `None` for more than two decimals, and beyond [`Points::MAX`].
    pub fn exact(number: f64) -> Option<Points> {
        let hundredths = number * 100.0;
        let rounded = hundredths.round();
        ((hundredths - rounded).abs() < 1e-6 && number.abs() <= Points::MAX).then_some(Points(rounded as i64))
    }

    /// To the nearest hundredth; what is no number is none.
    pub fn nearest(number: f64) -> Points {
        Points((number * 100.0).round() as i64)
    }

    pub fn times(self, factor: f64) -> Points {
        Points((self.0 as f64 * factor).round() as i64)
    }
}

impl Add for Points {
    type Output = Points;

    fn add(self, other: Points) -> Points {
        Points(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Points) {
        *self = *self + other;
    }
}

impl Sub for Points {
    type Output = Points;

    fn sub(self, other: Points) -> Points {
        Points(self.0.saturating_sub(other.0))
    }
}

/// As short as can be: 5, 2.5, -0.25.
impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match part {
            0 => write!(f, "{sign}{whole}"),
            _ if part % 10 == 0 => write!(f, "{sign}{whole}.{}", part / 10),
            _ => write!(f, "{sign}{whole}.{part:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_text() {
        let shown: Vec<String> =
            [0, 500, 250, -25, 1, -10, 10_001].iter().map(|hundredths| Points(*hundredths).to_string()).collect();
        assert_eq!(shown, ["0", "5", "2.5", "-0.25", "0.01", "-0.1", "100.01"]);
    }

    #[test]
    fn exact_to_two_decimals() {
        assert_eq!(Points::exact(28.57), Some(Points(2857)));
        assert_eq!(Points::exact(-0.1), Some(Points(-10)));
        for wrong in [0.001, 1e7, f64::NAN, f64::INFINITY] {
            assert_eq!(Points::exact(wrong), None, "{wrong}");
        }
    }
}
