use std::fmt;

/// Why a JSON value is no schema that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// JSON pointer into the schema
    pub path: String,
    pub reason: String,
}

impl SchemaError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        r#"As in {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}; references lead to "$defs" of the same schema."#.into()
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "invalid JSON Schema: {}", self.reason),
            path => write!(f, "invalid JSON Schema: at {path}: {}", self.reason),
        }
    }
}

impl std::error::Error for SchemaError {}
