use report::Report;
use thiserror::Error;

/// Why a moment cannot be said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LocaleError {
    /// Not a language tag of BCP 47.
    #[error("\"{0}\" is not a language tag")]
    Tag(String),
    /// There is no data for this language.
    #[error("there are no dates in language \"{0}\"")]
    Language(String),
    /// A date that the calendar does not have.
    #[error("the calendar does not have this date")]
    Moment,
}

impl Report for LocaleError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            LocaleError::Tag(_) | LocaleError::Language(_) => "A language tag as in BCP 47: en, es-MX, pt-BR.",
            LocaleError::Moment => "Years 1 to 9999.",
        };
        Some(hint.into())
    }
}
