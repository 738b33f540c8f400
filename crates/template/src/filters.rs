use std::borrow::Cow;

use minijinja::formatting::{self, FormatStyle};
use minijinja::value::Rest;
use minijinja::{Environment, Error, ErrorKind, Value};

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
    environment.add_test("none", is_none);
}

/// How a value stands in a text: a text as it is, nothing for what is absent, other values as JSON.
pub fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.into()),
        None if is_none(value) => Ok("".into()),
        None => Ok(serde_json::to_string(value).map_err(no_json)?.into()),
    }
}

/// The largest text a filter makes of smaller ones, in bytes.
const MAX_BYTES: usize = 16 << 20;

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
    if added.saturating_add(text.len()) > MAX_BYTES {
        return Err(refused("replace makes more than 16 MiB"));
    }
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
    let quoted = serde_json::to_string(&text(value)?).map_err(no_json)?;
    Ok(Value::from_safe_string(quoted[1..quoted.len() - 1].to_owned()))
}

fn no_json(error: serde_json::Error) -> Error {
    refused("value cannot be written as JSON").with_source(error)
}

fn refused(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}
