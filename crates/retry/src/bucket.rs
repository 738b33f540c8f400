/// Token bucket of one endpoint: `rate` tokens per second come in, at most `max(1, rate)` are kept.
///
/// Kept as the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371), in picoseconds, so that
/// nothing is rounded away at any rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Picoseconds per token.
    interval: i128,
    /// How far ahead of `now` the next token may lie, in picoseconds.
    tolerance: i128,
    /// When the next token would come in at an even pace, in picoseconds since the epoch.
    next: i128,
}

impl Bucket {
    /// Full. `rate` is tokens per second, taken into the range of one a day to one a nanosecond.
    pub fn new(rate: f64) -> Bucket {
        // NaN fails every comparison and gets the slowest rate.
        let rate = if rate >= SLOWEST { rate.min(1e9) } else { SLOWEST };
        let interval = (1e12 / rate).ceil() as i128;
        let burst = rate.max(1.0);
        Bucket { interval, tolerance: ((burst - 1.0) * interval as f64) as i128, next: i128::MIN }
    }

    /// Takes a token at `now`, in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// The moment at which the next one can be taken.
    pub fn take(&mut self, now: i64) -> Result<(), i64> {
        let now = i128::from(now) * PICOS;
        // A clock that was set back would otherwise close the bucket for as long.
        let furthest = now + self.tolerance + self.interval;
        let next = self.next.clamp(now, furthest);
        let ready = next - self.tolerance;
        if ready > now {
            // Rounded up: a moment too early would be refused again.
            let micros = (ready + PICOS - 1).div_euclid(PICOS);
            return Err(i64::try_from(micros).unwrap_or(i64::MAX));
        }
        self.next = next + self.interval;
        Ok(())
    }
}

const SLOWEST: f64 = 1.0 / 86_400.0;
/// Picoseconds per microsecond.
const PICOS: i128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn burst(bucket: &mut Bucket, now: i64) -> usize {
        std::iter::repeat_with(|| bucket.take(now)).take_while(Result::is_ok).count()
    }

    #[test]
    fn a_full_bucket_gives_one_second_of_its_rate() {
        for (rate, expected) in [(0.5, 1), (1.0, 1), (2.5, 2), (100.0, 100), (1e6, 1_000_000)] {
            assert_eq!(burst(&mut Bucket::new(rate), 0), expected, "{rate}");
        }
    }

    #[test]
    fn then_it_gives_an_even_pace() {
        let mut bucket = Bucket::new(10.0);
        assert_eq!(burst(&mut bucket, 0), 10);
        assert_eq!(bucket.take(0), Err(100_000));
        assert_eq!(bucket.take(99_999), Err(100_000));
        assert_eq!(bucket.take(100_000), Ok(()));
        assert_eq!(bucket.take(100_000), Err(200_000));
    }

    #[test]
    fn a_clock_set_back_costs_at_most_a_refill() {
        let mut bucket = Bucket::new(1.0);
        assert_eq!(bucket.take(3_600_000_000), Ok(()));
        assert_eq!(bucket.take(0), Err(1_000_000));
    }

    #[test]
    fn a_senseless_rate_is_the_nearest_sensible_one() {
        for rate in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            let mut bucket = Bucket::new(rate);
            assert_eq!(bucket.take(0), Ok(()));
            assert_eq!(bucket.take(0), Err(86_400_000_000));
        }
        assert_eq!(Bucket::new(f64::INFINITY).take(0), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            rate in 0.1_f64..5000.0,
            waits in prop::collection::vec(0_i64..2_000_000, 1..300),
        ) {
            let mut bucket = Bucket::new(rate);
            let mut now = 0;
            let mut taken = 0_u32;
            for wait in waits {
                now += wait;
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(next) => {
                        prop_assert!(next > now);
                        prop_assert_eq!(bucket.clone().take(next), Ok(()));
                        prop_assert!(bucket.clone().take(next - 1).is_err());
                    }
                }
                let allowed = rate.max(1.0) + now as f64 / 1e6 * rate;
                prop_assert!(f64::from(taken) <= allowed + 1e-6);
            }
        }

        #[test]
        fn any_moment_is_survived(rate: f64, moments: Vec<i64>) {
            let mut bucket = Bucket::new(rate);
            for now in moments {
                let _ = bucket.take(now);
            }
        }
    }
}
