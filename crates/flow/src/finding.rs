use std::fmt;

use serde::Serialize;

/// Whether a flow can run with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// Something wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id; None: the graph as a whole, or an edge.
    pub node: Option<String>,
    pub severity: Severity,
    pub message: String,
    /// What can be done about it.
    pub hint: String,
}

impl Finding {
    pub(crate) fn error(node: Option<&str>, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { node: node.map(shown), severity: Severity::Error, message: message.into(), hint: hint.into() }
    }

    pub(crate) fn warning(node: Option<&str>, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(node, message, hint) }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_error() { "error" } else { "warning" })?;
        if let Some(node) = &self.node {
            write!(f, " at node \"{node}\"")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A name from a graph, as messages show it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
