/// What a response's status means for its delivery and its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Success,
    Failure,
    /// A failure by which the receiver says that it is too much now.
    Throttled,
    /// The receiver wants no more requests: the endpoint is to be disabled.
    Gone,
}

/// Standard Webhooks 1.0, "Deliverability and reliability": 2xx alone is success, redirects are failures and not
/// followed, 410 disables, 429, 502 and 504 throttle; 503 is treated as they are.
pub fn judge(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Success,
        410 => Verdict::Gone,
        429 | 502 | 503 | 504 => Verdict::Throttled,
        _ => Verdict::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status() {
        for status in 0..=u16::MAX {
            let expected = match status {
                200..300 => Verdict::Success,
                410 => Verdict::Gone,
                429 | 502 | 503 | 504 => Verdict::Throttled,
                _ => Verdict::Failure,
            };
            assert_eq!(judge(status), expected, "{status}");
        }
    }
}
