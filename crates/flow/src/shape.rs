//! Settings with templates in them, made for each step anew.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;
use template::{Template, TemplateError};

use crate::Limits;
use crate::source::{Ids, Part, aliased, is_template, only_value, parts};
use crate::view::View;

/// A JSON value whose texts may be templates. A text that is one expression and nothing else becomes what the
/// expression is: an array stays one. All others become texts.
#[derive(Debug)]
pub struct Shape {
    /// With null where a text makes JSON of its own.
    plain: Value,
    /// One template for all that has templates: it makes JSON.
    made: Option<Template>,
    /// Texts that are JSON themselves, such as the body of a request, and where they go (JSON pointers).
    texts: Vec<(String, Template)>,
    /// Paths that the templates look at; none begins with another.
    names: Vec<String>,
}

/// A template that is none.
#[derive(Debug)]
pub struct ShapeError {
    /// JSON pointer into the settings.
    pub place: String,
    pub error: TemplateError,
}

impl Shape {
    pub fn parse(value: &Value, ids: &Ids) -> Result<Shape, ShapeError> {
        let mut writer = Writer { ids, out: String::new(), texts: Vec::new(), place: String::new(), dynamic: false };
        writer.value(value)?;
        let Writer { out, texts, dynamic, .. } = writer;
        let made = match dynamic {
            // In an array, so that a text alone makes JSON, too.
            true => Some(Template::parse(&format!("[{out}]")).map_err(|error| culprit(value, ids, error))?),
            false => None,
        };
        let mut names: Vec<String> =
            made.iter().chain(texts.iter().map(|(_, template)| template)).flat_map(Template::paths).collect();
        names.sort();
        names.dedup();
        let mut kept: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let within = |outer: &String| name.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'));
            if !kept.last().is_some_and(within) {
                kept.push(name);
            }
        }
        Ok(Shape { plain: if dynamic { Value::Null } else { value.clone() }, made, texts, names: kept })
    }

    pub fn empty() -> Shape {
        Shape { plain: Value::Null, made: None, texts: Vec::new(), names: Vec::new() }
    }

    /// Nothing in it depends on the run.
    pub fn is_plain(&self) -> bool {
        self.made.is_none() && self.texts.is_empty()
    }

    /// What it is, where nothing in it depends on the run.
    pub fn plain(&self) -> Option<&Value> {
        self.is_plain().then_some(&self.plain)
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// # Errors
    /// What the template complains about, in words.
    pub fn make(&self, view: &View<'_>) -> Result<Cow<'_, Value>, String> {
        if self.is_plain() {
            return Ok(Cow::Borrowed(&self.plain));
        }
        let context = view.context(&self.names);
        let mut value = match &self.made {
            Some(template) => {
                let json = template.render(&context, Limits::SETTINGS_BYTES).map_err(|error| error.to_string())?;
                let made: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
                match made {
                    Value::Array(mut items) => items.pop().unwrap_or_default(),
                    other => other,
                }
            }
            None => self.plain.clone(),
        };
        for (place, template) in &self.texts {
            let text = template.render(&context, Limits::SETTINGS_BYTES).map_err(|error| error.to_string())?;
            if let Some(slot) = value.pointer_mut(place) {
                *slot = text.into();
            }
        }
        Ok(Cow::Owned(value))
    }
}

struct Writer<'a> {
    ids: &'a Ids,
    out: String,
    texts: Vec<(String, Template)>,
    place: String,
    dynamic: bool,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), ShapeError> {
        match value {
            Value::String(text) if is_template(text) => self.text(text),
            Value::Array(items) => {
                self.out.push('[');
                for (number, item) in items.iter().enumerate() {
                    self.out.push_str(if number > 0 { ", " } else { "" });
                    self.at(&number.to_string(), item)?;
                }
                self.out.push(']');
                Ok(())
            }
            Value::Object(object) => {
                self.out.push('{');
                for (number, (key, item)) in object.iter().enumerate() {
                    self.out.push_str(if number > 0 { ", " } else { "" });
                    let quoted = Value::from(key.as_str()).to_string();
                    // A key is never a template: what looks like one is written as what it is.
                    let _ = match is_template(key) {
                        true => write!(self.out, "{{{{ {quoted} }}}}: "),
                        false => write!(self.out, "{quoted}: "),
                    };
                    self.at(key, item)?;
                }
                self.out.push('}');
                Ok(())
            }
            plain => {
                let _ = write!(self.out, "{plain}");
                Ok(())
            }
        }
    }

    fn at(&mut self, key: &str, value: &Value) -> Result<(), ShapeError> {
        let length = self.place.len();
        self.place.push('/');
        self.place.push_str(&key.replace('~', "~0").replace('/', "~1"));
        let done = self.value(value);
        self.place.truncate(length);
        done
    }

    fn text(&mut self, text: &str) -> Result<(), ShapeError> {
        self.dynamic = true;
        if let Some(code) = only_value(text) {
            let _ = write!(self.out, "{} ", aliased(code, self.ids));
            return Ok(());
        }
        if makes_json(text) {
            let source: String = parts(text).into_iter().map(|part| self.code(part)).collect();
            let template = Template::parse(&source).map_err(|error| ShapeError { place: self.place.clone(), error })?;
            self.texts.push((self.place.clone(), template));
            self.out.push_str("null");
            return Ok(());
        }
        self.out.push('"');
        for part in parts(text) {
            match part {
                Part::Text(plain) => {
                    let quoted = Value::from(plain).to_string();
                    self.out.push_str(&quoted[1..quoted.len() - 1]);
                }
                code => {
                    let code = self.code(code);
                    self.out.push_str(&code);
                }
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn code<'p>(&self, part: Part<'p>) -> Cow<'p, str> {
        match part {
            Part::Text(text) => text.into(),
            Part::Value(code) | Part::Statement(code) => aliased(code, self.ids),
        }
    }
}

/// As the template language decides it.
fn makes_json(text: &str) -> bool {
    let mut characters = text.trim_start().chars();
    match characters.next() {
        Some('[') => true,
        Some('{') => matches!(characters.next(), Some(next) if next.is_whitespace() || matches!(next, '"' | '}')),
        _ => false,
    }
}

/// Which of the texts it is: all together they are one template, whose lines nobody wrote.
fn culprit(value: &Value, ids: &Ids, error: TemplateError) -> ShapeError {
    let mut place = String::new();
    let found = search(value, ids, &mut place);
    ShapeError { error: found.unwrap_or(error), place }
}

fn search(value: &Value, ids: &Ids, place: &mut String) -> Option<TemplateError> {
    let mut inner = |key: &str, item: &Value| {
        let length = place.len();
        let _ = write!(place, "/{key}");
        let found = search(item, ids, place);
        if found.is_none() {
            place.truncate(length);
        }
        found
    };
    match value {
        Value::String(text) if is_template(text) => Template::parse(&aliased(text, ids)).err(),
        Value::Array(items) => items.iter().enumerate().find_map(|(number, item)| inner(&number.to_string(), item)),
        Value::Object(object) => object.iter().find_map(|(key, item)| inner(key, item)),
        _ => None,
    }
}
