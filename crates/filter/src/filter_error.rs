use std::fmt;

use crate::Filter;
use crate::parse::{LOGIC, OPERATORS};

/// Why a JSON value is no filter. `path` is as written in the filter, empty at its top; texts are cut to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterError {
    NotAnObject {
        operator: Option<&'static str>,
        got: &'static str,
    },
    UnknownLogic {
        key: String,
    },
    UnknownOperator {
        path: String,
        operator: String,
    },
    BadOperand {
        path: String,
        operator: &'static str,
        expected: &'static str,
        got: &'static str,
    },
    EmptyOperand {
        path: String,
        operator: &'static str,
    },
    BadPath {
        path: String,
    },
    /// Operators and plain keys side by side in one object.
    Mixed {
        path: String,
        key: String,
    },
    /// An operator inside a plain value, where it would be compared and not applied.
    Nested {
        path: String,
        inner: String,
        operator: String,
    },
    BadRegex {
        path: String,
        reason: String,
    },
    TooDeep,
    TooLarge,
    TooManyRegexes,
}

impl FilterError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            FilterError::NotAnObject { .. } => {
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

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterError::NotAnObject { operator: None, got } => {
                write!(f, "a filter is a JSON object, not {got}")
            }
            FilterError::NotAnObject { operator: Some(operator), got } => {
                write!(f, "{operator} takes filters, which are JSON objects, not {got}")
            }
            FilterError::UnknownLogic { key } => write!(f, "unknown operator {key} in place of a path"),
            FilterError::UnknownOperator { path, operator } => {
                write!(f, "unknown operator {operator} at \"{path}\"")
            }
            FilterError::BadOperand { path, operator, expected, got } => {
                write!(f, "{operator}{} needs {expected}, not {got}", At(path))
            }
            FilterError::EmptyOperand { path, operator } => {
                write!(f, "{operator}{} is empty", At(path))
            }
            FilterError::BadPath { path } => write!(f, "path \"{path}\" has an empty key"),
            FilterError::Mixed { path, key } => {
                write!(f, "\"{path}\" has operators and the plain key \"{key}\" side by side")
            }
            FilterError::Nested { path, inner, operator } => {
                write!(f, "operator {operator} stands inside the plain value of \"{path}\", at \"{inner}\"")
            }
            FilterError::BadRegex { path, reason } => write!(f, "$regex at \"{path}\": {reason}"),
            FilterError::TooDeep => {
                write!(f, "the filter nests deeper than {} levels", Filter::MAX_DEPTH)
            }
            FilterError::TooLarge => {
                write!(f, "the filter has more than {} values", Filter::MAX_VALUES)
            }
            FilterError::TooManyRegexes => {
                write!(f, "the filter has more than {} $regex", Filter::MAX_REGEXES)
            }
        }
    }
}

impl std::error::Error for FilterError {}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " at \"{}\"", self.0)
    }
}
