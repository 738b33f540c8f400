use std::borrow::Cow;

use minijinja::formatting::{self, FormatStyle};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::budget::{spend, weigh};
use crate::decimal::{self, Decimal};
use crate::guard::{APART, NUMBER, TIMES, WEIGH, WHOLE};
use crate::write::{self, Style};

/// Name of the filter that [`inside_strings`](crate::json::inside_strings) puts in; not for users.
pub const IN_STRING: &str = "__in_string";

/// Filters a template may use, for the hint of an unknown one.
pub const KNOWN: [&str; 45] = [
    "abs",
    "attr",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// Takes away or bounds the filters that make much of little: `"%999999999d"` is a gigabyte.
pub fn install(environment: &mut Environment<'_>) {
    for name in ["batch", "indent", "pprint", "slice"] {
        environment.remove_filter(name);
    }
    environment.add_filter("format", format);
    environment.add_filter("replace", replace);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter(IN_STRING, in_string);
    environment.add_filter(LIBRARY_JOIN, minijinja::filters::join);
    environment.add_filter("join", join);
    environment.add_filter("tojson", to_json);
    environment.add_filter(WEIGH, weighed);
    environment.add_filter(NUMBER, number);
    environment.add_filter(APART, apart);
    environment.add_filter(WHOLE, whole);
    environment.add_filter(TIMES, times);
    environment.add_test("none", is_none);
}

/// How a value stands in a text: a text as it is, nothing for what is absent, other values as JSON.
pub fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.into()),
        None if is_none(value) => Ok("".into()),
        None => Ok(write::json(value, Style::Compact)?.into()),
    }
}

const LIBRARY_JOIN: &str = "__join";
/// What a character or an item takes as a value of its own.
const PIECE: u64 = 32;

/// What is worked out anew each time that it is looked at is worked out once.
fn settled(value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Iterable {
        return Ok(value);
    }
    let mut items = Vec::new();
    for item in value.try_iter()? {
        spend(PIECE)?;
        items.push(item);
    }
    Ok(Value::from(items))
}

fn weighed(value: Value) -> Result<Value, Error> {
    let value = settled(value)?;
    weigh(&value)?;
    Ok(value)
}

fn number(value: Value) -> Result<Value, Error> {
    let value = weighed(value)?;
    if value.kind() == ValueKind::Seq && value.try_iter()?.any(|item| item.downcast_object_ref::<Decimal>().is_some()) {
        return Ok(value.try_iter()?.map(decimal::number).collect());
    }
    Ok(decimal::number(value))
}

fn apart(value: Value) -> Result<Value, Error> {
    let value = settled(value)?;
    spend(PIECE * value.as_str().map_or(value.len().unwrap_or_default(), str::len) as u64)?;
    Ok(value)
}

fn whole(value: Value) -> Result<Value, Error> {
    let value = settled(value)?;
    spend(value.as_str().map_or(0, str::len) as u64)?;
    Ok(value)
}

fn times(left: Value, right: Value) -> Result<Value, Error> {
    let repeated = |value: &Value| value.as_str().is_some() || value.kind() == ValueKind::Seq;
    let (value, count) = if repeated(&left) { (&left, &right) } else { (&right, &left) };
    if repeated(value) {
        let Ok(count) = usize::try_from(count.clone()) else {
            return Err(refused("texts and lists can only be multiplied with integers"));
        };
        spend(weigh(value)?.saturating_mul(count as u64))?;
        return Ok(match value.as_str() {
            Some(text) => Value::from(text.repeat(count)),
            None => {
                (0..count).map(|_| value.try_iter()).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
            }
        });
    }
    let integers = (left.is_integer() && right.is_integer())
        .then(|| Some((i128::try_from(left.clone()).ok()?, i128::try_from(right.clone()).ok()?)))
        .flatten();
    if let Some((left, right)) = integers {
        let product = left.checked_mul(right).ok_or_else(|| refused("the product is too large"))?;
        return Ok(i64::try_from(product).map_or_else(|_| Value::from(product), Value::from));
    }
    match (f64::try_from(left.clone()), f64::try_from(right.clone())) {
        (Ok(left), Ok(right)) => Ok(Value::from(left * right)),
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("tried to use * operator on unsupported types {} and {}", left.kind(), right.kind()),
        )),
    }
}

/// As the library does it, with what stands between the items counted for each.
fn join(state: &mut State, value: Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let items = value.len().unwrap_or_default() as u64;
    for argument in arguments.iter() {
        spend(weigh(argument)?.saturating_mul(items))?;
    }
    let all: Vec<Value> = std::iter::once(value).chain(arguments.iter().cloned()).collect();
    state.apply_filter(LIBRARY_JOIN, &all)
}

/// JSON that may stand in HTML. `indent`: spaces, or true for two.
fn to_json(value: Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let mut text = write::json(&value, Style::Spaced)?;
    if let Some(indent) = arguments.first() {
        let indent = if indent.kind() == ValueKind::Map { indent.get_attr("indent")? } else { indent.clone() };
        let spaces =
            if indent.kind() == ValueKind::Bool { 2 * usize::from(indent.is_true()) } else { usize::try_from(indent)? };
        if spaces > 0 {
            text = indented(&text, spaces.min(16))?;
        }
    }
    Ok(Value::from_safe_string(for_html(text)))
}

fn indented(json: &str, spaces: usize) -> Result<String, Error> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(no_json)?;
    let spaces = " ".repeat(spaces);
    let format = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(Vec::new(), format);
    serde::Serialize::serialize(&value, &mut serializer).map_err(no_json)?;
    String::from_utf8(serializer.into_inner()).map_err(|_| refused("value cannot be written as JSON"))
}

fn for_html(json: String) -> String {
    if !json.contains(['<', '>', '&', '\'']) {
        return json;
    }
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027")
}

/// printf style; widths and precisions up to 99.
fn format(format: &str, values: Rest<Value>) -> Result<String, Error> {
    let mut digits = 0;
    let mut in_directive = false;
    for byte in format.bytes() {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        in_directive = byte == b'%' || (in_directive && !byte.is_ascii_alphabetic());
        if in_directive && (digits > 2 || byte == b'*') {
            return Err(refused("format takes widths up to 99"));
        }
    }
    formatting::format(FormatStyle::Printf, format, &values)
}

fn replace(text: Value, from: Value, to: Value) -> Result<String, Error> {
    let (text, from, to) = (text.to_string(), from.to_string(), to.to_string());
    let added = text.matches(from.as_str()).count().saturating_mul(to.len());
    spend((added.saturating_add(text.len())) as u64)?;
    Ok(text.replace(from.as_str(), &to))
}

/// What is absent counts nothing, as it is an empty text.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| refused("length needs a text, an array or an object"))
}

fn is_none(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

fn in_string(value: &Value) -> Result<Value, Error> {
    weigh(value)?;
    let mut quoted = String::new();
    write::quoted(&text(value)?, &mut quoted)?;
    Ok(Value::from_safe_string(quoted[1..quoted.len() - 1].to_owned()))
}

fn no_json(error: serde_json::Error) -> Error {
    refused("value cannot be written as JSON").with_source(error)
}

fn refused(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}
