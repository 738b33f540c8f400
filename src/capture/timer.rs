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
use super::row::{self, Row};
use crate::error::raise;
use crate::pg::role;

/// No calendar goes further than 100,000 years from 2000; infinity is no moment either.
const FURTHEST: i64 = 100_000 * 366 * 86_400 * 1_000_000;

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_timer_trigger() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk.timer_trigger()`: an AFTER trigger, for each row or for each TRUNCATE, whose argument is the rule as JSON.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_timer_trigger(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: fcinfo is valid for this call; its context is a TriggerData when called as a trigger.
    unsafe {
        let trigger = (*fcinfo).context.cast::<pg_sys::TriggerData>();
        if !pgrx::trigger_support::called_as_trigger(fcinfo)
            || (*trigger).tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_AFTER
        {
            raise(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "frontdesk.timer_trigger() is a function of AFTER triggers",
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
        let rule = Rule::of(trigger);
        let row = |tuple| Row::new(tuple, (*trigger.tg_relation).rd_att);
        match trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => {
                let new = row(trigger.tg_trigtuple);
                if let (Some(key), Some(moment)) = (new.key(&rule.key), rule.moment(&new)) {
                    rule.keep(key, Some(moment), false);
                }
            }
            pg_sys::TRIGGER_EVENT_UPDATE => rule.updated(row(trigger.tg_trigtuple), row(trigger.tg_newtuple)),
            pg_sys::TRIGGER_EVENT_DELETE => {
                if let Some(key) = row(trigger.tg_trigtuple).key(&rule.key) {
                    rule.forget(Some(key));
                }
            }
            _ => rule.forget(None),
        }
    }
}

struct Rule {
    id: i64,
    shift: String,
    timezone: String,
    /// The column, with its type; None: it is gone, and the rule says so.
    at: Option<(i16, pg_sys::Oid)>,
    key: Vec<i16>,
    condition: Option<(Filter, Form)>,
}

/// The argument as frontdesk.timer_install() writes it.
#[derive(Deserialize)]
struct Argument {
    rule: i64,
    at: String,
    key: Vec<String>,
    shift: String,
    timezone: String,
    condition: Option<serde_json::Value>,
}

thread_local! {
    static RULES: RefCell<HashMap<(pg_sys::Oid, pg_sys::Oid), Rc<Rule>>> = RefCell::default();
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static KEEP: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
    static FORGET: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
}

impl Rule {
    unsafe fn of(trigger: &pg_sys::TriggerData) -> Rc<Rule> {
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
        let rule = Rc::new(unsafe { Rule::resolve(trigger) });
        RULES.with_borrow_mut(|rules| rules.insert(key, rule.clone()));
        rule
    }

    unsafe fn resolve(trigger: &pg_sys::TriggerData) -> Rule {
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
                "the argument of frontdesk.timer_trigger() is not a rule",
                None,
                Some("Call frontdesk.remind(); it makes the trigger.".into()),
            );
        };
        let find = |name: &String| {
            attributes.iter().find(|attribute| {
                // SAFETY: attname is NUL-terminated.
                !attribute.attisdropped
                    && unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_bytes() == name.as_bytes()
            })
        };
        let condition = argument.condition.and_then(|condition| Filter::parse(&condition).ok());
        // SAFETY: as above.
        let condition = condition.map(|filter| (filter, unsafe { Form::of((*trigger.tg_relation).rd_att, &[]) }));
        Rule {
            id: argument.rule,
            at: find(&argument.at).map(|attribute| (attribute.attnum, attribute.atttypid)),
            key: argument.key.iter().filter_map(|name| find(name).map(|attribute| attribute.attnum)).collect(),
            shift: argument.shift,
            timezone: argument.timezone,
            condition,
        }
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
                pg_sys::DATEOID if i64::from(datum.value() as i32).abs() < FURTHEST / 86_400_000_000 => {
                    pg_sys::Datum::from(i64::from(datum.value() as i32) * 86_400_000_000)
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
        Some(moment.value() as i64).filter(|micros| micros.checked_abs().is_some_and(|far| far < FURTHEST))
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
                self.forget(Some(old_key));
            }
            if before.is_some() || after.is_some() {
                self.keep(key, after, true);
            }
        }
    }

    fn keep(&self, key: String, moment: Option<i64>, existed: bool) {
        let moment = moment.and_then(|micros| TimestampWithTimeZone::try_from(micros).ok());
        let (shift, timezone) = (self.shift.as_str(), self.timezone.as_str());
        call(
            &KEEP,
            "timer_keep",
            &[self.id.into(), key.into(), moment.into(), shift.into(), timezone.into(), existed.into()],
        );
    }

    /// None: all rows.
    fn forget(&self, key: Option<String>) {
        call(&FORGET, "timer_forget", &[self.id.into(), key.into()]);
    }
}

type Plan = std::thread::LocalKey<RefCell<Option<OwnedPreparedStatement>>>;

/// Calls a verb with the rights of the extension: who changes the row has none on its timer.
fn call(plan: &'static Plan, verb: &str, args: &[DatumWithOid]) {
    let outcome = role::as_extension(|| {
        Spi::connect_mut(|client| {
            if plan.with_borrow(Option::is_none) {
                let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
                let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
                let query = format!("select frontdesk.{verb}({})", marks.join(", "));
                plan.set(Some(client.prepare_mut(query.as_str(), &types)?.keep()));
            }
            plan.with_borrow(|plan| match plan {
                Some(plan) => client.update(plan, None, args).map(|_| ()),
                None => Ok(()),
            })
        })
    });
    if let Err(error) = outcome {
        raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, error.to_string(), None, None);
    }
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
