#![forbid(unsafe_code)]
//! Templates: payloads, notification bodies, values in flows. The language is Jinja's
//! (<https://docs.rs/minijinja/3/minijinja/syntax/>) without macros, other templates and files.

mod bounded;
mod budget;
mod check;
mod context;
mod decimal;
mod environment;
mod error;
mod filters;
mod guard;
mod json;
mod limits;
mod template;
mod write;

pub use error::{NameKind, TemplateError};
pub use template::Template;
