//! What an answer means for its delivery.

use std::time::Duration;

use retry::{Policy, Verdict};

use crate::receipt::Answer;
use crate::shipment::Target;

/// A receiver that says it has too much is left alone for at least this long.
pub(crate) const THROTTLE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    /// A direct request has its answer, though it is none of success.
    Answered,
    /// An answer that another attempt would not change, says the policy.
    Refused,
    Failed,
    /// Failed, and the receiver is to be left alone for so long.
    Throttled(Duration),
    /// Failed, and the receiver wants no more.
    Gone,
}

/// `text`: the answer's body, for the policy.
pub(crate) fn judge(answer: &Answer, target: Target, policy: Option<&Policy>) -> Fate {
    let verdict = retry::judge(answer.status);
    let direct = target.endpoint().is_none();
    match verdict {
        Verdict::Success => Fate::Delivered,
        // Any answer is final but those that ask to come again.
        _ if direct && verdict != Verdict::Throttled => Fate::Answered,
        Verdict::Failure if !direct && policy.is_some_and(|policy| policy.is_final(answer.status, &answer.text())) => {
            Fate::Refused
        }
        Verdict::Failure => Fate::Failed,
        Verdict::Throttled => Fate::Throttled(answer.retry_after.unwrap_or_default().max(THROTTLE)),
        Verdict::Gone => Fate::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(status: u16, target: Target, policy: &str) -> Fate {
        let policy = Policy::parse(&serde_json::from_str(policy).unwrap()).unwrap();
        judge(&Answer { status, ..Answer::default() }, target, Some(&policy))
    }

    #[test]
    fn of_an_endpoint() {
        let of = |status| fate(status, Target::Endpoint(1), r#"{"delays": [], "final": {"status": 422}}"#);
        assert_eq!(of(204), Fate::Delivered);
        assert_eq!(of(301), Fate::Failed);
        assert_eq!(of(422), Fate::Refused);
        assert_eq!(of(410), Fate::Gone);
        assert_eq!(of(503), Fate::Throttled(THROTTLE));
    }

    #[test]
    fn of_a_direct_request_nearly_every_answer_is_the_last() {
        let of = |status| fate(status, Target::Host(1), r#"{"delays": [], "final": {"status": 503}}"#);
        assert_eq!(of(200), Fate::Delivered);
        for status in [301, 404, 410, 500] {
            assert_eq!(of(status), Fate::Answered);
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(of(status), Fate::Throttled(THROTTLE));
        }
    }

    #[test]
    fn a_receiver_says_how_long_to_wait() {
        let answer = Answer { status: 429, retry_after: Some(Duration::from_secs(9)), ..Answer::default() };
        assert_eq!(judge(&answer, Target::Endpoint(1), None), Fate::Throttled(Duration::from_secs(9)));
    }
}
