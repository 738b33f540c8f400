//! Direct requests: http_post and friends.

use std::collections::BTreeMap;
use std::time::Duration;

use courier::{Guard, HeaderName, HeaderValue, Method};
use delivery::Event;
use serde::Deserialize;

use super::settings::header;
use crate::{guc, vault};

/// The record of an event http.request, as frontdesk.http_request() writes it.
#[derive(Deserialize)]
pub struct Direct {
    method: String,
    pub url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    sealed: Option<String>,
    body: Option<String>,
    pub sign_with: Option<String>,
    timeout_ms: u64,
}

impl Direct {
    pub fn parse(event: &Event) -> Result<Direct, String> {
        serde_json::from_str(event.record.as_deref().unwrap_or_default())
            .map_err(|error| format!("the request cannot be read: {error}"))
    }

    pub fn method(&self) -> Method {
        Method::from_bytes(self.method.as_bytes()).unwrap_or(Method::GET)
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub fn body(&self) -> Result<Vec<u8>, String> {
        use base64::Engine;
        // PostgreSQL's encode() breaks lines.
        let text: String = self.body.as_deref().unwrap_or_default().split_ascii_whitespace().collect();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| format!("the body cannot be read: {error}"))
    }

    pub fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers: Vec<_> = self.headers.iter().filter_map(|(name, value)| header(name, value)).collect();
        headers.extend(self.credentials()?.iter().filter_map(|(name, value)| header(name, value)));
        Ok(headers)
    }

    fn credentials(&self) -> Result<BTreeMap<String, String>, String> {
        let Some(sealed) = &self.sealed else { return Ok(BTreeMap::new()) };
        serde_json::from_str(&vault::open_hex(sealed)?).map_err(|error| error.to_string())
    }
}

/// The credentials of a request, in the forms in which a receiver may give them back.
pub fn hidden(event: &Event) -> Vec<Vec<u8>> {
    if !event.record.as_deref().is_some_and(|record| record.contains("\"sealed\"")) {
        return Vec::new();
    }
    let credentials = Direct::parse(event).and_then(|direct| direct.credentials()).unwrap_or_default();
    credentials.values().flat_map(|value| sealing::forms(value)).collect()
}

/// The guard of what the settings allow now.
pub fn guard() -> Guard {
    Guard::new(guc::allow_networks())
}
