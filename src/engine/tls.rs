//! What an endpoint asks of TLS, as it is declared and, without the key, stored.

use std::sync::Arc;

use courier::{TlsOptions, Trust};
use serde_json::Value;

use crate::vault;

/// The options, or what is wrong with their form. No message repeats a value: it might be the key.
pub fn options(tls: &Value) -> Result<TlsOptions, String> {
    let Some(tls) = tls.as_object() else { return Err("tls must be a JSON object".into()) };
    let mut options = TlsOptions::default();
    for (name, value) in tls {
        match name.as_str() {
            "ca" => options.ca = Some(text(name, value)?),
            "pin" => options.pins = pins(value)?,
            "client_certificate" => options.client_certificate = Some(text(name, value)?),
            "client_key" => options.client_key = Some(text(name, value)?),
            _ => return Err(format!("tls has no option \"{name}\"")),
        }
    }
    Ok(options)
}

/// What is stored of an endpoint, put together again.
pub fn trust(tls: Option<&Value>, sealed_key: Option<&str>) -> Result<Option<Arc<Trust>>, String> {
    let Some(tls) = tls else { return Ok(None) };
    let mut options = options(tls)?;
    options.client_key = sealed_key.map(vault::open_hex).transpose()?;
    match Trust::parse(&options) {
        Ok(trust) => Ok(Some(Arc::new(trust))),
        Err(error) => Err(format!("its TLS options: {error}; alter_endpoint(tls => ...) sets them")),
    }
}

fn pins(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(pins) => pins.iter().map(|pin| text("pin", pin)).collect(),
        one => Ok(vec![text("pin", one)?]),
    }
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("option \"{name}\" of tls is not a string"))
}
