//! A row's score: the trigger function that keeps it, and the question whether it is still right.

pub mod models;
mod shape;

use pgrx::pg_sys;
use pgrx::prelude::*;
use scoring::Score;

use self::models::Otherwise;
use self::shape::{Columns, Shape, Values};
use super::row_before;

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_keep_score() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk_internal.keep_score(model, tenant column, score column, tier column, breakdown column)`: a BEFORE trigger for each row.
/// The last four may be empty.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_keep_score(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as row_before() says.
    unsafe {
        let (trigger, row) =
            row_before(fcinfo, "keep_score", "Call frontdesk.keep_scores('your_table'); it makes the trigger.");
        let (tuple, description) = (row.tuple(), (*trigger.tg_relation).rd_att);
        let columns = Columns::of_trigger(&*trigger.tg_trigger);
        // What a table's scores are made of is its owner's business, whoever writes the row.
        let owner = (*(*trigger.tg_relation).rd_rel).relowner;
        let kept = judged(&columns, owner, tuple, description, |shape, values, score| {
            let changes = shape.changes(values, score);
            match changes.is_empty() {
                true => tuple,
                false => row.with(&changes).tuple(),
            }
        });
        (*fcinfo).isnull = false;
        pg_sys::Datum::from(kept.unwrap_or(tuple))
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_score_is_stale() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk.score_is_stale(source record, model text, tenant_column text, score_column text, tier_column text,
/// breakdown_column text)`, strict.
///
/// # Safety
/// Called by PostgreSQL's function manager with arguments of these types.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_score_is_stale(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as said above; a composite datum names its row type.
    unsafe {
        let Some(datum) = pgrx::pg_getarg_datum(fcinfo, 0) else { return pg_sys::Datum::from(false) };
        let text = |n| pgrx::pg_getarg::<&str>(fcinfo, n).unwrap_or_default();
        let columns = Columns { model: text(1), tenant: text(2), score: text(3), tier: text(4), breakdown: text(5) };
        let header = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let (kind, modifier) = ((*header).t_choice.t_datum.datum_typeid, (*header).t_choice.t_datum.datum_typmod);
        let description = pg_sys::lookup_rowtype_tupdesc(kind, modifier);
        let mut tuple = pg_sys::HeapTupleData {
            t_len: ((*header).t_choice.t_datum.datum_len_ as u32) >> 2,
            t_data: header,
            ..Default::default()
        };
        let role = pg_sys::GetUserId();
        let stale =
            judged(&columns, role, &mut tuple, description, |shape, values, score| !shape.is_current(values, score));
        if (*description).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(description);
        }
        pg_sys::Datum::from(stale.unwrap_or(false))
    }
}

/// Scores a row with the models that a role may use. `None` where there is no such model: what cannot be scored is left as it is.
///
/// # Safety
/// The tuple is of that description.
unsafe fn judged<T>(
    columns: &Columns,
    role: pg_sys::Oid,
    tuple: pg_sys::HeapTuple,
    description: pg_sys::TupleDesc,
    then: impl FnOnce(&Shape, &Values, &Score) -> T,
) -> Option<T> {
    // SAFETY: as promised by the caller.
    unsafe {
        let values = Values::of(tuple, description);
        let models = models::current();
        let tenant = columns.tenant_of(description, &values);
        let book = models.book(tenant, role, Otherwise::Everybodys).ok()?;
        let place = book.place(columns.model)?;
        let shape = Shape::of(columns, description, &book, place);
        let facts = scoring::Facts::new(book.columns(place), shape.facts(&values));
        let score = book.score(place, &facts, models.now);
        Some(then(&shape, &values, &score))
    }
}
