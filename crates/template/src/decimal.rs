//! A number that is no integer and that a double would show in another way: it stands in the output as it came.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{DynObject, Object, ObjectRepr};

#[derive(Debug)]
pub struct Decimal {
    text: String,
}

impl Decimal {
    /// The number that `text`, as JSON writes it, stands for.
    pub fn value(text: &str) -> Value {
        match text.parse::<f64>() {
            Ok(double) if double.is_finite() && shown(double) == text => Value::from(double),
            _ => Value::from_object(Decimal { text: text.to_owned() }),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// For calculations.
    pub fn double(&self) -> f64 {
        self.text.parse().unwrap_or_default()
    }
}

/// The number of a decimal, other values as they are.
pub fn number(value: Value) -> Value {
    match value.downcast_object_ref::<Decimal>() {
        Some(decimal) => Value::from(decimal.double()),
        None => value,
    }
}

fn shown(double: f64) -> String {
    serde_json::Number::from_f64(double).map(|number| number.to_string()).unwrap_or_default()
}

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.double() != 0.0
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Decimal>()?;
        self.double().partial_cmp(&other.double())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
