//! How large a value becomes, as jsonb and as text, found before either is made: a number of ten bytes can have a hundred
//! thousand digits, an array of nulls a hundred million elements.

mod document;

use pgrx::pg_sys;

use super::jsonb::bytes_of;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// utils/multirangetypes.h; not among pgrx's bindings.
    fn multirange_deserialize(
        types: *mut pg_sys::TypeCacheEntry,
        multirange: *const pg_sys::varlena,
        count: *mut i32,
        ranges: *mut *mut *mut pg_sys::RangeType,
    );
}

/// Types within types, and values within values. PostgreSQL's own limit is that of its stack.
const DEEPEST: u32 = 64;
/// The text of a value of fixed length; a path of points has more, but is no such.
const FIXED: usize = 256;
/// NUMERIC_HDRSZ and the like of utils/adt/numeric.c.
const SPECIAL: u16 = 0xC000;
const SHORT: u16 = 0x8000;

/// The value is larger than what was left.
pub struct TooLarge;

/// What is left for the columns of a row, in bytes.
#[derive(Clone, Copy)]
pub struct Room(pub usize);

impl Room {
    pub fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    /// Takes what the value needs at the most.
    ///
    /// # Safety
    /// `value` is of this type.
    pub unsafe fn take_value(&mut self, value: pg_sys::Datum, of_type: pg_sys::Oid) -> Result<(), TooLarge> {
        // SAFETY: as promised by the caller.
        unsafe { self.value(value, of_type, 0) }
    }

    unsafe fn value(&mut self, value: pg_sys::Datum, of_type: pg_sys::Oid, depth: u32) -> Result<(), TooLarge> {
        if depth > DEEPEST {
            return Err(TooLarge);
        }
        // SAFETY: as promised by the caller; types are there as long as what they are part of.
        unsafe {
            let base = pg_sys::getBaseType(of_type);
            if pg_sys::get_typlen(base) != -1 {
                return self.take(FIXED);
            }
            // No text is much shorter than its value, and what is larger need not be fetched.
            let raw = pg_sys::toast_raw_datum_size(value);
            if raw > self.0 {
                return Err(TooLarge);
            }
            match base {
                pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID | pg_sys::XMLOID => self.text(value, raw),
                pg_sys::BYTEAOID => self.take(2 * raw + 8),
                pg_sys::BITOID | pg_sys::VARBITOID => self.take(8 * raw),
                pg_sys::NUMERICOID => self.take(digits(bytes_of(value))),
                pg_sys::JSONBOID => {
                    let bytes = document::extent_of_jsonb(bytes_of(value), self.0).ok_or(TooLarge)?;
                    self.take(bytes)
                }
                pg_sys::JSONOID => {
                    let bytes = document::extent_of_json(bytes_of(value), self.0).ok_or(TooLarge)?;
                    self.take(bytes)
                }
                _ => self.compound(value, base, raw, depth),
            }
        }
    }

    unsafe fn compound(
        &mut self,
        value: pg_sys::Datum,
        base: pg_sys::Oid,
        raw: usize,
        depth: u32,
    ) -> Result<(), TooLarge> {
        // SAFETY: as promised by the caller of value().
        unsafe {
            let element = pg_sys::get_element_type(base);
            if element != pg_sys::InvalidOid {
                return self.array(value, element, raw, depth);
            }
            match pg_sys::get_typtype(base) as u8 {
                pg_sys::TYPTYPE_COMPOSITE => self.composite(value, depth),
                pg_sys::TYPTYPE_RANGE => self.range(value, base, depth),
                pg_sys::TYPTYPE_MULTIRANGE => {
                    let (mut count, mut ranges) = (0, std::ptr::null_mut());
                    let flag = pg_sys::TYPECACHE_MULTIRANGE_INFO as i32;
                    let types = (*pg_sys::lookup_type_cache(base, flag)).rngtype;
                    multirange_deserialize(
                        types,
                        pg_sys::pg_detoast_datum(value.cast_mut_ptr()),
                        &mut count,
                        &mut ranges,
                    );
                    for n in 0..count.max(0) as usize {
                        self.range((*ranges.add(n)).into(), (*types).type_id, depth + 1)?;
                    }
                    self.take(2)
                }
                _ if base == pg_sys::RECORDOID => self.composite(value, depth),
                // Vectors, geometries, trees of labels: a few characters for a byte.
                _ => self.take(4 * raw + FIXED),
            }
        }
    }

    /// Exact where it matters: of what must be escaped a byte becomes six.
    unsafe fn text(&mut self, value: pg_sys::Datum, raw: usize) -> Result<(), TooLarge> {
        if 6 * raw + 8 <= self.0 {
            return self.take(6 * raw + 8);
        }
        // SAFETY: as promised by the caller of value().
        let bytes = unsafe { bytes_of(value) };
        self.take(document::escaped(bytes) + 8)
    }

    unsafe fn array(
        &mut self,
        value: pg_sys::Datum,
        element: pg_sys::Oid,
        raw: usize,
        depth: u32,
    ) -> Result<(), TooLarge> {
        // SAFETY: as promised by the caller of value(); an array has a header and its dimensions.
        unsafe {
            let array = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
            let dimensions = array.add(1).cast::<i32>();
            let count = pg_sys::ArrayGetNItems((*array).ndim, dimensions).max(0) as usize;
            // Each element takes a word in jsonb, and "null, " in text; each dimension has brackets of its own.
            self.take(count.saturating_mul(8))?;
            if (*array).ndim > 1 {
                self.take(count.saturating_mul(24))?;
            }
            let (mut length, mut by_value, mut align) = (0, false, 0);
            pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
            let base = pg_sys::getBaseType(element);
            let width = match base {
                pg_sys::BOOLOID | pg_sys::CHAROID => 8,
                pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::FLOAT4OID | pg_sys::OIDOID | pg_sys::DATEOID => 24,
                pg_sys::INT8OID | pg_sys::FLOAT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => 40,
                pg_sys::UUIDOID => 44,
                _ => FIXED,
            };
            if length != -1 {
                return self.take(count.saturating_mul(width));
            }
            if matches!(base, pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID) && self.take(6 * raw).is_ok() {
                return Ok(());
            }
            let iterator = pg_sys::array_create_iterator(array, 0, std::ptr::null_mut());
            let (mut item, mut null) = (pg_sys::Datum::from(0_usize), false);
            while pg_sys::array_iterate(iterator, &mut item, &mut null) {
                if !null {
                    self.value(item, element, depth + 1)?;
                }
            }
            pg_sys::array_free_iterator(iterator);
            Ok(())
        }
    }

    unsafe fn composite(&mut self, value: pg_sys::Datum, depth: u32) -> Result<(), TooLarge> {
        // SAFETY: a composite datum names its row type.
        unsafe {
            let header = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
            let (kind, modifier) = ((*header).t_choice.t_datum.datum_typeid, (*header).t_choice.t_datum.datum_typmod);
            let columns = pg_sys::lookup_rowtype_tupdesc(kind, modifier);
            let result = self.fields(header, columns, depth);
            if (*columns).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(columns);
            }
            result
        }
    }

    unsafe fn fields(
        &mut self,
        header: *mut pg_sys::HeapTupleHeaderData,
        columns: pg_sys::TupleDesc,
        depth: u32,
    ) -> Result<(), TooLarge> {
        // SAFETY: the header is of a row of these columns, of which there are natts.
        unsafe {
            let mut tuple = pg_sys::HeapTupleData {
                t_len: ((*header).t_choice.t_datum.datum_len_ as u32) >> 2,
                t_data: header,
                ..Default::default()
            };
            let row = super::row::Row::new(&mut tuple, columns);
            let attributes = (*columns).attrs.as_slice((*columns).natts as usize);
            for (attribute, value) in attributes.iter().zip(row.values()) {
                // The key with its quotes, two words, and "null".
                self.take(attribute.attname.data.len() + 24)?;
                if let Some(value) = value.filter(|_| !attribute.attisdropped) {
                    self.value(value, attribute.atttypid, depth + 1)?;
                }
            }
            Ok(())
        }
    }

    unsafe fn range(&mut self, value: pg_sys::Datum, of_type: pg_sys::Oid, depth: u32) -> Result<(), TooLarge> {
        // SAFETY: as promised by the caller of value().
        unsafe {
            let types = pg_sys::lookup_type_cache(of_type, pg_sys::TYPECACHE_RANGE_INFO as i32);
            let range = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::RangeType>();
            let (mut lower, mut upper) = (pg_sys::RangeBound::default(), pg_sys::RangeBound::default());
            let mut empty = false;
            pg_sys::range_deserialize(types, range, &mut lower, &mut upper, &mut empty);
            self.take(FIXED)?;
            for bound in [lower, upper].into_iter().filter(|bound| !empty && !bound.infinite) {
                self.value(bound.val, (*(*types).rngelemtype).type_id, depth + 1)?;
            }
            Ok(())
        }
    }
}

/// Whether values of a type can become much larger than they are.
///
/// # Safety
/// The type exists.
pub unsafe fn expands(of_type: pg_sys::Oid) -> bool {
    // SAFETY: as promised by the caller.
    unsafe {
        let base = pg_sys::getBaseType(of_type);
        let plain = [
            pg_sys::TEXTOID,
            pg_sys::VARCHAROID,
            pg_sys::BPCHAROID,
            pg_sys::XMLOID,
            pg_sys::BYTEAOID,
            pg_sys::BITOID,
            pg_sys::VARBITOID,
        ];
        pg_sys::get_typlen(base) == -1 && !plain.contains(&base)
    }
}

/// Characters of a numeric, from its bytes after the length: utils/adt/numeric.c.
fn digits(numeric: &[u8]) -> usize {
    let word = |at: usize| numeric.get(at..at + 2).and_then(|word| word.try_into().ok()).map_or(0, u16::from_ne_bytes);
    match word(0) & SPECIAL {
        SPECIAL => 16,
        SHORT => 330,
        _ => 8 + usize::from(word(0) & 0x3FFF) + 4 * (word(2) as i16).max(0) as usize + numeric.len(),
    }
}
