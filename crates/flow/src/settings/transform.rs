//! Nodes that compute.

use serde_json::{Map, Value};

use crate::Limits;

use super::fields::{Fields, Mistake};

pub const ITEMS: [&str; 7] = ["items", "array", "collection", "list", "source", "input", "over"];
const OPERATIONS: [&str; 9] = ["count", "sum", "avg", "min", "max", "first", "last", "join", "unique"];

/// The items that a node goes through; null is none.
pub fn items(fields: &Fields<'_>, limits: &Limits) -> Result<Vec<Value>, Mistake> {
    // The limit of a node is 100 unless it says another.
    let most = fields.integer(
        &["max_items", "maxItems", "max_iterations", "maxIterations"],
        1..=limits.items.max(1),
        100.min(limits.items.max(1)),
    )?;
    let is_there = ITEMS.iter().any(|name| fields.all().contains_key(*name));
    if !is_there {
        return Err(Mistake::new("\"items\" is missing", "As in {\"items\": \"{{ trigger.new.lines }}\"}."));
    }
    let items = match fields.get(&ITEMS) {
        None => return Ok(Vec::new()),
        Some(value) if fields.is_open(value) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err(Mistake::new("\"items\" is not an array", "As in {\"items\": \"{{ trigger.new.lines }}\"}."));
        }
    };
    match items.len() {
        many if many > most as usize => Err(Mistake::new(
            format!("there are {many} items, at most {most} are allowed"),
            format!("\"max_items\" of the node allows up to {}.", limits.items),
        )),
        _ => Ok(items.clone()),
    }
}

/// `name` and `value`, or `variables` as an object or as an array of names and values.
pub fn variables(fields: &Fields<'_>) -> Result<Map<String, Value>, Mistake> {
    let example = "{\"name\": \"greeting\", \"value\": \"Dear {{ lead.name }}\"}";
    let mut variables = Map::new();
    match fields.get(&["variables", "values", "assignments"]) {
        Some(Value::Object(object)) => variables = object.clone(),
        Some(Value::Array(list)) => {
            for item in list {
                let Value::Object(object) = item else {
                    return Err(Mistake::new("a variable is not an object", format!("As in {example}.")));
                };
                let inner = fields.within(object);
                let name = inner.need(&["name", "key", "variable"], example)?;
                variables.insert(name, object.get("value").cloned().unwrap_or_default());
            }
        }
        Some(_) => return Err(Mistake::new("\"variables\" is not an object", format!("As in {example}."))),
        None => {
            let name = fields.need(&["name", "variable", "variableName", "key"], example)?;
            if !fields.all().contains_key("value") {
                return Err(Mistake::new("\"value\" is missing", format!("As in {example}.")));
            }
            variables.insert(name, fields.all().get("value").cloned().unwrap_or_default());
        }
    }
    let is_name = |name: &str| {
        name.chars().count() <= 64
            && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    match variables.keys().find(|name| !is_name(name)) {
        Some(name) => Err(Mistake::new(
            format!("\"{}\" is no name of a variable", crate::finding::shown(name)),
            "Up to 64 letters, digits and underscores, beginning with no digit.",
        )),
        None => Ok(variables),
    }
}

#[derive(Debug)]
pub struct Aggregate {
    operation: &'static str,
    /// Within each item.
    field: Option<filter::Path>,
    separator: String,
}

pub fn aggregate(fields: &Fields<'_>) -> Result<Aggregate, Mistake> {
    let operation = fields.choice(&["operation", "function", "aggregate"], &OPERATIONS)?;
    let field = fields.text(&["field", "path"])?;
    let field = field.map(|field| {
        let path = filter::Path::parse(field.strip_prefix("item.").unwrap_or(&field));
        path.ok_or_else(|| Mistake::new("\"field\" is no path", "As in \"price\" or \"address.city\"."))
    });
    Ok(Aggregate {
        operation,
        field: field.transpose()?,
        separator: fields.text(&["separator"])?.unwrap_or_else(|| ", ".into()),
    })
}

impl Aggregate {
    /// What is null or missing does not count, as in SQL.
    pub fn of(&self, items: &[Value]) -> Result<Value, Mistake> {
        let values: Vec<&Value> = items
            .iter()
            .filter_map(|item| self.field.as_ref().map_or(Some(item), |path| path.find(item)))
            .filter(|value| !value.is_null())
            .collect();
        Ok(match self.operation {
            "count" => values.len().into(),
            "sum" => sum(&values)?,
            "avg" if values.is_empty() => Value::Null,
            "avg" => {
                let total: f64 = numbers(&values)?.iter().sum();
                (total / values.len() as f64).into()
            }
            "min" => best(&values, std::cmp::Ordering::Less)?,
            "max" => best(&values, std::cmp::Ordering::Greater)?,
            "first" => values.first().map_or(Value::Null, |value| (*value).clone()),
            "last" => values.last().map_or(Value::Null, |value| (*value).clone()),
            "join" => {
                let texts: Vec<String> = values.iter().map(|value| super::logic::text_of(value)).collect();
                texts.join(&self.separator).into()
            }
            _ => {
                let mut kept: Vec<Value> = Vec::new();
                for value in values {
                    if !kept.iter().any(|known| filter::equal(known, value)) {
                        kept.push(value.clone());
                    }
                }
                kept.into()
            }
        })
    }
}

fn numbers(values: &[&Value]) -> Result<Vec<f64>, Mistake> {
    let number = |value: &&Value| match value {
        Value::Number(number) => Some(filter::double(number)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
    numbers.ok_or_else(|| Mistake::new("an item is not a number", "Filter the items first, or name their \"field\"."))
}

/// Whole numbers stay exact.
fn sum(values: &[&Value]) -> Result<Value, Mistake> {
    let whole: Option<Vec<i64>> = values.iter().map(|value| value.as_i64()).collect();
    let exact = whole.and_then(|numbers| numbers.into_iter().try_fold(0_i64, i64::checked_add));
    match exact {
        Some(exact) => Ok(exact.into()),
        None => Ok(numbers(values)?.iter().sum::<f64>().into()),
    }
}

fn best(values: &[&Value], wanted: std::cmp::Ordering) -> Result<Value, Mistake> {
    if values.iter().all(|value| value.is_string()) {
        let texts = values.iter().filter_map(|value| value.as_str());
        let found = if wanted.is_lt() { texts.min() } else { texts.max() };
        return Ok(found.map_or(Value::Null, Value::from));
    }
    let numbers = numbers(values)?;
    let mut found = 0;
    for (at, number) in numbers.iter().enumerate() {
        if number.partial_cmp(&numbers[found]) == Some(wanted) {
            found = at;
        }
    }
    Ok(values.get(found).map_or(Value::Null, |value| (*value).clone()))
}
