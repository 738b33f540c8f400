use std::fmt;

use crate::DurationError;
use crate::policy::KNOWN;

/// Why a JSON value is no retry policy. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    NotAnObject,
    NoShape,
    TwoShapes,
    UnknownKey { key: String },
    NotAList,
    TooMany { got: u64 },
    NotADelay { position: usize },
    BadDuration { position: usize, source: DurationError },
    OutOfRange { position: usize },
    BadRetries,
    BadRetryDelay,
    BadFinal { reason: String },
    NoExpires,
    BadExpires { source: DurationError },
    BadExpiresFrom,
}

impl PolicyError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
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

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyError::NotAnObject => f.write_str("a retry policy is a JSON object"),
            PolicyError::NoShape => f.write_str("the retry policy says neither \"delays\" nor \"max_retries\""),
            PolicyError::TwoShapes => {
                f.write_str("the retry policy mixes \"delays\" with \"max_retries\" and \"retry_delay\"")
            }
            PolicyError::UnknownKey { key } => {
                write!(f, "unknown key \"{key}\" in the retry policy")
            }
            PolicyError::NotAList => f.write_str("\"delays\" is not an array"),
            PolicyError::TooMany { got } => {
                write!(f, "the retry policy has {got} delays, at most 100 are allowed")
            }
            PolicyError::NotADelay { position } => {
                write!(f, "delay {position} is neither a text nor a number")
            }
            PolicyError::BadDuration { position, source } => write!(f, "delay {position}: {source}"),
            PolicyError::OutOfRange { position } => {
                write!(f, "delay {position} is not between 0 and 30 days")
            }
            PolicyError::BadRetries => f.write_str("\"max_retries\" is not a whole number of 0 or more"),
            PolicyError::BadRetryDelay => {
                f.write_str("\"retry_delay\" is not a number of milliseconds between 0 and 30 days")
            }
            PolicyError::BadFinal { reason } => write!(f, "\"final\" is not a valid filter: {reason}"),
            PolicyError::NoExpires => f.write_str("\"expires\" is not a text such as \"7d\""),
            PolicyError::BadExpires { source } => write!(f, "\"expires\": {source}"),
            PolicyError::BadExpiresFrom => {
                f.write_str("\"expires_from\" is not the name of a field beside \"expires\"")
            }
        }
    }
}

impl std::error::Error for PolicyError {}
