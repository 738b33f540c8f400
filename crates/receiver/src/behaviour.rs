//! What a path asks for.

use std::time::Duration;

use crate::embedder::Lie;

/// How one request is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// `/ok...` and any other path: 200 `{"ok":true}`
    Ok,
    /// `/status/N`
    Status(u16),
    /// `/gone`: 410
    Gone,
    /// `/delay/MS`: 200 after a while
    Delay(Duration),
    /// `/fail-first/N/TAG`: 500 for the first N requests of the tag; `/fail-first-each/N`: of each webhook-id.
    /// With `?retry-after=S` the failures carry that header.
    FailFirst { count: u32, tag: String, each: bool, retry_after: Option<String> },
    /// `/retry-after/S`: 503 with `Retry-After: S`; S may be a date, percent-encoded. `?status=N`: another than 503.
    RetryAfter(u16, String),
    /// `/hang`: no answer, ever
    Hang,
    /// `/reset`, `/reset/headers`, `/reset/body`: a TCP reset before, in the middle of, or after the headers
    Reset(Stage),
    /// `/close`: the connection is closed without an answer
    Close,
    /// `/drip`, `/drip/MS`: a long body, one byte per second or per MS
    Drip(Duration),
    /// `/big/BYTES`
    Big(u64),
    /// `/redirect?to=URL`, `/redirect/N?to=URL`: 302 or N
    Redirect(u16, String),
    /// `/garbage`: bytes that are not HTTP
    Garbage,
    /// `/headers-endless`: a response whose headers never end
    HeadersEndless,
    /// `/binary`: 200 with a body that is not UTF-8 and has a NUL
    Binary,
    /// `/echo`: the request as JSON
    Echo,
    /// `/embed/DIMENSIONS`, `/embed/DIMENSIONS/FAULT`: an embedder, see `embedder.rs`
    Embed(usize, Option<Lie>),
    /// `/toggle/NAME`: the status set through control, 200 until then; 0 is no answer
    Toggle(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Start,
    Headers,
    Body,
}

impl Behaviour {
    /// A number that cannot be read makes the path an ordinary one.
    pub(crate) fn of(path: &str, query: Option<&str>) -> Behaviour {
        Behaviour::parse(path, query).unwrap_or(Behaviour::Ok)
    }

    fn parse(path: &str, query: Option<&str>) -> Option<Behaviour> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let first = segments.next()?;
        let second = segments.next();
        Some(match first {
            "status" => Behaviour::Status(status(second?)?),
            "gone" => Behaviour::Gone,
            "delay" => Behaviour::Delay(Duration::from_millis(second?.parse().ok()?)),
            "fail-first" | "fail-first-each" => Behaviour::FailFirst {
                count: second?.parse().ok()?,
                // failures are counted per path when there is no tag
                tag: segments.next().unwrap_or(path).to_owned(),
                each: first == "fail-first-each",
                retry_after: parameter(query, "retry-after"),
            },
            "retry-after" => {
                let code = parameter(query, "status").and_then(|code| status(&code));
                Behaviour::RetryAfter(code.unwrap_or(503), decode(second?))
            }
            "hang" => Behaviour::Hang,
            "reset" => Behaviour::Reset(match second {
                Some("headers") => Stage::Headers,
                Some("body") => Stage::Body,
                _ => Stage::Start,
            }),
            "close" => Behaviour::Close,
            "drip" => Behaviour::Drip(Duration::from_millis(second.and_then(|ms| ms.parse().ok()).unwrap_or(1000))),
            "big" => Behaviour::Big(second?.parse().ok()?),
            "redirect" => Behaviour::Redirect(second.and_then(status).unwrap_or(302), parameter(query, "to")?),
            "garbage" => Behaviour::Garbage,
            "headers-endless" => Behaviour::HeadersEndless,
            "binary" => Behaviour::Binary,
            "echo" => Behaviour::Echo,
            "embed" => {
                Behaviour::Embed(second?.parse().ok().filter(|n| *n <= 16_000)?, segments.next().and_then(Lie::of))
            }
            "toggle" => Behaviour::Toggle(second?.to_owned()),
            _ => Behaviour::Ok,
        })
    }
}

/// A final status; 1xx are not answers.
pub(crate) fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (200..=999).contains(status))
}

/// The value of `name` in a query string, percent-decoded.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decode(value))
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'%').then(|| bytes.clone().take(2).map(|b| (b as char).to_digit(16)));
        match escaped.map(|mut digits| (digits.next().flatten(), digits.next().flatten())) {
            Some((Some(high), Some(low))) => {
                bytes.nth(1);
                decoded.push((high * 16 + low) as u8);
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_what_happens() {
        let of = |path| Behaviour::of(path, Some("to=http%3A%2F%2Fx%2F%3Fa&retry-after=2"));
        assert_eq!(of("/"), Behaviour::Ok);
        assert_eq!(of("/ok/whatever"), Behaviour::Ok);
        assert_eq!(of("/hook"), Behaviour::Ok);
        assert_eq!(of("/status/503"), Behaviour::Status(503));
        assert_eq!(of("/status/100"), Behaviour::Ok);
        assert_eq!(of("/status/x"), Behaviour::Ok);
        assert_eq!(of("/delay/20"), Behaviour::Delay(Duration::from_millis(20)));
        assert_eq!(of("/reset/body"), Behaviour::Reset(Stage::Body));
        assert_eq!(of("/redirect/307"), Behaviour::Redirect(307, "http://x/?a".into()));
        let failing =
            |tag: &str, each| Behaviour::FailFirst { count: 2, tag: tag.into(), each, retry_after: Some("2".into()) };
        assert_eq!(of("/fail-first/2/a"), failing("a", false));
        assert_eq!(of("/fail-first-each/2"), failing("/fail-first-each/2", true));
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(decode("a%2Fb%zz%4"), "a/b%zz%4");
    }
}
