//! Where a model finds its facts among the columns of a row, and where its verdict goes.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{AnyNumeric, FromDatum, IntoDatum};
use scoring::{Book, Score};
use serde_json::{Map, Value};

use super::models::Tenant;
use crate::capture::row;
use crate::error::raise;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn json_categorize_type(kind: pg_sys::Oid, is_jsonb: bool, category: *mut u32, output_function: *mut pg_sys::Oid);
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_jsonb(value: pg_sys::Datum, category: u32, output_function: pg_sys::Oid) -> pg_sys::Datum;
}

/// Names of columns; an empty one: there is none.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    pub model: &'a str,
    pub tenant: &'a str,
    pub score: &'a str,
    pub tier: &'a str,
    pub breakdown: &'a str,
}

impl<'a> Columns<'a> {
    /// # Safety
    /// `trigger` is one of an open relation.
    pub unsafe fn of_trigger(trigger: &'a pg_sys::Trigger) -> Columns<'a> {
        let argument = |n: i16| match n < trigger.tgnargs {
            // SAFETY: tgargs has tgnargs C strings.
            true => unsafe { CStr::from_ptr(*trigger.tgargs.add(n as usize)) }.to_str().unwrap_or_default(),
            false => "",
        };
        Columns {
            model: argument(0),
            tenant: argument(1),
            score: argument(2),
            tier: argument(3),
            breakdown: argument(4),
        }
    }

    fn names(&self) -> [&'a str; 5] {
        [self.model, self.tenant, self.score, self.tier, self.breakdown]
    }

    /// # Safety
    /// The values are of that description.
    pub unsafe fn tenant_of(&self, description: pg_sys::TupleDesc, values: &Values) -> Option<Tenant> {
        // SAFETY: as promised by the caller; a uuid is read as one.
        unsafe {
            let (column, kind) = find(description, self.tenant)?;
            let datum = values.get(column)?;
            (kind == pg_sys::UUIDOID).then(|| *datum.cast_mut_ptr::<Tenant>())
        }
    }
}

pub struct Shape {
    /// The model's and the columns'.
    names: [String; 5],
    kind: pg_sys::Oid,
    /// The very book, so that a shape is never used for another.
    book: Rc<Book>,
    place: usize,
    natts: i32,
    facts: Vec<Option<Fact>>,
    /// Names of ours and of facts that were no columns; one may have been renamed to it since.
    absent: Vec<String>,
    score: Option<usize>,
    tier: Option<usize>,
    breakdown: Option<usize>,
}

#[derive(Clone, Copy)]
struct Fact {
    column: usize,
    kind: pg_sys::Oid,
    category: u32,
    output_function: pg_sys::Oid,
}

thread_local! {
    static SHAPES: RefCell<Vec<Rc<Shape>>> = const { RefCell::new(Vec::new()) };
}

/// A session writes to few tables that have scores.
const KEPT: usize = 16;

impl Shape {
    /// # Safety
    /// The description is of a row type that is in use.
    pub unsafe fn of(columns: &Columns, description: pg_sys::TupleDesc, book: &Rc<Book>, place: usize) -> Rc<Shape> {
        // SAFETY: as promised by the caller.
        unsafe {
            let known = SHAPES.with_borrow(|shapes| {
                shapes.iter().find(|shape| shape.fits(columns, description, book, place)).cloned()
            });
            known.unwrap_or_else(|| {
                let shape = Rc::new(Shape::resolve(columns, description, book, place));
                SHAPES.with_borrow_mut(|shapes| {
                    if shapes.len() >= KEPT {
                        shapes.remove(0);
                    }
                    shapes.push(shape.clone());
                });
                shape
            })
        }
    }

    /// A table may be altered while a session runs: a column is never taken for one of another type or name.
    unsafe fn fits(&self, columns: &Columns, description: pg_sys::TupleDesc, book: &Rc<Book>, place: usize) -> bool {
        // SAFETY: as promised by the caller of of().
        unsafe {
            let names = self.book.columns(self.place);
            Rc::ptr_eq(&self.book, book)
                && self.place == place
                && self.kind == (*description).tdtypeid
                && self.natts == (*description).natts
                && self.names == columns.names()
                && self
                    .facts
                    .iter()
                    .zip(names)
                    .all(|(fact, name)| fact.is_none_or(|fact| is_column(description, fact.column, fact.kind, name)))
                && self.own().all(|(column, kind, name)| is_column(description, column, kind, name))
                && self.absent.iter().all(|name| find(description, name).is_none())
        }
    }

    unsafe fn resolve(columns: &Columns, description: pg_sys::TupleDesc, book: &Rc<Book>, place: usize) -> Shape {
        // SAFETY: as promised by the caller of of().
        unsafe {
            let own = [columns.score, columns.tier, columns.breakdown];
            let facts = book.columns(place).iter().map(|name| {
                let (column, kind) = find(description, name).filter(|_| !own.contains(&name.as_str()))?;
                let (mut category, mut output_function) = (0, pg_sys::InvalidOid);
                json_categorize_type(kind, true, &mut category, &mut output_function);
                Some(Fact { column, kind, category, output_function })
            });
            let facts: Vec<Option<Fact>> = facts.collect();
            let facts_absent = book.columns(place).iter().zip(&facts).filter(|(_, fact)| fact.is_none());
            let absent =
                facts_absent.map(|(name, _)| name.as_str()).chain(own.into_iter().filter(|name| !name.is_empty()));
            let absent = absent.filter(|name| find(description, name).is_none()).map(String::from).collect();
            Shape {
                names: columns.names().map(String::from),
                kind: (*description).tdtypeid,
                book: book.clone(),
                place,
                natts: (*description).natts,
                facts,
                absent,
                score: of_type(description, columns.score, pg_sys::NUMERICOID, "numeric"),
                tier: of_type(description, columns.tier, pg_sys::TEXTOID, "text"),
                breakdown: of_type(description, columns.breakdown, pg_sys::JSONBOID, "jsonb"),
            }
        }
    }

    /// The columns that the verdict goes to, with their types and names.
    fn own(&self) -> impl Iterator<Item = (usize, pg_sys::Oid, &str)> {
        let [_, _, score, tier, breakdown] = &self.names;
        let own = [
            (self.score, pg_sys::NUMERICOID, score),
            (self.tier, pg_sys::TEXTOID, tier),
            (self.breakdown, pg_sys::JSONBOID, breakdown),
        ];
        own.into_iter().filter_map(|(column, kind, name)| Some((column?, kind, name.as_str())))
    }

    /// In the order of the book's columns, each as to_jsonb() has it.
    ///
    /// # Safety
    /// The values are of the description that the shape was made for; the same holds for all that follow.
    pub unsafe fn facts(&self, values: &Values) -> Vec<Option<Value>> {
        let value = |fact: &Fact| match values.get(fact.column) {
            // SAFETY: as promised by the caller.
            Some(datum) => unsafe { fact.value(datum) },
            None => Value::Null,
        };
        self.facts.iter().map(|fact| fact.as_ref().map(value)).collect()
    }

    pub unsafe fn is_current(&self, values: &Values, score: &Score) -> bool {
        // SAFETY: as promised by the caller.
        unsafe { self.differing(values, score).iter().all(Option::is_none) }
    }

    /// The columns to change, numbered from 1, with their new values.
    pub unsafe fn changes(&self, values: &Values, wanted: &Score) -> Vec<(i16, Option<pg_sys::Datum>)> {
        // SAFETY: as promised by the caller.
        let [score, tier, breakdown] = unsafe { self.differing(values, wanted) };
        let number = |column: usize| column as i16 + 1;
        let mut changes = Vec::with_capacity(3);
        if let Some(column) = score {
            let numeric = AnyNumeric::try_from(wanted.score.to_string().as_str()).ok();
            changes.push((number(column), numeric.and_then(IntoDatum::into_datum)));
        }
        if let Some(column) = tier {
            changes.push((number(column), wanted.tier.and_then(IntoDatum::into_datum)));
        }
        if let Some(column) = breakdown {
            changes.push((number(column), jsonb(wanted.breakdown())));
        }
        changes
    }

    /// Of score, tier and breakdown those that are not as wanted.
    unsafe fn differing(&self, values: &Values, wanted: &Score) -> [Option<usize>; 3] {
        let other = |column: Option<usize>, is_same: &dyn Fn(Option<pg_sys::Datum>) -> bool| {
            column.filter(|column| !is_same(values.get(*column)))
        };
        // SAFETY: the columns are of the types that resolve() found them to be.
        unsafe {
            let score = other(self.score, &|datum| {
                datum.is_some_and(|datum| scoring::numeric(content(datum)) == Some(wanted.score))
            });
            let tier =
                other(self.tier, &|datum| datum.and_then(|datum| <&str>::from_datum(datum, false)) == wanted.tier);
            let breakdown =
                other(self.breakdown, &|datum| datum.is_some_and(|datum| wanted.is_stored_as(content(datum))));
            [score, tier, breakdown]
        }
    }
}

impl Fact {
    /// # Safety
    /// The datum is of the column's type.
    unsafe fn value(&self, datum: pg_sys::Datum) -> Value {
        // SAFETY: as promised by the caller.
        unsafe {
            match self.kind {
                pg_sys::TEXTOID | pg_sys::VARCHAROID => {
                    Value::from(<&str>::from_datum(datum, false).unwrap_or_default())
                }
                pg_sys::BOOLOID => Value::from(datum.value() != 0),
                pg_sys::INT2OID => Value::from(datum.value() as i16),
                pg_sys::INT4OID => Value::from(datum.value() as i32),
                pg_sys::INT8OID => Value::from(datum.value() as i64),
                pg_sys::JSONBOID if scoring::is_empty_object(content(datum)) => Value::Object(Map::new()),
                pg_sys::JSONBOID => row::to_value(datum),
                pg_sys::NUMERICOID => {
                    let text = printed(pg_sys::numeric_out, datum);
                    match filter::document(text) {
                        // NaN and infinity, which JSON has as texts.
                        Value::Null => Value::from(text),
                        number => number,
                    }
                }
                _ => row::to_value(datum_to_jsonb(datum, self.category, self.output_function)),
            }
        }
    }
}

/// A row's values by column, from 0.
pub struct Values {
    datums: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Values {
    /// # Safety
    /// The tuple is of that description.
    pub unsafe fn of(tuple: pg_sys::HeapTuple, description: pg_sys::TupleDesc) -> Values {
        // SAFETY: as promised by the caller; both arrays have a place for each column.
        unsafe {
            let count = (*description).natts as usize;
            let mut datums = vec![pg_sys::Datum::from(0_usize); count];
            let mut nulls = vec![true; count];
            pg_sys::heap_deform_tuple(tuple, description, datums.as_mut_ptr(), nulls.as_mut_ptr());
            Values { datums, nulls }
        }
    }

    fn get(&self, column: usize) -> Option<pg_sys::Datum> {
        (!self.nulls.get(column)?).then(|| self.datums[column])
    }
}

/// The bytes of a value of variable length, after its length.
///
/// # Safety
/// The datum is of such a type.
unsafe fn content<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: as promised by the caller; what is detoasted lives as long as the memory context of the call.
    unsafe { pgrx::varlena::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr())) }
}

/// `text` is a jsonb as PostgreSQL prints one.
fn jsonb(text: String) -> Option<pg_sys::Datum> {
    let text = CString::new(text).ok()?;
    // SAFETY: jsonb_in on a C string; what it returns does not point into it.
    unsafe {
        let argument = pg_sys::Datum::from(text.as_ptr());
        pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(argument)])
    }
}

type CFunction = unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

/// # Safety
/// `output` prints values of the datum's type.
unsafe fn printed<'a>(output: CFunction, datum: pg_sys::Datum) -> &'a str {
    // SAFETY: an output function returns a C string, in this memory context.
    unsafe { pgrx::direct_function_call::<&CStr>(output, &[Some(datum)]) }
        .and_then(|text| text.to_str().ok())
        .unwrap_or_default()
}

/// A column that is there, from 0, and its type.
unsafe fn find(description: pg_sys::TupleDesc, name: &str) -> Option<(usize, pg_sys::Oid)> {
    // SAFETY: columns are counted by natts.
    unsafe {
        (0..(*description).natts as usize).find_map(|column| {
            let attribute = attribute(description, column);
            (!attribute.attisdropped && is_called(attribute, name)).then_some((column, attribute.atttypid))
        })
    }
}

unsafe fn of_type(description: pg_sys::TupleDesc, name: &str, wanted: pg_sys::Oid, type_name: &str) -> Option<usize> {
    // SAFETY: as promised by the caller of Shape::of().
    let (column, kind) = unsafe { find(description, name) }?;
    if kind != wanted {
        raise(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            format!("column \"{name}\" is not of type {type_name}"),
            None,
            Some("A score is numeric, its tier text, its breakdown jsonb.".into()),
        );
    }
    Some(column)
}

unsafe fn attribute<'a>(description: pg_sys::TupleDesc, column: usize) -> &'a pg_sys::FormData_pg_attribute {
    // SAFETY: a description in use has natts columns, of which this is one.
    unsafe {
        let columns = &*description;
        &columns.attrs.as_slice(columns.natts as usize)[column]
    }
}

/// Is the column still the one of this name, and of this type?
unsafe fn is_column(description: pg_sys::TupleDesc, column: usize, kind: pg_sys::Oid, name: &str) -> bool {
    // SAFETY: as promised by the caller of Shape::of(), which has compared the number of columns.
    let attribute = unsafe { attribute(description, column) };
    !attribute.attisdropped && attribute.atttypid == kind && is_called(attribute, name)
}

fn is_called(attribute: &pg_sys::FormData_pg_attribute, name: &str) -> bool {
    // SAFETY: attname is NUL-terminated.
    unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_bytes() == name.as_bytes()
}
