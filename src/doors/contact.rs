//! Ways to reach people, in one spelling each.

use std::borrow::Cow;

use contact::ContactError;
use pgrx::prelude::*;

use crate::error::{OrReport, raise};

#[pg_extern(sql = false)]
fn normalize_email(email: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_email(email?), strict)
}

#[pg_extern(sql = false)]
fn normalize_phone(phone: Option<&str>, country: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_phone(phone?, country), strict).map(|phone| phone.number)
}

#[pg_extern(sql = false)]
fn phone_key(phone: &str) -> Option<String> {
    contact::phone_key(phone)
}

#[pg_extern(sql = false)]
fn phone_spellings(phone: &str) -> Vec<String> {
    contact::phone_spellings(phone)
}

#[pg_extern(sql = false)]
fn normalize_handle(handle: Option<&str>, strict: Option<bool>) -> Option<String> {
    judged(contact::normalize_handle(handle?), strict)
}

#[pg_extern(sql = false)]
fn clean_line(value: &str, field: &str, longest: i32) -> Option<String> {
    line(value, field, usize::try_from(longest).unwrap_or(0)).map(Cow::into_owned)
}

/// `longest` is in characters, and no line is that long; 0 for any.
pub fn line<'a>(value: &'a str, field: &str, longest: usize) -> Option<Cow<'a, str>> {
    let line = contact::clean_line(value)?;
    if longest > 0 && line.len() > longest && line.chars().count() > longest {
        raise(
            PgSqlErrorCode::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
            format!("{field} is longer than {longest} characters"),
            Some(format!("It has {}.", line.chars().count())),
            Some("Shorten it, or put it where long text belongs.".into()),
        );
    }
    Some(line)
}

pub fn number(phone: &str, country: Option<&str>) -> Option<String> {
    contact::normalize_phone(phone, country).or_report().map(|phone| phone.number)
}

fn judged<T>(result: Result<Option<T>, ContactError>, strict: Option<bool>) -> Option<T> {
    if strict == Some(true) { result.or_report() } else { result.ok().flatten() }
}
