//! A row as jsonb, as `to_jsonb(row)` has it, in one pass: the order of its keys and how each column is written are found
//! once for a relation. The layout is that of utils/jsonb.h, which pg_upgrade keeps.

use std::ffi::CStr;

use pgrx::pg_sys;

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
const SCALAR: u32 = 0x1000_0000;
/// The length of the varlena, the header of the container, and each entry take a word.
const WORD: usize = 4;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn json_categorize_type(of_type: pg_sys::Oid, jsonb: bool, category: *mut u32, output: *mut pg_sys::Oid);
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_jsonb(value: pg_sys::Datum, category: u32, output: pg_sys::Oid) -> pg_sys::Datum;
    /// utils/numeric.h; not among pgrx's bindings.
    fn int64_to_numeric(value: i64) -> *mut pg_sys::varlena;
}

/// How the rows of a relation are written.
pub struct Form {
    /// With the keys.
    beginning: Writer,
    /// In the order of the keys.
    columns: Vec<(i16, Kind)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Text,
    Int2,
    Int4,
    Int8,
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
        let mut fields: Vec<(&[u8], i16, Kind)> = unsafe {
            let description = &*description;
            let attributes = description.attrs.as_slice(description.natts as usize);
            attributes
                .iter()
                .filter(|attribute| !attribute.attisdropped)
                .map(|attribute| (CStr::from_ptr(attribute.attname.data.as_ptr()).to_bytes(), attribute))
                .filter(|(name, _)| !without.iter().any(|other| other.as_bytes() == *name))
                .map(|(name, attribute)| (name, attribute.attnum, Kind::of(attribute.atttypid)))
                .collect()
        };
        fields.sort_by(|(a, ..), (b, ..)| a.len().cmp(&b.len()).then(a.cmp(b)));
        let mut writer = Writer::new(fields.len());
        for (name, ..) in &fields {
            writer.bytes.extend_from_slice(name);
            writer.entry(STRING);
        }
        Form { beginning: writer, columns: fields.into_iter().map(|(_, column, kind)| (column, kind)).collect() }
    }

    /// # Safety
    /// `row` is of the relation.
    pub unsafe fn write(&self, row: &Row) -> pg_sys::Datum {
        let mut writer = self.beginning.clone();
        // SAFETY: as promised by the caller; each value is of its column's type.
        unsafe {
            let values = row.values();
            for (column, kind) in &self.columns {
                match values[*column as usize - 1] {
                    Some(value) => writer.value(*kind, value),
                    None => writer.entry(NULL),
                }
            }
            writer.finish()
        }
    }
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
    unsafe fn value(&mut self, kind: Kind, value: pg_sys::Datum) {
        // SAFETY: as promised by the caller.
        unsafe {
            match kind {
                Kind::Bool => self.entry(if value.value() != 0 { TRUE } else { FALSE }),
                Kind::Text => {
                    let text = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                    self.bytes.extend_from_slice(pgrx::varlena::varlena_to_byte_slice(text));
                    self.entry(STRING);
                }
                Kind::Int2 => self.integer((value.value() as i16).into()),
                Kind::Int4 => self.integer((value.value() as i32).into()),
                Kind::Int8 => self.integer(value.value() as i64),
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

    /// What PostgreSQL makes of the value: a container, or a scalar in an array of its own.
    unsafe fn converted(&mut self, value: pg_sys::Datum, category: u32, output: pg_sys::Oid) {
        // SAFETY: a jsonb, just made: the header of its container, entries, data.
        let (header, first, bytes) = unsafe {
            let jsonb = pg_sys::pg_detoast_datum(datum_to_jsonb(value, category, output).cast_mut_ptr());
            let bytes = pgrx::varlena::varlena_to_byte_slice(jsonb);
            let word = |n: usize| {
                bytes.get(n * WORD..(n + 1) * WORD).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
            };
            (word(0), word(1), bytes)
        };
        if header & SCALAR == 0 {
            self.align();
            self.bytes.extend_from_slice(bytes);
            return self.entry(CONTAINER);
        }
        if first & KIND == NUMERIC {
            self.align();
        }
        self.bytes.extend_from_slice(&bytes[2 * WORD..]);
        self.entry(first & KIND);
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
