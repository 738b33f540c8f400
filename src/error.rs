//! Errors that a user sees: SQLSTATE, message, detail and hint together.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::SpiResult;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use report::{Code, Report};

/// An error in PostgreSQL's form, ready to be raised.
pub struct Refusal(ErrorReport);

impl<E: Report> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        let code = match error.code() {
            Code::InvalidParameterValue => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Code::ObjectNotInPrerequisiteState => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        };
        Refusal::new(code, error.to_string(), error.detail(), error.hint())
    }
}

impl Refusal {
    fn new(code: PgSqlErrorCode, message: String, detail: Option<String>, hint: Option<String>) -> Refusal {
        let mut report = ErrorReport::new(code, message, "pg_frontdesk");
        if let Some(detail) = detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = hint {
            report = report.set_hint(hint);
        }
        Refusal(report)
    }

    fn raise(self) -> ! {
        self.0.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

pub trait OrReport<T> {
    /// The value; an error is raised, and the transaction ends here.
    fn or_report(self) -> T;
}

impl<T, E: Into<Refusal>> OrReport<T> for Result<T, E> {
    fn or_report(self) -> T {
        self.unwrap_or_else(|error| error.into().raise())
    }
}

/// Raises an ERROR that has no type of its own; the transaction ends here.
pub fn raise(code: PgSqlErrorCode, message: impl Into<String>, detail: Option<String>, hint: Option<String>) -> ! {
    Refusal::new(code, message.into(), detail, hint).raise()
}

/// A value given by the user is not acceptable.
pub fn invalid(message: impl Into<String>, hint: Option<String>) -> ! {
    raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, None, hint)
}

/// What a query of ours gave.
pub fn worked<T>(outcome: SpiResult<T>) -> T {
    outcome.unwrap_or_else(|error| raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, error.to_string(), None, None))
}
