use report::Report;
use thiserror::Error;

/// Why a JSON value is no schema that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid JSON Schema: {}{reason}", if .path.is_empty() { String::new() } else { format!("at {path}: ") })]
pub struct SchemaError {
    /// JSON pointer into the schema
    pub path: String,
    pub reason: String,
}

impl Report for SchemaError {
    fn hint(&self) -> Option<String> {
        Some(r#"As in {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}; references lead to "$defs" of the same schema."#.into())
    }
}
