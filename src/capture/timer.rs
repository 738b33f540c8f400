//! The trigger function of a reminder: a row's timer follows the row, in the same transaction.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use filter::Filter;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::OwnedPreparedStatement;
use serde::Deserialize;

use super::jsonb::Form;
use super::moved;
use super::row::{self, Row};
use crate::error::{raise, worked};
use crate::pg::role;

/// Moments from 4000 BC to the year 100,000: far from what a timestamp can be, so that no offset leads out of it. Infinity is
/// no moment either.
const EARLIEST: i64 = -5_990 * YEAR;
const LATEST: i64 = 98_000 * YEAR;
const YEAR: i64 = 365 * DAY;
const DAY: i64 = 86_400 * 1_000_000;

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_timer_trigger() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk_internal.timer_trigger()`: an AFTER trigger, for each row or for each TRUNCATE. Its argument says which rule; what the rule
/// is stands in the table of rules, and of what type a column is in the catalog.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_timer_trigger(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: fcinfo is valid for this call; its context is a TriggerData when called as a trigger.
    unsafe {
        let trigger = (*fcinfo).context.cast::<pg_sys::TriggerData>();
        if !pgrx::trigger_support::called_as_trigger(fcinfo) || !super::is_after((*trigger).tg_event) {
            raise(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "frontdesk_internal.timer_trigger() is a function of AFTER triggers, for each row or for TRUNCATE",
                None,
                Some("Call frontdesk.remind(); it makes the trigger.".into()),
            );
        }
        follow(&*trigger);
        (*fcinfo).isnull = false;
        pg_sys::Datum::from(0_usize)
    }
}

/// # Safety
/// `trigger` is what PostgreSQL passed to a trigger function.
unsafe fn follow(trigger: &pg_sys::TriggerData) {
    // SAFETY: the relation and the tuples are valid while the trigger runs; which of them are there is said by tg_event.
    unsafe {
        let Some(rule) = Rule::of(trigger) else { return };
        let row = |tuple| Row::new(tuple, (*trigger.tg_relation).rd_att);
        let moved = moved::came_from(trigger, rule.origin);
        match trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => {
                let new = row(trigger.tg_trigtuple);
                if let Some(old) = moved {
                    rule.updated(old, new);
                } else if let (Some(key), Some(moment)) = (new.key(&rule.key), rule.moment(&new)) {
                    rule.keep(key, Some(moment), false);
                }
            }
            pg_sys::TRIGGER_EVENT_UPDATE => rule.updated(row(trigger.tg_trigtuple), row(trigger.tg_newtuple)),
            pg_sys::TRIGGER_EVENT_DELETE => {
                let same = rule.clone();
                if !moved::leaves(trigger, rule.origin, move |row| same.deleted(row)) {
                    rule.deleted(row(trigger.tg_trigtuple));
                }
            }
            _ => rule.forget(None),
        }
    }
}

struct Rule {
    id: i64,
    /// What the trigger is a copy of.
    origin: Option<pg_sys::Oid>,
    shift: String,
    timezone: String,
    /// The column, with its type; None: it is gone, and the rule says so.
    at: Option<(i16, pg_sys::Oid)>,
    key: Vec<i16>,
    condition: Option<(Filter, Form)>,
}

/// Of the argument, which rule.
#[derive(Deserialize)]
struct Argument {
    rule: i64,
}

/// The rule as frontdesk.timer_config() writes it.
#[derive(Deserialize)]
struct Config {
    at: String,
    key: Vec<String>,
    shift: String,
    timezone: String,
    condition: Option<serde_json::Value>,
}

type TableAndTrigger = (pg_sys::Oid, pg_sys::Oid);

thread_local! {
    /// By table and trigger; None: there is no such rule.
    static RULES: RefCell<HashMap<TableAndTrigger, Option<Rc<Rule>>>> = RefCell::default();
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static CONFIG: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
    static KEEP: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
    static REKEY: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
    static FORGET: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
}

impl Rule {
    unsafe fn of(trigger: &pg_sys::TriggerData) -> Option<Rc<Rule>> {
        // SAFETY: relation and trigger are valid while the trigger runs.
        let key = unsafe { ((*trigger.tg_relation).rd_id, (*trigger.tg_trigger).tgoid) };
        if let Some(rule) = RULES.with_borrow(|rules| rules.get(&key).cloned()) {
            return rule;
        }
        if !LISTENING.replace(true) {
            // SAFETY: the callback is a function of this library, which is never unloaded.
            unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(changed), pg_sys::Datum::from(0_usize)) };
        }
        // SAFETY: as above.
        let rule = unsafe { Rule::resolve(trigger) }.map(Rc::new);
        RULES.with_borrow_mut(|rules| rules.insert(key, rule.clone()));
        rule
    }

    unsafe fn resolve(trigger: &pg_sys::TriggerData) -> Option<Rule> {
        // SAFETY: tgargs has tgnargs C strings; the descriptor belongs to the open relation.
        let (argument, attributes) = unsafe {
            let argument = (*trigger.tg_trigger).tgnargs > 0;
            let argument = argument.then(|| CStr::from_ptr(*(*trigger.tg_trigger).tgargs).to_bytes());
            let columns = (*trigger.tg_relation).rd_att;
            let attributes = &(*columns).attrs;
            (argument, attributes.as_slice((*columns).natts as usize))
        };
        let Some(argument) = argument.and_then(|json| serde_json::from_slice::<Argument>(json).ok()) else {
            raise(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "the argument of frontdesk_internal.timer_trigger() is not a rule",
                None,
                Some("Call frontdesk.remind(); it makes the trigger.".into()),
            );
        };
        // SAFETY: the relation is open.
        let relation = unsafe { (*trigger.tg_relation).rd_id };
        let Some(config) = config(argument.rule, relation) else {
            warning!(
                "frontdesk_internal.timer_trigger(): there is no reminder {}; call frontdesk.remind() again",
                argument.rule
            );
            return None;
        };
        let Ok(config) = serde_json::from_str::<Config>(&config) else {
            raise(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                format!("reminder {} is not one of this table", argument.rule),
                None,
                Some("Drop the trigger. Call frontdesk.remind(); it makes its own.".into()),
            );
        };
        let find = |name: &String| {
            attributes.iter().find(|attribute| {
                // SAFETY: attname is NUL-terminated.
                !attribute.attisdropped
                    && unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_bytes() == name.as_bytes()
            })
        };
        let condition = config.condition.and_then(|condition| Filter::parse(&condition).ok());
        // SAFETY: as above.
        let condition = condition.map(|filter| (filter, unsafe { Form::of((*trigger.tg_relation).rd_att, &[]) }));
        let key: Vec<i16> = config.key.iter().filter_map(|name| find(name).map(|attribute| attribute.attnum)).collect();
        Some(Rule {
            id: argument.rule,
            // SAFETY: the trigger is valid while it runs.
            origin: unsafe { moved::origin(trigger.tg_trigger) },
            at: find(&config.at).map(|attribute| (attribute.attnum, attribute.atttypid)),
            // Part of a key is none.
            key: if key.len() == config.key.len() { key } else { Vec::new() },
            shift: config.shift,
            timezone: config.timezone,
            condition,
        })
    }

    /// What the row's timer is about; None: it is to have none.
    ///
    /// # Safety
    /// `row` is of the relation that the rule was resolved against.
    unsafe fn moment(&self, row: &Row) -> Option<i64> {
        // SAFETY: the column exists, and its value is of the type that the relation says.
        unsafe {
            let (column, kind) = self.at?;
            let datum = row.datum(column)?;
            let local = match kind {
                pg_sys::TIMESTAMPTZOID => return self.within(datum).filter(|_| self.holds(row)),
                pg_sys::TIMESTAMPOID => datum,
                // Infinity is the least and the greatest date.
                pg_sys::DATEOID if (EARLIEST / DAY..LATEST / DAY).contains(&i64::from(datum.value() as i32)) => {
                    pg_sys::Datum::from(i64::from(datum.value() as i32) * DAY)
                }
                _ => return None,
            };
            self.within(local)?;
            let zone = self.timezone.as_str().into_datum();
            let moment = pgrx::direct_function_call_as_datum(pg_sys::timestamp_zone, &[zone, Some(local)])?;
            self.within(moment).filter(|_| self.holds(row))
        }
    }

    fn within(&self, moment: pg_sys::Datum) -> Option<i64> {
        Some(moment.value() as i64).filter(|micros| (EARLIEST..LATEST).contains(micros))
    }

    unsafe fn holds(&self, row: &Row) -> bool {
        // SAFETY: as promised by the caller.
        let matches =
            |(condition, whole): &(Filter, Form)| condition.matches(&unsafe { row::to_value(whole.write(row)) });
        self.condition.as_ref().is_none_or(matches)
    }

    unsafe fn updated(&self, old: Row, new: Row) {
        // SAFETY: as promised by the caller.
        unsafe {
            let (Some((column, _)), Some(key)) = (self.at, new.key(&self.key)) else { return };
            let same_key = self.key.iter().all(|column| new.same(&old, *column));
            let same_moment = same_key && new.same(&old, column);
            if same_moment && self.condition.is_none() {
                return;
            }
            let (before, after) = (self.moment(&old), self.moment(&new));
            if same_moment && before == after {
                return;
            }
            if !same_key && let Some(old_key) = old.key(&self.key) {
                self.rekey(old_key, key.clone());
            }
            if before.is_some() || after.is_some() {
                self.keep(key, after, true);
            }
        }
    }

    unsafe fn deleted(&self, row: Row) {
        // SAFETY: as promised by the caller.
        if let Some(key) = unsafe { row.key(&self.key) } {
            self.forget(Some(key));
        }
    }

    fn keep(&self, key: String, moment: Option<i64>, existed: bool) {
        let moment = moment.and_then(|micros| TimestampWithTimeZone::try_from(micros).ok());
        let (shift, timezone) = (self.shift.as_str(), self.timezone.as_str());
        call::<()>(
            &KEEP,
            "frontdesk_internal.timer_keep",
            &[self.id.into(), key.into(), moment.into(), shift.into(), timezone.into(), existed.into()],
        );
    }

    fn rekey(&self, old: String, new: String) {
        call::<()>(&REKEY, "frontdesk_internal.timer_rekey", &[self.id.into(), old.into(), new.into()]);
    }

    /// None: all rows.
    fn forget(&self, key: Option<String>) {
        call::<()>(&FORGET, "frontdesk_internal.timer_forget", &[self.id.into(), key.into()]);
    }
}

/// As JSON. None: there is no such rule; nothing: it is one of another table.
fn config(rule: i64, relation: pg_sys::Oid) -> Option<String> {
    call(&CONFIG, "frontdesk_internal.timer_config", &[rule.into(), relation.into()])
}

type Plan = std::thread::LocalKey<RefCell<Option<OwnedPreparedStatement>>>;

/// Calls a verb with the rights of the extension: who changes the row has none on its timer.
fn call<T: FromDatum + IntoDatum>(plan: &'static Plan, verb: &str, args: &[DatumWithOid]) -> Option<T> {
    worked(role::as_extension(|| {
        Spi::connect_mut(|client| {
            if plan.with_borrow(Option::is_none) {
                let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
                let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
                let query = format!("select {verb}({})", marks.join(", "));
                plan.set(Some(client.prepare_mut(query.as_str(), &types)?.keep()));
            }
            plan.with_borrow(|plan| match plan {
                Some(plan) => client.update(plan, Some(1), args)?.first().get::<T>(1),
                None => Ok(None),
            })
        })
    }))
}

/// Forget a rule when its table or trigger changes.
#[pg_guard]
unsafe extern "C-unwind" fn changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    RULES.with_borrow_mut(|rules| {
        if relation == pg_sys::InvalidOid {
            rules.clear();
        } else {
            rules.retain(|(table, _), _| *table != relation);
        }
    });
}
