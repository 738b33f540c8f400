//! What to capture of a table: read from the trigger's argument, once per session and table.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use filter::Filter;
use pgrx::prelude::*;
use serde::Deserialize;

use super::canonical::{self, Needs};
use super::event;
use super::fit::Fit;
use super::jsonb::Form;
use super::moved;
use crate::error::raise;

pub struct Watch {
    /// The letters of the operations that are events. A trigger of a partitioned table is fired by others, too.
    pub operations: String,
    /// What the trigger is a copy of.
    pub origin: Option<pg_sys::Oid>,
    pub entity: String,
    pub created: String,
    pub updated: String,
    pub deleted: String,
    pub source: String,
    pub state: Option<i16>,
    pub tenant: Option<i16>,
    /// Empty: all.
    pub columns: Vec<i16>,
    pub key: Vec<i16>,
    pub fit: Fit,
    /// What is recorded: the row without what is redacted. None where something that is to be redacted cannot be found.
    pub record: Option<Form>,
    /// And what it sees, which is all of the row.
    pub condition: Option<(Filter, Form)>,
    /// Settings that what is written of a row depends on.
    pub needs: Needs,
}

/// The argument as frontdesk.watch() writes it.
#[derive(Deserialize)]
struct Argument {
    entity: String,
    operations: Option<Vec<String>>,
    state: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    key: Option<Vec<String>>,
    #[serde(default)]
    redact: Vec<String>,
    condition: Option<serde_json::Value>,
    /// The numbers of the columns named above, when it was made.
    #[serde(default)]
    attnums: HashMap<String, i16>,
}

thread_local! {
    static WATCHES: RefCell<HashMap<(pg_sys::Oid, pg_sys::Oid), Rc<Watch>>> = RefCell::default();
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

impl Watch {
    /// # Safety
    /// `trigger` is what PostgreSQL passed to a trigger function.
    pub unsafe fn of(trigger: &pg_sys::TriggerData) -> Rc<Watch> {
        // SAFETY: relation and trigger are valid while the trigger runs.
        let key = unsafe { ((*trigger.tg_relation).rd_id, (*trigger.tg_trigger).tgoid) };
        if let Some(watch) = WATCHES.with_borrow(|watches| watches.get(&key).cloned()) {
            return watch;
        }
        listen();
        // SAFETY: as above.
        let watch = Rc::new(unsafe { Watch::resolve(trigger) });
        WATCHES.with_borrow_mut(|watches| watches.insert(key, watch.clone()));
        watch
    }

    unsafe fn resolve(trigger: &pg_sys::TriggerData) -> Watch {
        // SAFETY: tgargs has tgnargs C strings, as the relation cache holds them.
        let argument = unsafe {
            let trigger = &*trigger.tg_trigger;
            (trigger.tgnargs > 0).then(|| CStr::from_ptr(*trigger.tgargs).to_bytes())
        };
        // Whoever made the trigger: events of the engine's own are nobody's to record.
        let is_own = |entity: &str| !filter::is_reserved(entity) && filter::check_event_type(entity).is_ok();
        let argument = argument.and_then(|json| serde_json::from_slice::<Argument>(json).ok());
        let Some(argument) = argument.filter(|argument| is_own(&argument.entity)) else {
            raise(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "the argument of frontdesk_internal.capture() is not a watch",
                None,
                Some("Call frontdesk.watch('your_table'); it makes the trigger.".into()),
            );
        };
        // SAFETY: the relation is open and locked while the trigger runs.
        let (columns, source, primary_key, fit, record, whole) = unsafe {
            let relation = trigger.tg_relation;
            let columns = (*relation).rd_att;
            let (record, whole) = (Form::of(columns, &argument.redact), Form::of(columns, &[]));
            (Columns(columns), source_name(relation), primary_key(relation), Fit::of(columns), record, whole)
        };
        let state = argument.state.and_then(|name| columns.find(&name));
        let key = argument.key.map_or(primary_key, |names| columns.find_all(&names));
        // It was checked when it was declared; what this version cannot read filters nothing.
        let condition = argument.condition.and_then(|condition| Filter::parse(&condition).ok());
        let of_column = |column: &i16| columns.type_of(*column);
        // SAFETY: types of columns that are there.
        let written = unsafe { key.iter().chain(&state).filter_map(of_column).map(|kind| canonical::needs(kind)) };
        let needs = written.fold(record.needs | if condition.is_some() { whole.needs } else { 0 }, |a, b| a | b);
        // Nothing is sent of a row while it is not known what of it is secret.
        let is_safe = argument.redact.iter().all(|name| {
            columns.find(name).is_some() || argument.attnums.get(name).is_some_and(|number| columns.is_dropped(*number))
        });
        let letter = |operation: &String| operation.chars().next().map(|letter| letter.to_ascii_uppercase());
        Watch {
            operations: argument.operations.map_or("IUD".into(), |names| names.iter().filter_map(letter).collect()),
            // SAFETY: the trigger is valid while it runs.
            origin: unsafe { moved::origin(trigger.tg_trigger) },
            created: format!("{}.created", argument.entity),
            updated: format!("{}.updated", argument.entity),
            deleted: format!("{}.deleted", argument.entity),
            entity: argument.entity,
            source,
            state,
            // Its value is read as what it is to be, so it must be just that. An event of no tenant goes to no tenant's endpoint.
            tenant: argument
                .tenant
                .and_then(|name| columns.find(&name))
                .filter(|column| columns.type_of(*column) == Some(pg_sys::UUIDOID)),
            columns: columns.find_all(&argument.columns),
            key,
            fit,
            record: is_safe.then_some(record),
            condition: condition.map(|filter| (filter, whole)),
            needs,
        }
    }

    /// The type of an update to this state. Event types are dotted words, so what is no letter or digit becomes `_`.
    pub fn state_type(&self, state: Option<&str>) -> String {
        let word = filter::event_word(state.unwrap_or_default());
        if word.is_empty() { self.updated.clone() } else { format!("{}.{word}", self.entity) }
    }
}

struct Columns(pg_sys::TupleDesc);

impl Columns {
    /// The number of a column that is there; a watch whose column is gone goes on without it, and `frontdesk.watch` says so.
    fn find(&self, name: &str) -> Option<i16> {
        // SAFETY: the descriptor belongs to an open relation.
        let columns = unsafe { &*self.0 };
        // SAFETY: as above.
        let attributes = unsafe { columns.attrs.as_slice(columns.natts as usize) };
        attributes
            .iter()
            .find(|attribute| {
                // SAFETY: attname is NUL-terminated.
                !attribute.attisdropped
                    && unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_bytes() == name.as_bytes()
            })
            .map(|attribute| attribute.attnum)
    }

    fn attribute(&self, number: i16) -> Option<&pg_sys::FormData_pg_attribute> {
        // SAFETY: as above.
        let columns = unsafe { &*self.0 };
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        // SAFETY: as above.
        unsafe { columns.attrs.as_slice(columns.natts as usize) }.get(place)
    }

    fn type_of(&self, number: i16) -> Option<pg_sys::Oid> {
        self.attribute(number).filter(|attribute| !attribute.attisdropped).map(|attribute| attribute.atttypid)
    }

    fn is_dropped(&self, number: i16) -> bool {
        self.attribute(number).is_some_and(|attribute| attribute.attisdropped)
    }

    fn find_all(&self, names: &[String]) -> Vec<i16> {
        names.iter().filter_map(|name| self.find(name)).collect()
    }
}

/// The table that is watched: for a partition its root.
unsafe fn source_name(relation: pg_sys::Relation) -> String {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" {
        /// catalog/partition.h; not among pgrx's bindings.
        fn get_partition_ancestors(relid: pg_sys::Oid) -> *mut pg_sys::List;
    }
    // SAFETY: the relation is open; the list is of oids; names come from the caches as C strings in this memory context.
    unsafe {
        let mut oid = (*relation).rd_id;
        if (*(*relation).rd_rel).relispartition {
            let ancestors = get_partition_ancestors(oid);
            if let Some(last) = (!ancestors.is_null()).then(|| (*ancestors).length - 1).filter(|last| *last >= 0) {
                oid = (*(*ancestors).elements.add(last as usize)).oid_value;
            }
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(oid));
        let name = pg_sys::get_rel_name(oid);
        if schema.is_null() || name.is_null() {
            return String::new();
        }
        CStr::from_ptr(pg_sys::quote_qualified_identifier(schema, name)).to_string_lossy().into_owned()
    }
}

unsafe fn primary_key(relation: pg_sys::Relation) -> Vec<i16> {
    // SAFETY: the relation is open; an index that it names can be opened while it is locked.
    unsafe {
        let oid = pg_sys::RelationGetPrimaryKeyIndex(relation);
        if oid == pg_sys::InvalidOid {
            return Vec::new();
        }
        let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let form = &*(*index).rd_index;
        let columns = form.indkey.values.as_slice(form.indnkeyatts as usize).to_vec();
        pg_sys::index_close(index, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        columns
    }
}

/// Forget a watch when its table or trigger changes, and the log's partition when the log does.
pub fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: the callbacks are functions of this library, which is never unloaded.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(changed), pg_sys::Datum::from(0_usize));
            let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID as i32;
            pg_sys::CacheRegisterSyscacheCallback(schemas, Some(renamed), pg_sys::Datum::from(0_usize));
        }
    }
}

/// A schema may have another name, which is part of what an event says of its source.
#[pg_guard]
unsafe extern "C-unwind" fn renamed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    WATCHES.with_borrow_mut(HashMap::clear);
}

#[pg_guard]
unsafe extern "C-unwind" fn changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    WATCHES.with_borrow_mut(|watches| {
        if relation == pg_sys::InvalidOid {
            watches.clear();
        } else {
            watches.retain(|(watched, _), _| *watched != relation);
        }
    });
    event::changed(relation);
}
