//! Conditions of an editor, as filters.

use serde_json::{Map, Value, json};

use crate::settings::Mistake;
use crate::source::plain_path;

pub const OPERATORS: [&str; 17] = [
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "gt",
    "gte",
    "lt",
    "lte",
    "is_empty",
    "is_not_empty",
    "is_null",
    "is_not_null",
    "is_true",
    "is_false",
    "matches_regex",
];
const EXAMPLE: &str = r#"{"conditions": [{"field": "lead.score", "operator": "gte", "value": 80}]}"#;

/// Whether settings hold conditions, in any of the ways that [`filter`] reads.
pub fn is_there(settings: &Map<String, Value>) -> bool {
    ["groups", "conditions", "filter", "condition"].iter().any(|name| settings.contains_key(*name))
}

/// The filter that `{groups}`, `{conditions}`, `{condition}` or `{filter}` mean. A `filter` is taken as it is.
pub fn filter(settings: &Map<String, Value>) -> Result<Value, Mistake> {
    if let Some(filter) = settings.get("filter").filter(|filter| !filter.is_null()) {
        return match filter.as_object() {
            Some(object) if object.is_empty() => Err(nothing()),
            _ => Ok(filter.clone()),
        };
    }
    if let Some(groups) = settings.get("groups") {
        let groups = list(groups, "groups")?;
        let filters = groups.iter().map(|item| group(item.as_object().ok_or_else(malformed)?));
        let filters: Vec<Value> = filters.collect::<Result<_, _>>()?;
        return joined(settings, &["operator", "groupOperator", "group_operator", "logic"], filters);
    }
    if settings.contains_key("conditions") {
        return group(settings);
    }
    match settings.get("condition").and_then(Value::as_object) {
        Some(one) => condition(one),
        None => Err(nothing()),
    }
}

/// The filter with its paths shortened by this beginning: `trigger.new.score` is `new.score` to the event itself.
pub fn without(filter: Value, beginning: &str) -> Value {
    match filter {
        Value::Object(object) => {
            let pairs = object.into_iter().map(|(key, value)| match key.strip_prefix(beginning) {
                Some(rest) => (rest.to_owned(), value),
                None if matches!(key.as_str(), "$and" | "$or" | "$not") => (key, without(value, beginning)),
                None => (key, value),
            });
            Value::Object(pairs.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| without(item, beginning)).collect()),
        other => other,
    }
}

/// `{operator, conditions}`.
fn group(settings: &Map<String, Value>) -> Result<Value, Mistake> {
    let conditions = list(settings.get("conditions").unwrap_or(&Value::Null), "conditions")?;
    let filters = conditions.iter().map(|item| condition(item.as_object().ok_or_else(malformed)?));
    let filters: Vec<Value> = filters.collect::<Result<_, _>>()?;
    joined(settings, &["operator", "logic", "combinator"], filters)
}

fn joined(settings: &Map<String, Value>, names: &[&str], mut filters: Vec<Value>) -> Result<Value, Mistake> {
    let word = names.iter().find_map(|name| settings.get(*name)).and_then(Value::as_str).unwrap_or("and");
    let key = match word.to_lowercase().as_str() {
        "and" | "all" => "$and",
        "or" | "any" => "$or",
        _ => return Err(Mistake::new("conditions are joined by neither \"and\" nor \"or\"", "Write one of the two.")),
    };
    match (filters.len(), filters.pop()) {
        (1, Some(only)) => Ok(only),
        (_, Some(last)) => {
            filters.push(last);
            Ok(json!({ key: filters }))
        }
        (_, None) => Err(nothing()),
    }
}

fn condition(settings: &Map<String, Value>) -> Result<Value, Mistake> {
    let field = settings.get("field").or_else(|| settings.get("path")).and_then(Value::as_str).unwrap_or_default();
    let field = plain_path(field).ok_or_else(|| {
        Mistake::new(
            "a condition's \"field\" is no path",
            "As in \"trigger.new.score\"; compute values with transform-set-variable.",
        )
    })?;
    let operator = settings.get("operator").and_then(Value::as_str).unwrap_or("equals");
    let value = settings.get("value").unwrap_or(&Value::Null);
    let text = || match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let test = match operator {
        "equals" | "eq" | "==" | "=" => json!({"$in": same(value)}),
        "not_equals" | "ne" | "neq" | "!=" => json!({"$nin": same(value)}),
        "contains" => return Ok(json!({"$or": contains(field, value, &text())})),
        "not_contains" => return Ok(json!({"$not": {"$or": contains(field, value, &text())}})),
        "starts_with" => json!({"$regex": format!("(?is)\\A{}", escaped(&text()))}),
        "ends_with" => json!({"$regex": format!("(?is){}\\z", escaped(&text()))}),
        "gt" | ">" => json!({"$gt": ordered(value)?}),
        "gte" | ">=" => json!({"$gte": ordered(value)?}),
        "lt" | "<" => json!({"$lt": ordered(value)?}),
        "lte" | "<=" => json!({"$lte": ordered(value)?}),
        "in" => json!({"$in": value}),
        "not_in" => json!({"$nin": value}),
        "is_empty" => json!({"$in": [null, "", [], {}]}),
        "is_not_empty" => json!({"$nin": [null, "", [], {}]}),
        "is_null" => json!({"$eq": null}),
        "is_not_null" => json!({"$ne": null}),
        "is_true" => json!({"$in": [true, "true"]}),
        "is_false" => json!({"$in": [false, "false"]}),
        "matches_regex" | "matches" => json!({"$regex": text()}),
        _ => {
            return Err(Mistake::new(
                format!("there is no operator \"{}\" of conditions", crate::finding::shown(operator)),
                format!("Operators are {}.", OPERATORS.join(", ")),
            ));
        }
    };
    Ok(json!({ field: test }))
}

/// An editor's value is often a text where the row has a number or a boolean: both count as the same.
fn same(value: &Value) -> Vec<Value> {
    let mut same = vec![value.clone()];
    match value {
        Value::String(text) => {
            if let Ok(other @ (Value::Number(_) | Value::Bool(_))) = serde_json::from_str::<Value>(text.trim()) {
                same.push(other);
            }
        }
        Value::Number(_) | Value::Bool(_) => same.push(value.to_string().into()),
        _ => {}
    }
    same
}

/// A text that contains it in upper or lower case, or an array that has it.
fn contains(field: &str, value: &Value, text: &str) -> Vec<Value> {
    let pattern = format!("(?is){}", escaped(text));
    let mut alternatives = vec![json!({ field: {"$regex": pattern} })];
    alternatives.extend(
        same(value).into_iter().filter(|value| !value.is_string()).map(|value| json!({ field: {"$contains": value} })),
    );
    if value.is_string() {
        alternatives.push(json!({ field: {"$contains": [value]} }));
    }
    alternatives
}

/// Numbers are often texts in an editor.
fn ordered(value: &Value) -> Result<Value, Mistake> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => match serde_json::from_str::<Value>(text.trim()) {
            Ok(number @ Value::Number(_)) => Ok(number),
            _ => Ok(value.clone()),
        },
        _ => Err(Mistake::new("a condition compares with something that has no order", "Give a number or a text.")),
    }
}

/// Characters that mean something in an expression.
const META: &str = r"\.+*?()|[]{}^$#&-~";

fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if META.contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, Mistake> {
    value.as_array().ok_or_else(|| Mistake::new(format!("\"{name}\" is not an array"), format!("As in {EXAMPLE}.")))
}

fn malformed() -> Mistake {
    Mistake::new("a condition is not an object", format!("As in {EXAMPLE}."))
}

fn nothing() -> Mistake {
    Mistake::new("there are no conditions", format!("A condition without any would decide nothing. As in {EXAMPLE}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter::Filter;

    fn holds(operator: &str, value: Value, document: Value) -> bool {
        let settings = json!({"conditions": [{"field": "x", "operator": operator, "value": value}]});
        let compiled = filter(settings.as_object().unwrap()).unwrap();
        Filter::parse(&compiled).unwrap().matches(&json!({ "x": document }))
    }

    #[test]
    fn each_operator_says_what_its_name_says() {
        for (operator, value, yes, no) in [
            ("equals", json!("5"), json!(5), json!(6)),
            ("equals", json!(5), json!("5"), json!("05")),
            ("equals", json!("true"), json!(true), json!(false)),
            ("not_equals", json!("won"), json!("lost"), json!("won")),
            ("contains", json!("A.B"), json!("xa.by"), json!("xaxby")),
            ("contains", json!("vip"), json!(["vip", "new"]), json!(["old"])),
            ("contains", json!(3), json!([1, 3]), json!([1, 2])),
            ("not_contains", json!("x"), json!("abc"), json!("aXc")),
            ("starts_with", json!("+34"), json!("+34 600"), json!("600 +34")),
            ("ends_with", json!("@EXAMPLE.com"), json!("a@example.com"), json!("a@example.com.x")),
            ("gt", json!("80"), json!(81), json!(80)),
            ("gte", json!(80), json!(80), json!(79.5)),
            ("lt", json!("2026-02-01"), json!("2026-01-31"), json!("2026-02-01")),
            ("lte", json!(1), json!(1), json!(2)),
            ("is_empty", json!(null), json!(""), json!("a")),
            ("is_empty", json!(null), json!([]), json!([1])),
            ("is_not_empty", json!(null), json!("a"), json!(null)),
            ("is_null", json!(null), json!(null), json!(0)),
            ("is_not_null", json!(null), json!(0), json!(null)),
            ("is_true", json!(null), json!(true), json!(1)),
            ("is_false", json!(null), json!("false"), json!(null)),
            ("matches_regex", json!("^a+$"), json!("aaa"), json!("aab")),
        ] {
            assert!(holds(operator, value.clone(), yes), "{operator} {value}");
            assert!(!holds(operator, value.clone(), no), "not {operator} {value}");
        }
    }

    #[test]
    fn groups_join_as_they_say() {
        let a = json!({"field": "a", "operator": "is_true"});
        let b = json!({"field": "{{ b }}", "operator": "is_true"});
        let settings = json!({"operator": "or", "groups": [{"operator": "and", "conditions": [a, b]}, {"conditions": [{"field": "c"}]}]});
        let filter = Filter::parse(&filter(settings.as_object().unwrap()).unwrap()).unwrap();
        assert!(filter.matches(&json!({"a": true, "b": true, "c": 1})));
        assert!(filter.matches(&json!({"a": true, "c": null})));
        assert!(!filter.matches(&json!({"a": true, "b": false, "c": 1})));
    }

    #[test]
    fn no_condition_is_a_mistake_and_not_always_true() {
        for settings in [
            json!({}),
            json!({"groups": []}),
            json!({"groups": [{"conditions": []}]}),
            json!({"conditions": []}),
            json!({"filter": {}}),
        ] {
            assert_eq!(
                filter(settings.as_object().unwrap()).unwrap_err().message,
                "there are no conditions",
                "{settings}"
            );
        }
    }
}
