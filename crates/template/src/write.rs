//! Values as JSON.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::decimal::Decimal;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `[1,2]`
    Compact,
    /// `[1, 2]`
    Spaced,
}

/// The value must have been weighed.
pub fn json(value: &Value, style: Style) -> Result<String, Error> {
    let mut out = String::new();
    write(value, style, &mut out)?;
    Ok(out)
}

fn write(value: &Value, style: Style, out: &mut String) -> Result<(), Error> {
    if let Some(decimal) = value.downcast_object_ref::<Decimal>() {
        out.push_str(decimal.text());
        return Ok(());
    }
    let comma = if style == Style::Spaced { ", " } else { "," };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (number, item) in value.try_iter()?.enumerate() {
                out.push_str(if number > 0 { comma } else { "" });
                write(&item, style, out)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (number, key) in value.try_iter()?.enumerate() {
                out.push_str(if number > 0 { comma } else { "" });
                quoted(&key.to_string(), out)?;
                out.push_str(if style == Style::Spaced { ": " } else { ":" });
                write(&value.get_item(&key)?, style, out)?;
            }
            out.push('}');
        }
        ValueKind::Number => out.push_str(&serde_json::to_string(value).map_err(no_json)?),
        _ => match value.as_str() {
            Some(text) => quoted(text, out)?,
            None => quoted(&value.to_string(), out)?,
        },
    }
    Ok(())
}

pub fn quoted(text: &str, out: &mut String) -> Result<(), Error> {
    let quoted = serde_json::to_string(text).map_err(no_json)?;
    out.write_str(&quoted).map_err(|_| ErrorKind::WriteFailure.into())
}

fn no_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidOperation, "value cannot be written as JSON").with_source(error)
}
