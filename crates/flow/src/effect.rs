//! What is to happen outside.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names one attempt of one step: the same whenever it is asked for again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId {
    pub run: String,
    pub node: String,
    /// Iterations of the loops around the node, from the outermost.
    pub path: Vec<u32>,
    /// Which request of the step, where it makes several (an agent); 0 otherwise.
    pub part: u32,
    /// From 1.
    pub attempt: u32,
}

impl EffectId {
    /// The same for all attempts: what the world outside tells repetitions by.
    pub fn key(&self) -> String {
        let path: Vec<String> = self.path.iter().map(u32::to_string).collect();
        let path = if path.is_empty() { "-".to_owned() } else { path.join(".") };
        format!("{}/{path}/{}/{}", self.run, self.part, self.node)
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.attempt, self.key())
    }
}

/// To be made exactly once for its id, and answered by [`Input::Answer`](crate::Input::Answer).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub id: EffectId,
    /// The type of its node.
    pub kind: String,
    /// How long it may take once it is begun; longer is a failure.
    pub timeout_seconds: u32,
    pub request: Request,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Answered by `{"status", "headers", "body"}`. The texts may have secrets in them: see [`secret_pieces`].
    Http {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<String>,
        secrets: Vec<String>,
    },
    /// One statement, as the flow's owner, with `$1` … Answered by what it returns.
    Sql {
        sql: String,
        parameters: Vec<Value>,
    },
    /// A run of another flow. `wait`: answered when that run ends, by its output; otherwise as soon as it exists.
    Flow {
        flow: String,
        input: Value,
        wait: bool,
    },
    Email {
        to: Vec<String>,
        subject: String,
        body: String,
        settings: Value,
    },
    Notify {
        settings: Value,
    },
    /// A node of the business, by its type.
    Node {
        settings: Value,
    },
    /// Answered by `{"text"}`, `{"json"}` where there is a schema, `{"tool_calls": [{"id", "name", "arguments"}]}`
    /// where the model wants tools.
    Model {
        model: Option<String>,
        messages: Vec<Value>,
        schema: Option<Value>,
        tools: Vec<String>,
        tokens: u32,
        temperature: Option<f64>,
    },
    /// On behalf of the client that the run is about, whatever the arguments say.
    Tool {
        name: String,
        arguments: Value,
    },
}

/// A part of a text that secrets stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    Secret(&'a str),
}

/// Characters for private use; what a template fills in cannot have them.
const OPEN: char = '\u{E0F1}';
const CLOSE: char = '\u{E0F2}';

/// The text taken apart, so that whoever sends it can put in the secrets. Only `secrets`, the names that the request
/// itself declares, are seen.
pub fn secret_pieces<'a>(text: &'a str, secrets: &[String]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let (mut plain, mut from) = (0, 0);
    while let Some(open) = text[from..].find(OPEN).map(|at| from + at) {
        let inner = open + OPEN.len_utf8();
        let Some(close) = text[inner..].find(CLOSE).map(|at| inner + at) else { break };
        let name = &text[inner..close];
        if !secrets.iter().any(|known| known == name) {
            from = inner;
            continue;
        }
        if plain < open {
            pieces.push(Piece::Text(&text[plain..open]));
        }
        pieces.push(Piece::Secret(name));
        plain = close + CLOSE.len_utf8();
        from = plain;
    }
    if plain < text.len() {
        pieces.push(Piece::Text(&text[plain..]));
    }
    pieces
}

/// What stands for a secret in a text.
pub(crate) fn mark(name: &str) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Takes the characters of marks out of every text, so that no data can ask for a secret.
pub(crate) fn without_marks(value: &mut Value) {
    match value {
        Value::String(text) if text.contains([OPEN, CLOSE]) => *text = text.replace([OPEN, CLOSE], "\u{FFFD}"),
        Value::Array(items) => items.iter_mut().for_each(without_marks),
        Value::Object(object) => object.values_mut().for_each(without_marks),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_secrets_are_seen() {
        let text = format!("Bearer {}, {}", mark("TOKEN"), mark("OTHER"));
        let pieces = secret_pieces(&text, &["TOKEN".to_owned()]);
        assert_eq!(pieces[..2], [Piece::Text("Bearer "), Piece::Secret("TOKEN")]);
        assert_eq!(pieces.len(), 3);
        assert_eq!(secret_pieces("plain", &[]), [Piece::Text("plain")]);
    }

    #[test]
    fn an_id_is_the_same_for_every_attempt_but_for_its_number() {
        let id = |attempt| EffectId { run: "r".into(), node: "a/0".into(), path: vec![1, 2], part: 0, attempt };
        assert_eq!(id(1).key(), id(2).key());
        assert_eq!(id(2).to_string(), "2/r/1.2/0/a/0");
    }
}
