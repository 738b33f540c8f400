use std::fmt;

/// Why a moment cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocaleError {
    /// Not a language tag of BCP 47.
    Tag(String),
    /// There is no data for this language.
    Language(String),
    /// A date that the calendar does not have.
    Moment,
}

impl LocaleError {
    pub fn hint(&self) -> &'static str {
        match self {
            LocaleError::Tag(_) | LocaleError::Language(_) => "A language tag as in BCP 47: en, es-MX, pt-BR.",
            LocaleError::Moment => "Years 1 to 9999.",
        }
    }
}

impl fmt::Display for LocaleError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            LocaleError::Tag(tag) => write!(f, "\"{tag}\" is not a language tag"),
            LocaleError::Language(tag) => write!(f, "there are no dates in language \"{tag}\""),
            LocaleError::Moment => f.write_str("the calendar does not have this date"),
        }
    }
}

impl std::error::Error for LocaleError {}
