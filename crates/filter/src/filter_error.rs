use report::Report;
use thiserror::Error;

use crate::Filter;
use crate::parse::{LOGIC, OPERATORS};

/// Why a JSON value is no filter. `path` is as written in the filter, empty at its top; texts are cut to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    #[error("a filter is a JSON object, not {got}")]
    NotAnObject { got: &'static str },
    #[error("{operator} takes filters, which are JSON objects, not {got}")]
    NotFilters { operator: &'static str, got: &'static str },
    #[error("unknown operator {key} in place of a path")]
    UnknownLogic { key: String },
    #[error("unknown operator {operator} at \"{path}\"")]
    UnknownOperator { path: String, operator: String },
    #[error("{operator}{} needs {expected}, not {got}", at(.path))]
    BadOperand { path: String, operator: &'static str, expected: &'static str, got: &'static str },
    #[error("{operator}{} is empty", at(.path))]
    EmptyOperand { path: String, operator: &'static str },
    #[error("path \"{path}\" has an empty key")]
    BadPath { path: String },
    /// Operators and plain keys side by side in one object.
    #[error("\"{path}\" has operators and the plain key \"{key}\" side by side")]
    Mixed { path: String, key: String },
    /// An operator inside a plain value, where it would be compared and not applied.
    #[error("operator {operator} stands inside the plain value of \"{path}\", at \"{inner}\"")]
    Nested { path: String, inner: String, operator: String },
    #[error("$regex at \"{path}\": {reason}")]
    BadRegex { path: String, reason: String },
    #[error("the filter nests deeper than {} levels", Filter::MAX_DEPTH)]
    TooDeep,
    #[error("the filter has more than {} values", Filter::MAX_VALUES)]
    TooLarge,
    #[error("the filter has more than {} $regex", Filter::MAX_REGEXES)]
    TooManyRegexes,
}

impl Report for FilterError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            FilterError::NotAnObject { .. } | FilterError::NotFilters { .. } => {
                "Example: {\"new.status\": \"won\", \"new.amount\": {\"$gte\": 100}}.".into()
            }
            FilterError::UnknownLogic { .. } => format!(
                "Known at this place: {} and dotted paths. Other operators stand under a path, such as {{\"new.amount\": {{\"$gte\": 100}}}}.",
                LOGIC.join(", ")
            ),
            FilterError::UnknownOperator { .. } => format!("Known operators: {}.", OPERATORS.join(", ")),
            FilterError::BadOperand { operator: "$not", .. } => {
                "$not takes operators, such as {\"$not\": {\"$gt\": 5}}; use $ne for a plain value.".into()
            }
            FilterError::BadOperand { operator: "$gt" | "$gte" | "$lt" | "$lte", .. } => {
                "Dates and times are texts: write them as they stand in the JSON.".into()
            }
            FilterError::BadOperand { expected, .. } => format!("Give {expected}."),
            FilterError::EmptyOperand { .. } => "Leave it out or put something in.".into(),
            FilterError::BadPath { .. } => {
                "A path is one or more keys with a dot between each two, such as \"new.address.city\".".into()
            }
            FilterError::Mixed { .. } => {
                "Put the operators in an object of their own, or compare a whole object with {\"$eq\": {...}}.".into()
            }
            FilterError::Nested { path, inner, .. } => format!(
                "Use the dotted path \"{path}.{inner}\", or {{\"$eq\": {{...}}}} to compare with an object that has such keys."
            ),
            FilterError::BadRegex { .. } => {
                "Expressions are as in RE2: no look-around and no back-references, (?i) at the start ignores case."
                    .into()
            }
            FilterError::TooDeep | FilterError::TooLarge => "Use a simpler filter; a long list can be one $in.".into(),
            FilterError::TooManyRegexes => "Join expressions with | into one.".into(),
        })
    }
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" at \"{path}\"") }
}
