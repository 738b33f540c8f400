//! One spelling for what a row says of people: a trigger function for any table.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::row::Row;
use super::row_before;
use crate::doors::contact::{line, number};
use crate::error::{OrReport, raise};

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_normalize_row() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk_internal.normalize_row(column, kind, column, kind ...)`: a BEFORE trigger for each row.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_normalize_row(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as row_before() says; the trigger's arguments are C strings.
    unsafe {
        let (trigger, row) = row_before(
            fcinfo,
            "normalize_row",
            "As in create trigger normalize before insert or update on customers for each row execute function frontdesk_internal.normalize_row('email', 'email', 'name', 'line 200').",
        );
        let rules = rules(&*trigger.tg_trigger, &row);
        let values = row.values();
        let mut changes = Vec::new();
        for rule in rules.iter() {
            let Some(datum) = values[rule.column as usize - 1] else { continue };
            let Some(text) = <&str>::from_datum(datum, false) else { continue };
            let normal = rule.normal(text);
            if let (Some(normal), Some(longest)) = (&normal, row.longest(rule.column))
                && normal.chars().count() > longest
            {
                // As an assignment to the column says it.
                raise(
                    PgSqlErrorCode::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
                    format!("value too long for type character varying({longest})"),
                    Some(format!("Normalized, {} is \"{normal}\".", rule.said[0])),
                    None,
                );
            }
            if normal.as_deref() != Some(text) {
                changes.push((rule.column, normal.and_then(|text| text.into_datum())));
            }
        }
        let kept = if changes.is_empty() { row } else { row.with(&changes) };
        (*fcinfo).isnull = false;
        pg_sys::Datum::from(kept.tuple())
    }
}

struct Rule {
    column: i16,
    /// The two arguments that it comes from.
    said: [String; 2],
    kind: Kind,
}

enum Kind {
    Email,
    Handle,
    Phone(Option<String>),
    International,
    Line(usize),
}

thread_local! {
    /// What the triggers of this session say, by their numbers.
    static RULES: RefCell<HashMap<pg_sys::Oid, Rc<[Rule]>>> = RefCell::default();
}

/// # Safety
/// The row is of the trigger's relation.
unsafe fn rules(trigger: &pg_sys::Trigger, row: &Row) -> Rc<[Rule]> {
    // SAFETY: as promised by the caller; a trigger's arguments are C strings.
    unsafe {
        let said = |n: usize| CStr::from_ptr(*trigger.tgargs.add(n)).to_str().unwrap_or_default();
        let count = trigger.tgnargs.max(0) as usize;
        // A trigger can be replaced, a column renamed or of another type, at any time.
        let holds = |rules: &Rc<[Rule]>| {
            rules.len() * 2 == count
                && rules.iter().enumerate().all(|(n, rule)| {
                    rule.said == [said(2 * n), said(2 * n + 1)]
                        && row.is_column(rule.column, &rule.said[0])
                        && is_text(row, rule.column)
                })
        };
        if let Some(rules) = RULES.with_borrow(|rules| rules.get(&trigger.tgoid).cloned()).filter(holds) {
            return rules;
        }
        let arguments: Vec<&str> = (0..count).map(said).collect();
        let rules: Rc<[Rule]> = arguments.chunks(2).map(|pair| Rule::read(pair, row)).collect();
        RULES.with_borrow_mut(|all| all.insert(trigger.tgoid, rules.clone()));
        rules
    }
}

impl Rule {
    /// # Safety
    /// The row has a relation's columns.
    unsafe fn read(pair: &[&str], row: &Row) -> Rule {
        let &[name, kind] = pair else { wrong(&format!("column \"{}\" has no kind", pair[0])) };
        // SAFETY: as promised by the caller.
        unsafe {
            let Some(column) = row.column(name) else { wrong(&format!("column \"{name}\" does not exist")) };
            if !is_text(row, column) {
                wrong(&format!("column \"{name}\" is not of type text"));
            }
            Rule { column, said: [name.into(), kind.into()], kind: Kind::read(kind) }
        }
    }

    fn normal<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        match &self.kind {
            Kind::Email => contact::normalize_email(text).or_report().map(Cow::from),
            Kind::Handle => contact::normalize_handle(text).or_report().map(Cow::from),
            Kind::Phone(country) => number(text, country.as_deref()).map(Cow::from),
            Kind::International if is_international(text) => number(text, None).map(Cow::from),
            Kind::International => Some(text.into()),
            Kind::Line(longest) => line(text, &self.said[0], *longest),
        }
    }
}

impl Kind {
    fn read(kind: &str) -> Kind {
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("email", "") => Kind::Email,
            ("handle", "") => Kind::Handle,
            ("phone", "") => Kind::Phone(None),
            ("phone", country) if country.len() == 2 => Kind::Phone(Some(country.into())),
            ("international", "") => Kind::International,
            ("line", "") => Kind::Line(0),
            ("line", longest) if longest.parse::<u16>().is_ok_and(|longest| longest > 0) => {
                Kind::Line(longest.parse().unwrap_or(0))
            }
            _ => wrong(&format!("kind \"{kind}\" is not known")),
        }
    }
}

/// # Safety
/// The row has this column.
unsafe fn is_text(row: &Row, column: i16) -> bool {
    // SAFETY: as promised by the caller.
    matches!(unsafe { row.type_of(column) }, pg_sys::TEXTOID | pg_sys::VARCHAROID)
}

/// A number with its country code and nothing else: no extension, no word.
fn is_international(text: &str) -> bool {
    text.starts_with('+') && text[1..].bytes().all(|byte| byte.is_ascii_digit() || b" -.()/".contains(&byte))
}

fn wrong(problem: &str) -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("frontdesk_internal.normalize_row(): {problem}"),
        Some("Its arguments are pairs: a column of type text, and a kind.".into()),
        Some("Kinds: email, handle, phone, phone MX (of numbers without country code), international (only those with one), line, line 200 (characters at the most).".into()),
    )
}
