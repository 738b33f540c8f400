use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use crate::{Filter, FilterError, Node, Order, Path, Scalar, Test};

pub const LOGIC: [&str; 3] = ["$and", "$or", "$not"];
pub const OPERATORS: [&str; 14] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$contains",
    "$starts_with",
    "$ends_with",
    "$regex",
    "$not",
];

/// Checks the size first, so that everything after may recurse.
pub fn filter(value: &Value) -> Result<Node, FilterError> {
    measure(value, 1, &mut 0)?;
    Parser { regexes: 0 }.filter(value, None)
}

struct Parser {
    regexes: usize,
}

impl Parser {
    fn filter(&mut self, value: &Value, operator: Option<&'static str>) -> Result<Node, FilterError> {
        let Value::Object(object) = value else {
            let got = kind(value);
            let not_filters = |operator| FilterError::NotFilters { operator, got };
            return Err(operator.map_or(FilterError::NotAnObject { got }, not_filters));
        };
        let nodes = object.iter().map(|(key, value)| self.entry(key, value));
        Ok(all(nodes.collect::<Result<_, _>>()?))
    }

    fn entry(&mut self, key: &str, value: &Value) -> Result<Node, FilterError> {
        match key {
            "$and" => Ok(Node::All(self.filters("$and", value)?)),
            "$or" => Ok(Node::Any(self.filters("$or", value)?)),
            "$not" => Ok(not(self.filter(value, Some("$not"))?)),
            _ if key.starts_with('$') => Err(FilterError::UnknownLogic { key: shown(key) }),
            _ => {
                let path = Path::parse(key).ok_or_else(|| FilterError::BadPath { path: shown(key) })?;
                self.at(&path, key, value)
            }
        }
    }

    fn filters(&mut self, operator: &'static str, value: &Value) -> Result<Vec<Node>, FilterError> {
        let items = list("", operator, value)?;
        if items.is_empty() {
            return Err(FilterError::EmptyOperand { path: String::new(), operator });
        }
        items.iter().map(|item| self.filter(item, Some(operator))).collect()
    }

    fn at(&mut self, path: &Path, key: &str, value: &Value) -> Result<Node, FilterError> {
        match value {
            Value::Object(object) if object.keys().any(|key| key.starts_with('$')) => self.operators(path, key, object),
            _ => {
                refuse_operators_inside(key, "", value)?;
                Ok(is(path, Test::Eq(value.clone())))
            }
        }
    }

    fn operators(&mut self, path: &Path, key: &str, object: &Map<String, Value>) -> Result<Node, FilterError> {
        if let Some(plain) = object.keys().find(|key| !key.starts_with('$')) {
            return Err(FilterError::Mixed { path: shown(key), key: shown(plain) });
        }
        let nodes = object.iter().map(|(operator, operand)| self.operator(path, key, operator, operand));
        Ok(all(nodes.collect::<Result<_, _>>()?))
    }

    fn operator(&mut self, path: &Path, key: &str, operator: &str, operand: &Value) -> Result<Node, FilterError> {
        let test = match operator {
            "$eq" => Test::Eq(operand.clone()),
            "$ne" => return Ok(not(is(path, Test::Eq(operand.clone())))),
            "$in" => Test::In(list(key, "$in", operand)?.clone()),
            "$nin" => return Ok(not(is(path, Test::In(list(key, "$nin", operand)?.clone())))),
            "$gt" => Test::Compare(Order::Greater, scalar(key, "$gt", operand)?),
            "$gte" => Test::Compare(Order::GreaterOrEqual, scalar(key, "$gte", operand)?),
            "$lt" => Test::Compare(Order::Less, scalar(key, "$lt", operand)?),
            "$lte" => Test::Compare(Order::LessOrEqual, scalar(key, "$lte", operand)?),
            "$exists" => match operand {
                Value::Bool(wanted) => Test::Exists(*wanted),
                _ => return Err(bad_operand(key, "$exists", "true or false", operand)),
            },
            "$contains" => Test::Contains(operand.clone()),
            "$starts_with" => Test::StartsWith(text(key, "$starts_with", operand)?.to_owned()),
            "$ends_with" => Test::EndsWith(text(key, "$ends_with", operand)?.to_owned()),
            "$regex" => Test::Regex(self.regex(key, text(key, "$regex", operand)?)?),
            "$not" => {
                return match operand {
                    Value::Object(object) if !object.is_empty() => Ok(not(self.operators(path, key, object)?)),
                    _ => Err(bad_operand(key, "$not", "an object of operators", operand)),
                };
            }
            _ => return Err(FilterError::UnknownOperator { path: shown(key), operator: shown(operator) }),
        };
        Ok(is(path, test))
    }

    fn regex(&mut self, key: &str, pattern: &str) -> Result<Regex, FilterError> {
        self.regexes += 1;
        if self.regexes > Filter::MAX_REGEXES {
            return Err(FilterError::TooManyRegexes);
        }
        RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(50)
            .build()
            .map_err(|error| FilterError::BadRegex { path: shown(key), reason: reason(&error) })
    }
}

fn is(path: &Path, test: Test) -> Node {
    Node::Is { path: path.clone(), test }
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn all(mut nodes: Vec<Node>) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            Node::All(nodes)
        }
        None => Node::All(nodes),
    }
}

fn measure(value: &Value, depth: usize, values: &mut usize) -> Result<(), FilterError> {
    if depth > Filter::MAX_DEPTH {
        return Err(FilterError::TooDeep);
    }
    *values += 1;
    if *values > Filter::MAX_VALUES {
        return Err(FilterError::TooLarge);
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| measure(item, depth + 1, values)),
        Value::Object(object) => object.values().try_for_each(|item| measure(item, depth + 1, values)),
        _ => Ok(()),
    }
}

fn refuse_operators_inside(path: &str, inner: &str, value: &Value) -> Result<(), FilterError> {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => return Ok(()),
    };
    for (key, value) in entries {
        if OPERATORS.contains(&key.as_str()) {
            return Err(FilterError::Nested { path: shown(path), inner: shown(inner), operator: key });
        }
        let inner = if inner.is_empty() { key } else { format!("{inner}.{key}") };
        refuse_operators_inside(path, &inner, value)?;
    }
    Ok(())
}

fn list<'a>(path: &str, operator: &'static str, operand: &'a Value) -> Result<&'a Vec<Value>, FilterError> {
    operand.as_array().ok_or_else(|| bad_operand(path, operator, "an array", operand))
}

fn text<'a>(path: &str, operator: &'static str, operand: &'a Value) -> Result<&'a str, FilterError> {
    operand.as_str().ok_or_else(|| bad_operand(path, operator, "a text", operand))
}

fn scalar(path: &str, operator: &'static str, operand: &Value) -> Result<Scalar, FilterError> {
    match operand {
        Value::Number(number) => Ok(Scalar::Number(number.clone())),
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        _ => Err(bad_operand(path, operator, "a number or a text", operand)),
    }
}

fn bad_operand(path: &str, operator: &'static str, expected: &'static str, got: &Value) -> FilterError {
    FilterError::BadOperand { path: shown(path), operator, expected, got: kind(got) }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(object) if object.is_empty() => "an empty object",
        Value::Object(_) => "an object",
    }
}

/// The library prints several lines with a marker under the fault; the last one names it.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the expression is too large".into(),
        _ => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            shown(last.strip_prefix("error: ").unwrap_or(last))
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
