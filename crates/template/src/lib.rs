#![forbid(unsafe_code)]
//! Templates: payloads, notification bodies, values in flows. The language is Jinja's
//! (<https://docs.rs/minijinja/3/minijinja/syntax/>) without macros, other templates and files.

mod bounded;
mod check;
mod context;
mod environment;
mod error;
mod filters;
mod json;
mod limits;
mod template;

pub use error::{NameKind, TemplateError};
pub use template::Template;
