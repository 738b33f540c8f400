//! Secrets at rest: sealed with a key from a file or the environment, never from a setting's value.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sealing::Key;

use crate::{ffi, guc};

/// The key, when there is one; an error says what is wrong with the file.
pub fn key() -> Result<Option<Key>, String> {
    if let Some(path) = guc::secret_key_file() {
        return key_of(&path).map(Some).map_err(|error| format!("frontdesk.secret_key_file: {error}"));
    }
    match std::env::var("PG_FRONTDESK_SECRET_KEY") {
        Ok(key) => Key::derive(key.as_bytes()).map(Some).map_err(|error| format!("PG_FRONTDESK_SECRET_KEY: {error}")),
        Err(_) => Ok(None),
    }
}

fn key_of(path: &str) -> Result<Key, String> {
    let content = std::fs::read(path).map_err(|error| format!("cannot read the key: {error}"))?;
    Key::derive(&content).map_err(|error| error.to_string())
}

const WHICH_KEY: &str = "The present key is that of frontdesk.secret_key_file or PG_FRONTDESK_SECRET_KEY; name the file of the one before it.";

/// Sealed with the present key, whether it was with that, with the one of `old_key_file` or not at all. `whose`: for the error.
pub fn reseal(sealed: &[u8], old_key_file: Option<&str>, whose: &str) -> Vec<u8> {
    fn refuse(code: PgSqlErrorCode, reason: impl Into<String>) -> ! {
        crate::error::raise(code, reason, None, Some(WHICH_KEY.into()))
    }
    let present = match key() {
        Ok(Some(key)) => key,
        Ok(None) => refuse(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no key is set to encrypt with"),
        Err(reason) => refuse(PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR, reason),
    };
    let before = old_key_file.map(|path| {
        key_of(path).unwrap_or_else(|reason| {
            refuse(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, format!("old_key_file: {reason}"))
        })
    });
    let opened = sealing::open(Some(&present), sealed)
        .or_else(|error| sealing::open(Some(before.as_ref().ok_or(error)?), sealed));
    match opened {
        Ok(plain) => present.seal(&plain, ffi::random()),
        Err(reason) => {
            refuse(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, format!("a secret of {whose}: {reason}"))
        }
    }
}

/// Sealed when there is a key; else as it is, after a warning once per session.
pub fn seal(plain: &str) -> Vec<u8> {
    match key() {
        Ok(Some(key)) => key.seal(plain.as_bytes(), ffi::random()),
        Ok(None) => {
            warn_once();
            sealing::keep_plain(plain.as_bytes())
        }
        Err(reason) => crate::error::raise(
            PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
            reason,
            None,
            Some("The file holds at least 16 bytes and is readable by the server's user only.".into()),
        ),
    }
}

pub fn open(sealed: &[u8]) -> Result<String, String> {
    let bytes = sealing::open(key()?.as_ref(), sealed).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "the secret is not text".into())
}

/// The same of what is written in hexadecimal digits, as the engine reads it.
pub fn open_hex(sealed: &str) -> Result<String, String> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    let bytes: Vec<u8> = sealed.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    open(&bytes)
}

fn warn_once() {
    thread_local!(static WARNED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if !WARNED.replace(true) {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "secrets are stored unencrypted: frontdesk.secret_key_file is not set",
            "pg_frontdesk",
        )
        .set_hint("Set frontdesk.secret_key_file to a file with a random key, or PG_FRONTDESK_SECRET_KEY in the server's environment; only the owner of the extension can read the table.")
        .report(PgLogLevel::WARNING);
    }
}
