use std::fmt;

use crate::Template;
use crate::filters::KNOWN;
use crate::limits::{MAX_ELIFS, MAX_TOKENS};

/// Why a template is none, or could not be rendered. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    TooLong {
        bytes: usize,
    },
    TooManyTokens {
        line: usize,
    },
    TooManyElifs {
        line: usize,
    },
    Syntax {
        line: usize,
        reason: String,
    },
    UnknownName {
        line: usize,
        kind: NameKind,
        name: String,
    },
    /// The values given do not suit what the template does with them.
    Render {
        line: usize,
        reason: String,
    },
    OutOfFuel,
    /// The values on the way take too many bytes.
    TooMuch,
    /// `max_bytes` as given to `render`.
    OutputTooLarge {
        max_bytes: usize,
    },
    NotJson {
        line: usize,
        column: usize,
        reason: String,
    },
}

/// What was meant by a name that nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Filter,
    Test,
    Function,
    Method,
}

impl TemplateError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            TemplateError::TooLong { .. } => Some("Leave fixed texts to the receiver.".into()),
            TemplateError::TooManyTokens { .. } => {
                Some("Divide the expression with {% set part = ... %}.".into())
            }
            TemplateError::TooManyElifs { .. } => {
                Some("Look the value up: {{ {\"a\": 1, \"b\": 2}[key] }}.".into())
            }
            TemplateError::Syntax { .. } => {
                Some("Values stand in {{ ... }}, statements in {% ... %}; macros, include, import and extends do not exist here.".into())
            }
            TemplateError::UnknownName { kind, .. } => Some(match kind {
                NameKind::Filter => format!("Known filters: {}.", KNOWN.join(", ")),
                NameKind::Test => "Tests are such as: defined, none, number, string, mapping, sequence, in, even, odd.".into(),
                NameKind::Function => "Known functions: range, dict.".into(),
                NameKind::Method => "Values have no methods; use filters, such as {{ name|upper }}.".into(),
            }),
            TemplateError::Render { .. } => {
                Some("Guard values that may be absent or of another kind, such as {{ amount|default(0) }}.".into())
            }
            TemplateError::OutOfFuel => Some("Loop over fewer elements.".into()),
            TemplateError::TooMuch => Some("Repeat and join less; use the columns that are needed.".into()),
            TemplateError::OutputTooLarge { .. } => Some("Leave out large columns.".into()),
            TemplateError::NotJson { .. } => Some(
                "A template that starts as JSON must make JSON. {{ value }} is written as JSON, with its own quotes; inside quotes it becomes part of that string.".into(),
            ),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::TooLong { bytes } => {
                write!(f, "template is too long: {bytes} bytes, at most {} are allowed", Template::MAX_SOURCE)
            }
            TemplateError::TooManyTokens { line } => {
                write!(f, "template, line {line}: expression has more than {MAX_TOKENS} words and signs")
            }
            TemplateError::TooManyElifs { line } => {
                write!(f, "template, line {line}: more than {MAX_ELIFS} elif")
            }
            TemplateError::Syntax { line, reason } => write!(f, "template, line {line}: {reason}"),
            TemplateError::UnknownName { line, kind, name } => {
                write!(f, "template, line {line}: unknown {kind} \"{name}\"")
            }
            TemplateError::Render { line, reason } => {
                write!(f, "template, line {line}, cannot be rendered: {reason}")
            }
            TemplateError::OutOfFuel => f.write_str("template takes too many steps"),
            TemplateError::TooMuch => {
                write!(f, "template works with more than {} bytes of values", crate::budget::BUDGET)
            }
            TemplateError::OutputTooLarge { max_bytes } => {
                write!(f, "template makes more than {max_bytes} bytes")
            }
            TemplateError::NotJson { line, column, reason } => {
                write!(f, "template made no valid JSON: {reason} at line {line}, column {column} of its output")
            }
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameKind::Filter => "filter",
            NameKind::Test => "test",
            NameKind::Function => "function",
            NameKind::Method => "method",
        })
    }
}

impl std::error::Error for TemplateError {}
