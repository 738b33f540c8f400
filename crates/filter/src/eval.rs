use std::cmp::Ordering;

use serde_json::Value;

use crate::{Document, Node, Order, Scalar, Test, compare_numbers, contains, equal};

/// Whether `document` passes; never fails, and recurses only as deep as the parser let the filter nest.
pub fn matches<D: Document + ?Sized>(node: &Node, document: &D) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|node| matches(node, document)),
        Node::Any(nodes) => nodes.iter().any(|node| matches(node, document)),
        Node::Not(node) => !matches(node, document),
        Node::Is { path, test } => passes(test, document.at(path)),
    }
}

fn passes(test: &Test, value: Option<&Value>) -> bool {
    match test {
        Test::Eq(operand) => equal(value.unwrap_or(&Value::Null), operand),
        Test::In(operands) => {
            let value = value.unwrap_or(&Value::Null);
            operands.iter().any(|operand| equal(value, operand))
        }
        Test::Exists(wanted) => value.is_some() == *wanted,
        Test::Compare(order, operand) => {
            value.and_then(|value| compare(value, operand)).is_some_and(|found| order.admits(found))
        }
        Test::Contains(operand) => value.is_some_and(|value| contains(value, operand)),
        Test::StartsWith(start) => text(value).is_some_and(|text| text.starts_with(start.as_str())),
        Test::EndsWith(end) => text(value).is_some_and(|text| text.ends_with(end.as_str())),
        Test::Regex(regex) => text(value).is_some_and(|text| regex.is_match(text)),
    }
}

/// `None` for values of different kinds: nothing is coerced.
fn compare(value: &Value, operand: &Scalar) -> Option<Ordering> {
    match (value, operand) {
        (Value::Number(value), Scalar::Number(operand)) => Some(compare_numbers(value, operand)),
        (Value::String(value), Scalar::Text(operand)) => Some(value.cmp(operand)),
        _ => None,
    }
}

impl Order {
    fn admits(self, found: Ordering) -> bool {
        match self {
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
        }
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}
