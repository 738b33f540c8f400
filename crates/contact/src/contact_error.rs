use report::Report;
use thiserror::Error;

/// Why a way to reach somebody is none. `value` is what was given, shortened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContactError {
    #[error("\"{value}\" is not an e-mail address: {reason}")]
    Email { value: String, reason: &'static str },
    #[error("\"{value}\" is not the name of a profile: {reason}")]
    Handle { value: String, reason: &'static str },
    #[error("\"{value}\" is not a phone number: {reason}")]
    Phone { value: String, reason: &'static str },
    #[error("unknown country \"{value}\"")]
    Country { value: String },
    /// Digits without a country code, and no country was given.
    #[error("phone number \"{value}\" has no country code")]
    PhoneWithoutCountry { value: String },
}

impl Report for ContactError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Email { .. } => "As in ana@example.com.",
            Self::Handle { .. } => "The name alone, as in ana.garcia, or the address of the profile.",
            Self::Phone { .. } => "With the country code, as in +52 55 1234 5678; all digits, area code too.",
            Self::Country { .. } => "Two letters of ISO 3166-1, as in MX.",
            Self::PhoneWithoutCountry { .. } => "Begin it with + and the country code, or give its country.",
        };
        Some(hint.into())
    }
}

/// What was given, short enough for a message and without what a terminal would obey.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
