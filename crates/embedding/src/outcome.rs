//! What to make of an answer, or of none.

use std::time::Duration;

use serde::Deserialize;

use crate::answer::{Answer, parse};

/// Longest reason kept, in characters.
const REASON: usize = 300;

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Embedded(Answer),
    /// The service takes no offence at us but at these texts, or so it seems.
    Refused(String),
    /// It asks for a pause; how long, when it says.
    Throttled(String, Option<Duration>),
    /// It is in trouble, perhaps with these texts.
    Down(String),
    /// It will not do what we ask, whatever the texts: the key, the address or the model is wrong.
    Denied(String),
}

/// Judges an answer with this status to a request of `texts` texts. `retry_after` is the header, already read.
pub fn judge(status: u16, retry_after: Option<Duration>, body: &[u8], texts: usize, dimensions: usize) -> Outcome {
    match status {
        200..=299 => match parse(body, texts, dimensions) {
            Ok(answer) => Outcome::Embedded(answer),
            Err(fault) => Outcome::Refused(fault.to_string()),
        },
        400 | 413 | 422 => Outcome::Refused(reason(status, body)),
        429 => Outcome::Throttled(reason(status, body), retry_after),
        503 if retry_after.is_some() => Outcome::Throttled(reason(status, body), retry_after),
        408 | 500..=599 => Outcome::Down(reason(status, body)),
        _ => Outcome::Denied(reason(status, body)),
    }
}

/// How long an embedder is left alone after so many failures in a row: 1 s, doubling, at most 5 minutes, so that the end of an
/// outage of any length is soon noticed. `jitter` from -1.0 to 1.0 scales by up to a fifth.
pub fn pause(failures: u32, jitter: f64) -> Duration {
    let seconds = 2_f64.powi(i32::try_from(failures.saturating_sub(1).min(30)).unwrap_or(30)).min(300.0);
    let jitter = if jitter.is_finite() { jitter.clamp(-1.0, 1.0) } else { 0.0 };
    Duration::from_secs_f64(seconds * (1.0 + 0.2 * jitter))
}

/// The status, and the words of the service: `error.message` of OpenAI, `error` or `detail` of others, else the body's beginning.
fn reason(status: u16, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Option<serde_json::Value>,
        message: Option<serde_json::Value>,
        detail: Option<serde_json::Value>,
    }
    let said = serde_json::from_slice::<Body>(body).ok().and_then(|body| {
        let error = body.error.map(|error| error.get("message").cloned().unwrap_or(error));
        error.or(body.message).or(body.detail).map(|words| match words {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        })
    });
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect();
    format!("status {status}: {}", said.trim()).trim_end_matches([' ', ':']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Outcome {
        judge(status, None, body.as_bytes(), 1, 2)
    }

    #[test]
    fn statuses() {
        assert!(matches!(of(200, r#"{"data":[{"index":0,"embedding":[1,2]}]}"#), Outcome::Embedded(_)));
        assert!(matches!(of(200, "<html>"), Outcome::Refused(why) if why.starts_with("the answer is not")));
        for status in [400, 413, 422] {
            assert!(matches!(of(status, ""), Outcome::Refused(_)), "{status}");
        }
        for status in [301, 401, 402, 403, 404, 405, 410] {
            assert!(matches!(of(status, ""), Outcome::Denied(_)), "{status}");
        }
        for status in [408, 500, 502, 503, 504] {
            assert!(matches!(of(status, ""), Outcome::Down(_)), "{status}");
        }
        let soon = Some(Duration::from_secs(2));
        assert_eq!(judge(429, soon, b"slow", 1, 2), Outcome::Throttled("status 429: slow".into(), soon));
        assert_eq!(judge(503, soon, b"", 1, 2), Outcome::Throttled("status 503".into(), soon));
    }

    #[test]
    fn reasons_in_the_words_of_the_service() {
        let why = |body: &str| match of(401, body) {
            Outcome::Denied(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(r#"{"error":{"message":"Incorrect API key","code":1}}"#), "status 401: Incorrect API key");
        assert_eq!(why(r#"{"error":"no\nmodel"}"#), "status 401: no model");
        assert_eq!(why(r#"{"detail":[{"msg":"x"}]}"#), r#"status 401: [{"msg":"x"}]"#);
        assert_eq!(why("plain"), "status 401: plain");
        assert_eq!(why(""), "status 401");
        assert_eq!(why(&"x".repeat(5000)).len(), 300 + "status 401: ".len());
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let seconds: Vec<u64> = (0..12).map(|failures| pause(failures, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(u32::MAX, f64::NAN).as_secs(), 300);
        assert_eq!(pause(10, -1.0).as_secs(), 240);
    }
}
