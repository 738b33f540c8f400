use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind};
use serde_json::Value;

use crate::bounded::Bounded;
use crate::budget::{self, BUDGET};
use crate::environment::{FUEL, NAME, environment};
use crate::{TemplateError, check, context, guard, json, limits};

/// A template, checked and compiled.
///
/// One whose source starts as JSON does makes JSON: `{{ x }}` is written as JSON, so that
/// `{"name": {{ data.name }}}` becomes `{"name": "O\"Hara"}`, and inside quotes it becomes part of that string,
/// as in `{"text": "Dear {{ data.name }}"}`. Any other makes text and escapes nothing.
///
/// What is missing or null is null in JSON and empty in text, and so is every part of it; in text, booleans, arrays
/// and objects are written as JSON.
///
/// Numbers stand as the document has them: `100.00` stays so. In calculations they are doubles, or integers.
///
/// The sizes of source and output, the number of steps and the bytes of all values on the way are bounded.
#[derive(Clone, Debug)]
pub struct Template {
    environment: Environment<'static>,
    json: bool,
}

impl Template {
    /// The longest source, in bytes.
    pub const MAX_SOURCE: usize = 64 * 1024;

    /// # Errors
    /// A source that is too long or too deep, a syntax error, or a filter, test, function or method that does not exist.
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        if source.len() > Self::MAX_SOURCE {
            return Err(TemplateError::TooLong { bytes: source.len() });
        }
        limits::check(source)?;
        // As it was written first, so that errors are about what the user wrote.
        parse(source, NAME, SyntaxConfig::default()).map_err(syntax)?;
        let json = json::is_json(source);
        let text = if json { json::inside_strings(source) } else { source.to_owned() };
        let guarded = guard::guarded(&parse(&text, NAME, SyntaxConfig::default()).map_err(syntax)?);
        // What is captured grows by each text that stands in the template.
        let fuel = FUEL.min(BUDGET / guarded.longest_captured.max(1) as u64);
        let mut environment = environment(json, fuel);
        environment.add_template_owned(NAME, guarded.source).map_err(syntax)?;
        check::check(&environment, &environment.get_template(NAME).map_err(syntax)?)?;
        Ok(Template { environment, json })
    }

    /// # Errors
    /// More than `max_bytes`, too many steps, values that do not suit what is done with them (a text minus one), or
    /// output that is not the JSON it started as.
    pub fn render(&self, context: &Value, max_bytes: usize) -> Result<String, TemplateError> {
        let template = self.environment.get_template(NAME).map_err(runtime)?;
        let mut output = Bounded::new(max_bytes);
        budget::renew();
        let rendered = template.render_captured_to(context::value(context), &mut output);
        if output.exceeded() {
            return Err(TemplateError::OutputTooLarge { max_bytes });
        }
        if budget::is_spent() {
            return Err(TemplateError::TooMuch);
        }
        rendered.map_err(runtime)?;
        let text = String::from_utf8(output.into_bytes())
            .map_err(|_| TemplateError::Render { line: 1, reason: "output is not UTF-8".into() })?;
        if self.json {
            check_json(&text)?;
        }
        Ok(text)
    }

    /// The dotted paths of the document that it looks at, as far as its source shows: `new.name`; a part that is looked up
    /// by a computed key is not among them, what stands before it is.
    pub fn paths(&self) -> Vec<String> {
        let template = self.environment.get_template(NAME);
        let mut paths: Vec<String> =
            template.map(|template| template.undeclared_variables(true).into_iter().collect()).unwrap_or_default();
        paths.retain(|path| !self.environment.globals().any(|(global, _)| global == path));
        paths.sort();
        paths
    }

    /// Whether it makes JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }
}

fn check_json(text: &str) -> Result<(), TemplateError> {
    let parsed = serde_json::from_str::<serde::de::IgnoredAny>(text);
    parsed.map(drop).map_err(|error| TemplateError::NotJson {
        line: error.line(),
        column: error.column(),
        reason: reason(&error),
    })
}

/// Without the position, which stands beside it.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn syntax(error: minijinja::Error) -> TemplateError {
    let (line, reason) = place(&error);
    TemplateError::Syntax { line, reason }
}

fn runtime(error: minijinja::Error) -> TemplateError {
    if error.kind() == ErrorKind::OutOfFuel {
        return TemplateError::OutOfFuel;
    }
    let (line, reason) = place(&error);
    TemplateError::Render { line, reason }
}

fn place(error: &minijinja::Error) -> (usize, String) {
    let reason = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    (error.line().unwrap_or(1), reason.chars().take(500).collect())
}
