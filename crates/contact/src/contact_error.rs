use std::fmt;

/// Why a way to reach somebody is none. `value` is what was given, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactError {
    Email {
        value: String,
        reason: &'static str,
    },
    Handle {
        value: String,
        reason: &'static str,
    },
    Phone {
        value: String,
        reason: &'static str,
    },
    Country {
        value: String,
    },
    /// Digits without a country code, and no country was given.
    PhoneWithoutCountry {
        value: String,
    },
}

impl ContactError {
    pub fn hint(&self) -> String {
        match self {
            Self::Email { .. } => "As in ana@example.com.".into(),
            Self::Handle { .. } => "The name alone, as in ana.garcia, or the address of the profile.".into(),
            Self::Phone { .. } => "With the country code, as in +52 55 1234 5678; all digits, area code too.".into(),
            Self::Country { .. } => "Two letters of ISO 3166-1, as in MX.".into(),
            Self::PhoneWithoutCountry { .. } => "Begin it with + and the country code, or give its country.".into(),
        }
    }
}

impl fmt::Display for ContactError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Email { value, reason } => write!(f, "\"{value}\" is not an e-mail address: {reason}"),
            Self::Handle { value, reason } => write!(f, "\"{value}\" is not the name of a profile: {reason}"),
            Self::Phone { value, reason } => write!(f, "\"{value}\" is not a phone number: {reason}"),
            Self::Country { value } => write!(f, "unknown country \"{value}\""),
            Self::PhoneWithoutCountry { value } => write!(f, "phone number \"{value}\" has no country code"),
        }
    }
}

impl std::error::Error for ContactError {}

/// What was given, short enough for a message and without what a terminal would obey.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
