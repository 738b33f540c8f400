//! What an error tells the user who meets it: SQLSTATE, message, DETAIL and HINT.
#![forbid(unsafe_code)]

/// An error that a user sees as it is. Its message is its `Display`.
pub trait Report: std::error::Error {
    fn code(&self) -> Code {
        Code::InvalidParameterValue
    }

    /// Which one, where the message does not say.
    fn detail(&self) -> Option<String> {
        None
    }

    /// What the user can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An SQLSTATE, by its name in PostgreSQL's list of error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidParameterValue,
    ObjectNotInPrerequisiteState,
}
