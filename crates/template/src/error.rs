use std::fmt;

use report::Report;
use thiserror::Error;

use crate::Template;
use crate::budget::BUDGET;
use crate::filters::KNOWN;
use crate::limits::{MAX_ELIFS, MAX_TOKENS};

/// Why a template is none, or could not be rendered. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("template is too long: {bytes} bytes, at most {} are allowed", Template::MAX_SOURCE)]
    TooLong { bytes: usize },
    #[error("template, line {line}: expression has more than {MAX_TOKENS} words and signs")]
    TooManyTokens { line: usize },
    #[error("template, line {line}: more than {MAX_ELIFS} elif")]
    TooManyElifs { line: usize },
    #[error("template, line {line}: {reason}")]
    Syntax { line: usize, reason: String },
    #[error("template, line {line}: unknown {kind} \"{name}\"")]
    UnknownName { line: usize, kind: NameKind, name: String },
    /// The values given do not suit what the template does with them.
    #[error("template, line {line}, cannot be rendered: {reason}")]
    Render { line: usize, reason: String },
    #[error("template takes too many steps")]
    OutOfFuel,
    /// The values on the way take too many bytes.
    #[error("template works with more than {BUDGET} bytes of values")]
    TooMuch,
    /// `max_bytes` as given to `render`.
    #[error("template makes more than {max_bytes} bytes")]
    OutputTooLarge { max_bytes: usize },
    #[error("template made no valid JSON: {reason} at line {line}, column {column} of its output")]
    NotJson { line: usize, column: usize, reason: String },
}

/// What was meant by a name that nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Filter,
    Test,
    Function,
    Method,
}

impl Report for TemplateError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            TemplateError::TooLong { .. } => "Leave fixed texts to the receiver.",
            TemplateError::TooManyTokens { .. } => "Divide the expression with {% set part = ... %}.",
            TemplateError::TooManyElifs { .. } => "Look the value up: {{ {\"a\": 1, \"b\": 2}[key] }}.",
            TemplateError::Syntax { .. } => {
                "Values stand in {{ ... }}, statements in {% ... %}; macros, include, import and extends do not exist here."
            }
            TemplateError::UnknownName { kind: NameKind::Filter, .. } => {
                return Some(format!("Known filters: {}.", KNOWN.join(", ")));
            }
            TemplateError::UnknownName { kind: NameKind::Test, .. } => {
                "Tests are such as: defined, none, number, string, mapping, sequence, in, even, odd."
            }
            TemplateError::UnknownName { kind: NameKind::Function, .. } => "Known functions: range, dict.",
            TemplateError::UnknownName { kind: NameKind::Method, .. } => {
                "Values have no methods; use filters, such as {{ name|upper }}."
            }
            TemplateError::Render { .. } => {
                "Guard values that may be absent or of another kind, such as {{ amount|default(0) }}."
            }
            TemplateError::OutOfFuel => "Loop over fewer elements.",
            TemplateError::TooMuch => "Repeat and join less; use the columns that are needed.",
            TemplateError::OutputTooLarge { .. } => "Leave out large columns.",
            TemplateError::NotJson { .. } => {
                "A template that starts as JSON must make JSON. {{ value }} is written as JSON, with its own quotes; inside quotes it becomes part of that string."
            }
        };
        Some(hint.into())
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
