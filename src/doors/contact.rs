//! Ways to reach people, in one spelling each.

use std::borrow::Cow;

use contact::ContactError;
use pgrx::prelude::*;

use crate::error::invalid;

#[pg_extern(sql = false)]
fn normalize_email(email: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_email(email?), strict)
}

#[pg_extern(sql = false)]
fn normalize_phone(phone: Option<&str>, country: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_phone(phone?, country), strict).map(|phone| phone.number)
}

#[pg_extern(sql = false)]
fn normalize_handle(handle: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_handle(handle?), strict)
}

#[pg_extern(sql = false)]
fn clean_line(value: &str) -> Option<String> {
    contact::clean_line(value).map(Cow::into_owned)
}

fn judged<T>(result: Result<Option<T>, ContactError>, strict: Option<bool>) -> Option<T> {
    match result {
        Ok(value) => value,
        Err(error) if strict == Some(true) => invalid(error.to_string(), Some(error.hint())),
        Err(_) => None,
    }
}
