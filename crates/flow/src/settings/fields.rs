//! The settings of a node, read field by field.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::source::is_template;

/// What is wrong with a node's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub hint: String,
}

impl Mistake {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Mistake {
        Mistake { message: message.into(), hint: hint.into() }
    }
}

/// Each field goes by several names: editors differ.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// The templates are not filled in yet: what they will make is taken to be right.
    draft: bool,
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Map<String, Value>, draft: bool) -> Fields<'a> {
        Fields { map, draft }
    }

    pub fn is_draft(&self) -> bool {
        self.draft
    }

    pub fn all(&self) -> &'a Map<String, Value> {
        self.map
    }

    pub fn within(&self, map: &'a Map<String, Value>) -> Fields<'a> {
        Fields { map, draft: self.draft }
    }

    /// The first of them that is there and is neither null nor an empty text.
    pub fn get(&self, names: &[&str]) -> Option<&'a Value> {
        let found = names.iter().filter_map(|name| self.map.get(*name));
        found.into_iter().find(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A value that a template is still to make.
    pub fn is_open(&self, value: &Value) -> bool {
        self.draft && value.as_str().is_some_and(is_template)
    }

    pub fn require(&self, names: &[&str], example: &str) -> Result<&'a Value, Mistake> {
        self.get(names).ok_or_else(|| Mistake::new(format!("\"{}\" is missing", names[0]), format!("As in {example}.")))
    }

    pub fn text(&self, names: &[&str]) -> Result<Option<String>, Mistake> {
        match self.get(names) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => Err(Mistake::new(format!("\"{}\" is not a text", names[0]), "Write it in quotes.")),
        }
    }

    pub fn need(&self, names: &[&str], example: &str) -> Result<String, Mistake> {
        self.require(names, example)?;
        Ok(self.text(names)?.unwrap_or_default())
    }

    /// A text of at most so many characters.
    pub fn short(&self, names: &[&str], most: usize, example: &str) -> Result<String, Mistake> {
        let text = self.need(names, example)?;
        match text.chars().count() {
            length if length > most && !is_template(&text) => Err(Mistake::new(
                format!("\"{}\" has {length} characters, at most {most} are allowed", names[0]),
                "Shorten it.",
            )),
            _ => Ok(text),
        }
    }

    pub fn number(&self, names: &[&str]) -> Result<Option<f64>, Mistake> {
        let Some(value) = self.get(names).filter(|value| !self.is_open(value)) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(Mistake::new(format!("\"{}\" is not a number", names[0]), "Write it without a unit.")),
        }
    }

    pub fn integer(&self, names: &[&str], range: RangeInclusive<u32>, default: u32) -> Result<u32, Mistake> {
        let Some(number) = self.number(names)? else { return Ok(default) };
        let (least, most) = (*range.start(), *range.end());
        if number.fract() != 0.0 || number < f64::from(least) || number > f64::from(most) {
            return Err(Mistake::new(
                format!("\"{}\" is {number}, not a whole number from {least} to {most}", names[0]),
                "The limits of a flow can be changed where it is added, within those of the server.",
            ));
        }
        Ok(number as u32)
    }

    pub fn flag(&self, names: &[&str], default: bool) -> Result<bool, Mistake> {
        match self.get(names) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) if self.is_open(value) => Ok(default),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(Mistake::new(format!("\"{}\" is neither true nor false", names[0]), "Write true or false.")),
        }
    }

    /// One of a few words; the first is the default.
    pub fn choice<'w>(&self, names: &[&str], words: &[&'w str]) -> Result<&'w str, Mistake> {
        let Some(value) = self.get(names).filter(|value| !self.is_open(value)) else { return Ok(words[0]) };
        let text = value.as_str().unwrap_or_default();
        words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied().ok_or_else(|| {
            Mistake::new(format!("\"{}\" is not one of: {}", names[0], words.join(", ")), "Choose one of them.")
        })
    }

    pub fn object(&self, names: &[&str]) -> Result<Option<&'a Map<String, Value>>, Mistake> {
        match self.get(names) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(value) if self.is_open(value) => Ok(None),
            Some(_) => Err(Mistake::new(format!("\"{}\" is not an object", names[0]), "As in {\"key\": \"value\"}.")),
        }
    }

    pub fn list(&self, names: &[&str]) -> Result<Option<&'a Vec<Value>>, Mistake> {
        match self.get(names) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(value) if self.is_open(value) => Ok(None),
            Some(_) => Err(Mistake::new(format!("\"{}\" is not an array", names[0]), "As in [1, 2, 3].")),
        }
    }
}
