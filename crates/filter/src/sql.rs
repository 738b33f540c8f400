//! A filter as a predicate of PostgreSQL over a `jsonb`, with the meaning of [`eval`](crate::eval): the second back-end.
//!
//! No test raises whatever the document holds: a kind is asked for by `jsonb_typeof`, and numbers are compared as `jsonb`.
//! A test may be NULL for false; `$not` is `is not true`, so that both are the same.

use report::Report;
use serde_json::{Value, json};

use crate::{Filter, Node, Order, Path, Scalar, Test};

/// How many values an `$in` may have to be written so that an index of the column finds each.
const MOST_CONTAINMENTS: usize = 32;

/// The predicate over `column`, an SQL expression of type `jsonb` that the caller has quoted.
///
/// # Errors
/// `$regex`, which PostgreSQL reads in another way.
pub fn sql(filter: &Filter, column: &str) -> Result<String, SqlError> {
    Ok(format!("({})", node(filter.ast(), column)?))
}

/// Why a filter has no predicate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error("$regex at \"{path}\" is not for searching tables")]
    Regex { path: String },
}

impl Report for SqlError {
    fn hint(&self) -> Option<String> {
        Some("Use $starts_with, $ends_with or $contains.".into())
    }
}

fn node(node: &Node, column: &str) -> Result<String, SqlError> {
    match node {
        Node::All(nodes) => joined(nodes, column, " and ", "true"),
        Node::Any(nodes) => joined(nodes, column, " or ", "false"),
        Node::Not(inner) => Ok(format!("({}) is not true", self::node(inner, column)?)),
        Node::Is { path, test } => self::test(path, test, column),
    }
}

fn joined(nodes: &[Node], column: &str, word: &str, none: &str) -> Result<String, SqlError> {
    let parts = nodes.iter().map(|one| Ok(format!("({})", node(one, column)?)));
    let parts: Vec<String> = parts.collect::<Result<_, SqlError>>()?;
    Ok(if parts.is_empty() { none.to_owned() } else { parts.join(word) })
}

fn test(path: &Path, test: &Test, column: &str) -> Result<String, SqlError> {
    let place = Place::new(path, column);
    Ok(match test {
        Test::Eq(operand) => place.equals(operand),
        Test::In(operands) => place.is_in(operands),
        Test::Compare(order, Scalar::Number(number)) => {
            format!("{} and {} {} '{number}'::jsonb", place.is_a("number"), place.json, sign(*order))
        }
        Test::Compare(order, Scalar::Text(text)) => {
            format!("{} and {} collate \"C\" {} {}", place.is_a("string"), place.text, sign(*order), literal(text))
        }
        Test::Exists(true) => format!("{} is not null", place.json),
        Test::Exists(false) => format!("{} is null", place.json),
        Test::Contains(operand) => place.contains(operand),
        Test::StartsWith(start) => {
            format!("{} and starts_with({}, {})", place.is_a("string"), place.text, literal(start))
        }
        Test::EndsWith(end) => format!(
            "{} and right({}, {}) collate \"C\" = {}",
            place.is_a("string"),
            place.text,
            end.chars().count(),
            literal(end)
        ),
        Test::Regex(_) => return Err(SqlError::Regex { path: path.to_string() }),
    })
}

fn sign(order: Order) -> &'static str {
    match order {
        Order::Greater => ">",
        Order::GreaterOrEqual => ">=",
        Order::Less => "<",
        Order::LessOrEqual => "<=",
    }
}

/// What stands at a path of the column.
struct Place<'a> {
    path: &'a Path,
    column: &'a str,
    json: String,
    text: String,
}

impl Place<'_> {
    fn new<'a>(path: &'a Path, column: &'a str) -> Place<'a> {
        let keys = path.segments().iter().map(|segment| element(&segment.name));
        let keys = literal(&format!("{{{}}}", keys.collect::<Vec<_>>().join(",")));
        Place { path, column, json: format!("({column} #> {keys})"), text: format!("({column} #>> {keys})") }
    }

    fn is_a(&self, kind: &str) -> String {
        format!("jsonb_typeof({}) = '{kind}'", self.json)
    }

    fn equals(&self, operand: &Value) -> String {
        if operand.is_null() {
            return format!("coalesce({}, 'null') = 'null'", self.json);
        }
        let equal = format!("{} = {}", self.json, json_literal(operand));
        match self.containing(operand) {
            Some(containing) if operand.is_array() || operand.is_object() => format!("{containing} and {equal}"),
            Some(containing) => containing,
            None => equal,
        }
    }

    fn is_in(&self, operands: &[Value]) -> String {
        if operands.is_empty() {
            return "false".to_owned();
        }
        let scalars = operands.iter().all(|operand| !operand.is_null() && !operand.is_array() && !operand.is_object());
        if scalars && operands.len() <= MOST_CONTAINMENTS {
            let parts: Option<Vec<String>> = operands.iter().map(|operand| self.containing(operand)).collect();
            if let Some(parts) = parts {
                return parts.join(" or ");
            }
        }
        let literals: Vec<String> = operands.iter().map(json_literal).collect();
        format!("coalesce({}, 'null') in ({})", self.json, literals.join(", "))
    }

    fn contains(&self, operand: &Value) -> String {
        let array = |part: &Value| format!("({} and {} @> {})", self.is_a("array"), self.json, json_literal(part));
        match operand {
            Value::String(part) => format!(
                "({} and strpos({} collate \"C\", {}) > 0) or {}",
                self.is_a("string"),
                self.text,
                literal(part),
                array(&json!([part]))
            ),
            Value::Array(_) => match self.containing(operand) {
                Some(containing) => containing,
                None => array(operand),
            },
            Value::Object(_) => {
                let object = match self.containing(operand) {
                    Some(containing) => containing,
                    None => format!("({} and {} @> {})", self.is_a("object"), self.json, json_literal(operand)),
                };
                format!("{object} or {}", array(&json!([operand])))
            }
            _ => array(&json!([operand])),
        }
    }

    /// `column @> {"a": {"b": operand}}`, which a GIN index answers; for scalars it says that they are equal. `None` where a
    /// segment may be the index of an array.
    fn containing(&self, operand: &Value) -> Option<String> {
        let mut nested = operand.clone();
        for segment in self.path.segments().iter().rev() {
            if segment.index.is_some() {
                return None;
            }
            nested = json!({&segment.name: nested});
        }
        Some(format!("{} @> {}", self.column, json_literal(&nested)))
    }
}

fn json_literal(value: &Value) -> String {
    format!("{}::jsonb", literal(&value.to_string()))
}

/// A quoted element of an array literal.
fn element(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As `quote_literal` of PostgreSQL: safe whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// The same filter, with plain objects and arrays as what must be contained rather than equalled: `{"skills": ["SQL"]}` is
/// `{"skills": {"$contains": ["SQL"]}}`, as the operator `@>` reads it. `$eq` stays what it is.
pub fn containing(filter: &Value) -> Value {
    let Value::Object(object) = filter else {
        return filter.clone();
    };
    let entries = object.iter().map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("$and" | "$or", Value::Array(filters)) => filters.iter().map(containing).collect(),
            ("$not", filter) => containing(filter),
            (key, Value::Object(inner)) if !key.starts_with('$') && !inner.keys().any(|key| key.starts_with('$')) => {
                json!({"$contains": inner})
            }
            (key, Value::Array(items)) if !key.starts_with('$') => json!({"$contains": items}),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(filter: Value) -> String {
        sql(&Filter::parse(&filter).unwrap(), "m").unwrap()
    }

    #[test]
    fn an_index_finds_what_is_equal() {
        assert_eq!(compiled(json!({"a.b": "x"})), "(m @> '{\"a\":{\"b\":\"x\"}}'::jsonb)");
        assert_eq!(compiled(json!({"a": {"$in": [1, 2]}})), "(m @> '{\"a\":1}'::jsonb or m @> '{\"a\":2}'::jsonb)");
        // A number may be the index of an array.
        assert_eq!(compiled(json!({"a.0": 1})), "((m #> '{\"a\",\"0\"}') = '1'::jsonb)");
    }

    #[test]
    fn nothing_escapes_its_quotes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'"), " E'\\\\'''");
        assert_eq!(
            compiled(json!({"a\"b\\.0": {"$exists": true}})),
            "((m #>  E'{\"a\\\\\"b\\\\\\\\\",\"0\"}') is not null)"
        );
    }

    #[test]
    fn regex_is_refused() {
        let filter = Filter::parse(&json!({"$or": [{"a.b": {"$regex": "x"}}]})).unwrap();
        assert_eq!(sql(&filter, "m"), Err(SqlError::Regex { path: "a.b".into() }));
    }

    #[test]
    fn plain_containers_are_contained() {
        assert_eq!(
            containing(&json!({"a": [1], "b": {"c": 2}, "d": {"$gt": 1}, "$or": [{"e": {}}], "$not": {"f": "x"}})),
            json!({"a": {"$contains": [1]}, "b": {"$contains": {"c": 2}}, "d": {"$gt": 1}, "$or": [{"e": {"$contains": {}}}], "$not": {"f": "x"}})
        );
    }
}
