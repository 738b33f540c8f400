use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::{SchemaError, cost};

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// JSON pointer (RFC 6901) into the document; empty: the document itself
    pub path: String,
    pub message: String,
}

/// A compiled schema.
#[derive(Debug)]
pub struct Checker(Validator);

impl Checker {
    /// How many mistakes are named at most.
    pub const MAX_MISTAKES: usize = 20;
    /// Characters of a message that are kept: it may quote the document.
    pub const MAX_MESSAGE: usize = 300;

    /// Formats (`date-time`, `email`, `uuid`, …) are checked. Patterns run in linear time, so they know neither
    /// look-around nor back-references. A `$ref` leads to parts of the schema itself and to the drafts' meta-schemas only.
    ///
    /// # Errors
    /// It is no JSON Schema, a pattern is none, a reference leads elsewhere; or it is too large, counting each schema as often
    /// as it is referred to.
    pub fn compile(schema: &Value) -> Result<Checker, SchemaError> {
        if let Some(reason) = cost::refusal(schema) {
            return Err(SchemaError { path: String::new(), reason: reason.to_owned() });
        }
        let options = jsonschema::options().should_validate_formats(true).with_pattern_options(PatternOptions::regex());
        options.build(schema).map(Checker).map_err(|error| SchemaError {
            path: error.instance_path().to_string(),
            reason: shortened(&error.to_string()),
        })
    }

    /// Everything that is wrong, in the order of the schema; empty when the document fits.
    pub fn mistakes(&self, document: &Value) -> Vec<Mistake> {
        let mistake = |error: jsonschema::ValidationError<'_>| Mistake {
            path: error.instance_path().to_string(),
            message: shortened(&error.to_string()),
        };
        self.0.iter_errors(document).take(Self::MAX_MISTAKES).map(mistake).collect()
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(Checker::MAX_MESSAGE) {
        // What is wrong stands at the end, after what the document has.
        Some((half, _)) => {
            let tail: Vec<char> = text.chars().rev().take(Checker::MAX_MESSAGE / 2).collect();
            let head: String = text[..half].chars().take(Checker::MAX_MESSAGE / 2).collect();
            format!("{head} … {}", tail.iter().rev().collect::<String>())
        }
        None => text.to_owned(),
    }
}
