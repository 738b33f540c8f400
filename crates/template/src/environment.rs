use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use crate::{budget, filters, write};

/// Name under which an environment holds its one template.
pub const NAME: &str = "template";

/// Instructions one rendering may take: a loop over ten thousand elements, some milliseconds.
pub const FUEL: u64 = 200_000;

/// Templates share what they have in common, and each has a copy of the rest.
static TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| common(false));
static JSON: LazyLock<Environment<'static>> = LazyLock::new(|| common(true));

/// Without a loader, macros or other templates; missing values and their parts are undefined instead of errors.
pub fn environment(json: bool, fuel: u64) -> Environment<'static> {
    let mut environment = if json { JSON.clone() } else { TEXT.clone() };
    environment.set_fuel(Some(fuel));
    environment
}

fn common(json: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_recursion_limit(64);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(move |_| if json { AutoEscape::Json } else { AutoEscape::None });
    environment.set_formatter(|out, state, value| {
        budget::weigh(value)?;
        let text = match state.auto_escape() {
            AutoEscape::Json if !value.is_safe() => write::json(value, write::Style::Compact)?.into(),
            _ => filters::text(value)?,
        };
        out.write_str(&text).map_err(|_| ErrorKind::WriteFailure.into())
    });
    // A namespace outlives the turns of a loop, so that a text in it could double at every turn.
    environment.remove_global("namespace");
    environment.remove_global("debug");
    filters::install(&mut environment);
    environment
}
