use report::Report;
use thiserror::Error;

use crate::DurationError;
use crate::policy::KNOWN;

/// Why a JSON value is no retry policy. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    #[error("a retry policy is a JSON object")]
    NotAnObject,
    #[error("the retry policy says neither \"delays\" nor \"max_retries\"")]
    NoShape,
    #[error("the retry policy mixes \"delays\" with \"max_retries\" and \"retry_delay\"")]
    TwoShapes,
    #[error("unknown key \"{key}\" in the retry policy")]
    UnknownKey { key: String },
    #[error("\"delays\" is not an array")]
    NotAList,
    #[error("the retry policy has {got} delays, at most 100 are allowed")]
    TooMany { got: u64 },
    #[error("delay {position} is neither a text nor a number")]
    NotADelay { position: usize },
    #[error("delay {position}: {source}")]
    BadDuration { position: usize, source: DurationError },
    #[error("delay {position} is not between 0 and 30 days")]
    OutOfRange { position: usize },
    #[error("\"max_retries\" is not a whole number of 0 or more")]
    BadRetries,
    #[error("\"retry_delay\" is not a number of milliseconds between 0 and 30 days")]
    BadRetryDelay,
    #[error("\"final\" is not a valid filter: {reason}")]
    BadFinal { reason: String },
    #[error("\"expires\" is not a text such as \"7d\"")]
    NoExpires,
    #[error("\"expires\": {source}")]
    BadExpires { source: DurationError },
    #[error("\"expires_from\" is not the name of a field beside \"expires\"")]
    BadExpiresFrom,
}

impl Report for PolicyError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PolicyError::UnknownKey { .. } => format!("Known keys: {}.", KNOWN.join(", ")),
            PolicyError::BadDuration { source, .. } | PolicyError::BadExpires { source } => return source.hint(),
            PolicyError::BadFinal { .. } => {
                "A filter over the answer: {\"final\": {\"status\": {\"$gte\": 400, \"$lt\": 500}}}.".into()
            }
            PolicyError::NoExpires | PolicyError::BadExpiresFrom => {
                "Example: {\"delays\": [\"5s\", \"1h\"], \"expires\": \"7d\", \"expires_from\": \"event_time\"}.".into()
            }
            PolicyError::NotADelay { .. } => {
                "Give a text such as \"5s\" or \"1h30m\", or a number of milliseconds.".into()
            }
            PolicyError::TooMany { .. } => "Use fewer and longer delays.".into(),
            PolicyError::BadRetries | PolicyError::BadRetryDelay => {
                "Example: {\"max_retries\": 3, \"retry_delay\": 1000}.".into()
            }
            _ => "Examples: {\"delays\": [\"5s\", \"5m\", \"1h\"]}, {\"delays\": []} for no retry, {\"max_retries\": 3, \"retry_delay\": 1000}.".into(),
        })
    }
}
