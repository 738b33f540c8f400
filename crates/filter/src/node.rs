use regex::Regex;
use serde_json::Value;

use crate::Path;

/// A parsed filter. `$ne` and `$nin` stand here as `Not` of their opposites, a plain value as [`Test::Eq`].
#[derive(Clone, Debug)]
pub enum Node {
    /// Every one holds; an empty one holds always. `$and`, the keys of an object, the operators of a path.
    All(Vec<Node>),
    /// At least one holds. `$or`; never empty.
    Any(Vec<Node>),
    /// Two-valued: a test on a missing path is false, its `Not` is true.
    Not(Box<Node>),
    /// The value at `path` passes `test`.
    Is { path: Path, test: Test },
}

impl Node {
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().flat_map(Node::paths).collect(),
            Node::Not(node) => node.paths(),
            Node::Is { path, .. } => vec![path],
        }
    }
}

/// One operator with its operand. `x` is the value at the path.
#[derive(Clone, Debug)]
pub enum Test {
    /// `x` equals the operand as `jsonb` does; a missing `x` counts as JSON null.
    Eq(Value),
    /// `x` equals one of them; a missing `x` counts as JSON null. Empty: never.
    In(Vec<Value>),
    /// `x` is of the operand's kind and stands so to it. Missing or of another kind: false.
    Compare(Order, Scalar),
    /// Whether there is an `x` at all; JSON null is one.
    Exists(bool),
    /// See [`contains`](crate::contains). Missing: false.
    Contains(Value),
    /// `x` is a text that starts so.
    StartsWith(String),
    /// `x` is a text that ends so.
    EndsWith(String),
    /// `x` is a text in which the expression matches somewhere.
    Regex(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What can be ordered. Numbers exactly; texts by their bytes in UTF-8, which is collation `C`.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Number(serde_json::Number),
    Text(String),
}
