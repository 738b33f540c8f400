//! A row as jsonb, as `to_jsonb(row)` has it, in one pass: the order of its keys and how each column is written are found
//! once for a relation. The layout is that of utils/jsonb.h, which pg_upgrade keeps.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::canonical::{self, Needs};
use super::fit::Fitted;
use super::row::Row;

const STRING: u32 = 0;
const NUMERIC: u32 = 0x1000_0000;
const FALSE: u32 = 0x2000_0000;
const TRUE: u32 = 0x3000_0000;
const NULL: u32 = 0x4000_0000;
const CONTAINER: u32 = 0x5000_0000;
/// Which of these an entry is.
const KIND: u32 = 0x7000_0000;
/// An entry with the end of its data, where the others have the length.
const HAS_OFFSET: u32 = 0x8000_0000;
/// How many entries there are for each with an offset.
const STRIDE: usize = 32;
const OBJECT: u32 = 0x2000_0000;
const ARRAY: u32 = 0x4000_0000;
const SCALAR: u32 = 0x1000_0000;
/// The length of the varlena, the header of the container, and each entry take a word.
const WORD: usize = 4;
/// MAXDATELEN of datatype/timestamp.h, and its end.
const MOMENT: usize = 129;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn json_categorize_type(of_type: pg_sys::Oid, jsonb: bool, category: *mut u32, output: *mut pg_sys::Oid);
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_jsonb(value: pg_sys::Datum, category: u32, output: pg_sys::Oid) -> pg_sys::Datum;
    /// utils/numeric.h; not among pgrx's bindings.
    fn int64_to_numeric(value: i64) -> *mut pg_sys::varlena;
}

/// The key under which a record says which columns it does not have.
const LEFT_OUT: &str = "_truncated";

/// How the rows of a relation are written.
pub struct Form {
    /// With the keys.
    beginning: Writer,
    /// In the order of the keys.
    columns: Vec<Field>,
    /// Settings that the text of values depends on.
    pub needs: Needs,
}

#[derive(Clone)]
struct Field {
    name: Vec<u8>,
    column: i16,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Text,
    Int2,
    Int4,
    Int8,
    Numeric,
    /// In UTC, whatever the session's time zone.
    Moment,
    Jsonb,
    /// As PostgreSQL does it.
    Other {
        category: u32,
        output: pg_sys::Oid,
    },
    /// The same for a type of somebody's own, for which a cast to json may be made at any time.
    Own(pg_sys::Oid),
}

impl Kind {
    unsafe fn of(of_type: pg_sys::Oid) -> Kind {
        // SAFETY: the type of a column that is there.
        match unsafe { pg_sys::getBaseType(of_type) } {
            pg_sys::BOOLOID => Kind::Bool,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Kind::Text,
            pg_sys::INT2OID => Kind::Int2,
            pg_sys::INT4OID => Kind::Int4,
            pg_sys::INT8OID => Kind::Int8,
            pg_sys::NUMERICOID => Kind::Numeric,
            pg_sys::TIMESTAMPTZOID => Kind::Moment,
            pg_sys::JSONBOID => Kind::Jsonb,
            _ if of_type.to_u32() >= pg_sys::FirstNormalObjectId => Kind::Own(of_type),
            _ => {
                let (mut category, mut output) = (0, pg_sys::InvalidOid);
                // SAFETY: as above.
                unsafe { json_categorize_type(of_type, true, &mut category, &mut output) };
                Kind::Other { category, output }
            }
        }
    }
}

impl Form {
    /// # Safety
    /// `description` belongs to an open relation. `without` are names of columns that are left out.
    pub unsafe fn of(description: pg_sys::TupleDesc, without: &[String]) -> Form {
        // SAFETY: as promised by the caller; names are NUL-terminated.
        unsafe {
            let attributes = (*description).attrs.as_slice((*description).natts as usize);
            let name = |a: &pg_sys::FormData_pg_attribute| CStr::from_ptr(a.attname.data.as_ptr()).to_bytes().to_vec();
            let mut needs = 0;
            let mut fields = Vec::with_capacity(attributes.len());
            for attribute in attributes.iter().filter(|attribute| !attribute.attisdropped) {
                let name = name(attribute);
                if without.iter().any(|other| other.as_bytes() == name) {
                    continue;
                }
                let kind = Kind::of(attribute.atttypid);
                if let Kind::Other { .. } | Kind::Own(_) = kind {
                    needs |= canonical::needs(attribute.atttypid);
                }
                // A name is written as it is, whatever bytes it has.
                fields.push((name, attribute.attnum, kind));
            }
            fields.sort_by(|(a, ..), (b, ..)| a.len().cmp(&b.len()).then(a.cmp(b)));
            let beginning = Writer::beginning(fields.iter().map(|(name, ..)| name.as_slice()));
            let field = |(name, column, kind)| Field { name, column, kind };
            Form { beginning, columns: fields.into_iter().map(field).collect(), needs }
        }
    }

    /// The row, and which of its columns are left out.
    ///
    /// # Safety
    /// The row is of the relation.
    pub unsafe fn write_fitted(&self, fitted: &Fitted) -> pg_sys::Datum {
        let left_out = self.names(&fitted.left_out);
        // SAFETY: as promised by the caller.
        unsafe { if left_out.is_empty() { self.write(&fitted.row) } else { self.write_with(&fitted.row, &left_out) } }
    }

    /// # Safety
    /// `row` is of the relation.
    pub unsafe fn write(&self, row: &Row) -> pg_sys::Datum {
        let mut writer = self.beginning.clone();
        // SAFETY: as promised by the caller; each value is of its column's type.
        unsafe {
            let values = row.values();
            for field in &self.columns {
                writer.value(field.kind, values[field.column as usize - 1]);
            }
            writer.finish()
        }
    }

    /// The same with a key more, in its place among the others, that names the columns left out.
    unsafe fn write_with(&self, row: &Row, left_out: &[&[u8]]) -> pg_sys::Datum {
        let note = LEFT_OUT.as_bytes();
        let before = |field: &&Field| (field.name.len(), field.name.as_slice()) < (note.len(), note);
        let place = self.columns.iter().take_while(before).count();
        // A column of that name comes second to the note.
        let rest = &self.columns[place..];
        let rest = if rest.first().is_some_and(|field| field.name == note) { &rest[1..] } else { rest };
        let names = |fields: &'_ [Field]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let keys = [names(&self.columns[..place]), vec![note.to_vec()], names(rest)].concat();
        let mut writer = Writer::beginning(keys.iter().map(Vec::as_slice));
        // SAFETY: as promised by the caller; each value is of its column's type.
        unsafe {
            let values = row.values();
            for field in &self.columns[..place] {
                writer.value(field.kind, values[field.column as usize - 1]);
            }
            writer.array(left_out);
            for field in rest {
                writer.value(field.kind, values[field.column as usize - 1]);
            }
            writer.finish()
        }
    }

    /// The names of those of these columns that are written.
    fn names(&self, columns: &[i16]) -> Vec<&[u8]> {
        let written = self.columns.iter().filter(|field| columns.contains(&field.column));
        written.map(|field| field.name.as_slice()).collect()
    }
}

/// The bytes of a value of variable length, after its length.
///
/// # Safety
/// The datum is of such a type; what is fetched lives as long as the present memory context.
pub unsafe fn bytes_of<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: as promised by the caller.
    unsafe { pgrx::varlena::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr())) }
}

#[derive(Clone)]
struct Writer {
    /// The varlena: its length, the container's header, an entry for each key and each value, their data.
    bytes: Vec<u8>,
    data: usize,
    /// How many entries are written, and where the data of the last ends.
    entries: usize,
    end: usize,
}

impl Writer {
    fn new(pairs: usize) -> Writer {
        let data = 2 * WORD + 2 * WORD * pairs;
        let mut bytes = vec![0; data];
        bytes[WORD..2 * WORD].copy_from_slice(&(pairs as u32 | OBJECT).to_ne_bytes());
        Writer { bytes, data, entries: 0, end: data }
    }

    /// With these keys, and room for as many values.
    fn beginning<'a>(keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Writer {
        let mut writer = Writer::new(keys.len());
        for key in keys {
            writer.bytes.extend_from_slice(key);
            writer.entry(STRING);
        }
        writer
    }

    /// What was appended since the last entry is the next key or value.
    fn entry(&mut self, kind: u32) {
        let end = self.bytes.len();
        let entry = match self.entries % STRIDE {
            0 => kind | HAS_OFFSET | (end - self.data) as u32,
            _ => kind | (end - self.end) as u32,
        };
        let place = (2 + self.entries) * WORD;
        self.bytes[place..place + WORD].copy_from_slice(&entry.to_ne_bytes());
        self.entries += 1;
        self.end = end;
    }

    /// # Safety
    /// `value` is of the type that `kind` was made for.
    unsafe fn value(&mut self, kind: Kind, value: Option<pg_sys::Datum>) {
        let Some(value) = value else { return self.entry(NULL) };
        // SAFETY: as promised by the caller.
        unsafe {
            match kind {
                Kind::Bool => self.entry(if value.value() != 0 { TRUE } else { FALSE }),
                Kind::Text => {
                    self.bytes.extend_from_slice(bytes_of(value));
                    self.entry(STRING);
                }
                Kind::Int2 => self.integer((value.value() as i16).into()),
                Kind::Int4 => self.integer((value.value() as i32).into()),
                Kind::Int8 => self.integer(value.value() as i64),
                Kind::Numeric => self.numeric(value),
                Kind::Moment => self.moment(value),
                Kind::Jsonb => self.embed(bytes_of(value)),
                Kind::Other { category, output } => self.converted(value, category, output),
                Kind::Own(of_type) => {
                    let (mut category, mut output) = (0, pg_sys::InvalidOid);
                    json_categorize_type(of_type, true, &mut category, &mut output);
                    self.converted(value, category, output);
                }
            }
        }
    }

    unsafe fn integer(&mut self, value: i64) {
        // SAFETY: a numeric is a varlena with a whole header.
        let bytes = unsafe {
            let numeric = int64_to_numeric(value);
            std::slice::from_raw_parts(numeric.cast::<u8>(), pgrx::varsize_4b(numeric))
        };
        self.align();
        self.bytes.extend_from_slice(bytes);
        self.entry(NUMERIC);
    }

    unsafe fn numeric(&mut self, value: pg_sys::Datum) {
        // SAFETY: a numeric, whose header says whether it is a number; utils/adt/numeric.c.
        unsafe {
            let numeric = pg_sys::pg_detoast_datum(value.cast_mut_ptr());
            let bytes = std::slice::from_raw_parts(numeric.cast::<u8>(), pgrx::varsize_4b(numeric));
            let special: &[u8] =
                match bytes.get(WORD..WORD + 2).map_or(0, |word| u16::from_ne_bytes([word[0], word[1]])) {
                    0xC000..0xD000 => b"NaN",
                    0xD000..0xF000 => b"Infinity",
                    0xF000.. => b"-Infinity",
                    _ => {
                        self.align();
                        self.bytes.extend_from_slice(bytes);
                        return self.entry(NUMERIC);
                    }
                };
            self.bytes.extend_from_slice(special);
            self.entry(STRING);
        }
    }

    unsafe fn moment(&mut self, value: pg_sys::Datum) {
        let mut text = [0; MOMENT];
        // SAFETY: a timestamptz, and room for its text.
        unsafe {
            pg_sys::JsonEncodeDateTime(text.as_mut_ptr(), value, pg_sys::TIMESTAMPTZOID, &0);
            self.bytes.extend_from_slice(CStr::from_ptr(text.as_ptr()).to_bytes());
        }
        self.entry(STRING);
    }

    /// What PostgreSQL makes of the value.
    unsafe fn converted(&mut self, value: pg_sys::Datum, category: u32, output: pg_sys::Oid) {
        // SAFETY: a jsonb, just made.
        self.embed(unsafe { bytes_of(datum_to_jsonb(value, category, output)) });
    }

    /// A jsonb without its length: a container, or a scalar in an array of its own.
    fn embed(&mut self, jsonb: &[u8]) {
        let word = |n: usize| {
            jsonb.get(n * WORD..(n + 1) * WORD).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
        };
        let (header, first) = (word(0), word(1));
        if header & SCALAR == 0 {
            self.align();
            self.bytes.extend_from_slice(jsonb);
            return self.entry(CONTAINER);
        }
        if first & KIND == NUMERIC {
            self.align();
        }
        self.bytes.extend_from_slice(&jsonb[2 * WORD..]);
        self.entry(first & KIND);
    }

    /// An array of texts.
    fn array(&mut self, texts: &[&[u8]]) {
        self.align();
        self.bytes.extend_from_slice(&(texts.len() as u32 | ARRAY).to_ne_bytes());
        let mut end = 0;
        for (n, text) in texts.iter().enumerate() {
            end += text.len();
            let entry = if n % STRIDE == 0 { HAS_OFFSET | end as u32 } else { text.len() as u32 };
            self.bytes.extend_from_slice(&(STRING | entry).to_ne_bytes());
        }
        texts.iter().for_each(|text| self.bytes.extend_from_slice(text));
        self.entry(CONTAINER);
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(WORD), 0);
    }

    fn finish(self) -> pg_sys::Datum {
        // SAFETY: room for all bytes; the first word is set to their number.
        unsafe {
            let result = pg_sys::palloc(self.bytes.len()).cast::<u8>();
            result.copy_from_nonoverlapping(self.bytes.as_ptr(), self.bytes.len());
            pgrx::set_varsize_4b(result.cast(), self.bytes.len() as i32);
            pg_sys::Datum::from(result)
        }
    }
}
