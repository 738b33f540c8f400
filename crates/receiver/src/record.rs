//! One request as it came, in memory and as a JSON line.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Uri};
use serde::{Deserialize, Serialize};

use crate::tally::unix_us;

/// A request as it came; taken apart only when somebody asks.
pub(crate) struct Seen {
    pub(crate) at: SystemTime,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `None`: there is no secret to verify with
    pub(crate) verified: Option<bool>,
}

/// A request as it is recorded and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// microseconds since 1970
    pub at_unix_us: u64,
    pub method: String,
    /// with the query
    pub path: String,
    #[serde(rename = "webhook-id")]
    pub id: Option<String>,
    #[serde(rename = "webhook-timestamp")]
    pub timestamp: Option<String>,
    pub verified: Option<bool>,
    /// several of one name are joined with `, `
    pub headers: BTreeMap<String, String>,
    /// bytes that are not UTF-8 are replaced
    pub body: String,
}

impl Seen {
    pub(crate) fn id(&self) -> Option<&str> {
        self.header("webhook-id")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn record(&self) -> Record {
        let mut headers = BTreeMap::new();
        for (name, value) in &self.headers {
            let joined: &mut String = headers.entry(name.to_string()).or_default();
            if !joined.is_empty() {
                joined.push_str(", ");
            }
            joined.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        Record {
            at_unix_us: unix_us(self.at),
            method: self.method.to_string(),
            path: self.uri.path_and_query().map_or(String::new(), |path| path.to_string()),
            id: self.id().map(str::to_owned),
            timestamp: self.header("webhook-timestamp").map(str::to_owned),
            verified: self.verified,
            headers,
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

/// Where records are written, a line each.
pub(crate) enum Log {
    Stdout,
    File(File),
}

impl Log {
    pub(crate) fn open(path: &Path) -> io::Result<Log> {
        match path.to_str() {
            Some("-") => Ok(Log::Stdout),
            _ => Ok(Log::File(OpenOptions::new().create(true).append(true).open(path)?)),
        }
    }

    /// One write per line, so that a reader never sees half of one.
    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        match self {
            Log::Stdout => io::stdout().lock().write_all(&line),
            Log::File(file) => file.write_all(&line),
        }
    }
}
