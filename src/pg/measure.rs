//! How long a jsonb is as text, without making the text: a number of two bytes can stand for 131,072 digits. The layout is
//! that of utils/jsonb.h, which pg_upgrade keeps. What is not laid out so is not read.

const KIND: u32 = 0x7000_0000;
const STRING: u32 = 0;
const NUMERIC: u32 = 0x1000_0000;
const FALSE: u32 = 0x2000_0000;
const TRUE: u32 = 0x3000_0000;
const NULL: u32 = 0x4000_0000;
const CONTAINER: u32 = 0x5000_0000;
const HAS_OFFSET: u32 = 0x8000_0000;
const LENGTH: u32 = 0x0fff_ffff;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const WORD: usize = 4;

/// As many bytes as its text has. None: this is no jsonb. `jsonb` begins with the length word.
pub fn text_bytes(jsonb: &[u8]) -> Option<u64> {
    let mut bytes = 0_u64;
    let mut containers = vec![(WORD, jsonb.len())];
    while let Some((start, end)) = containers.pop() {
        bytes += container(jsonb.get(..end)?, start, &mut containers)?;
    }
    Some(bytes)
}

fn container(jsonb: &[u8], start: usize, inner: &mut Vec<(usize, usize)>) -> Option<u64> {
    let header = word(jsonb, start)?;
    let count = (header & LENGTH) as usize;
    let is_object = header & IS_OBJECT != 0;
    let entries = if is_object { count.checked_mul(2)? } else { count };
    let data = start + WORD + entries.checked_mul(WORD)?;
    // Brackets; and two bytes between elements, and between keys and values.
    let mut bytes = if header & IS_SCALAR != 0 { 0 } else { 2 + 2 * (entries as u64).saturating_sub(1) };
    let mut from = 0_usize;
    for number in 0..entries {
        let entry = word(jsonb, start + WORD + number * WORD)?;
        let length = (entry & LENGTH) as usize;
        let to = if entry & HAS_OFFSET != 0 { length } else { from.checked_add(length)? };
        let value = jsonb.get(data + from..data + to)?;
        bytes += match entry & KIND {
            STRING => quoted(value),
            NUMERIC => digits(value.get(padding(data + from)..)?)?,
            FALSE => 5,
            TRUE | NULL => 4,
            CONTAINER => {
                inner.push((data + from + padding(data + from), data + to));
                0
            }
            _ => return None,
        };
        from = to;
    }
    Some(bytes)
}

/// Numbers and containers begin at a whole word.
fn padding(at: usize) -> usize {
    at.wrapping_neg() % WORD
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(WORD)?)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

/// With its quotes; what is escaped takes two bytes, or six.
fn quoted(text: &[u8]) -> u64 {
    let more = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..b' ' => 5,
        _ => 0,
    };
    text.len() as u64 + 2 + text.iter().map(more).sum::<u64>()
}

/// A numeric, as utils/adt/numeric.c lays it out: groups of four digits, of which `weight` stand before the point besides the
/// first.
fn digits(numeric: &[u8]) -> Option<u64> {
    let half = |at: usize| Some(u16::from_ne_bytes(numeric.get(at..at + 2)?.try_into().ok()?));
    let header = half(WORD)?;
    let (weight, scale, sign, groups) = match header & 0xc000 {
        0xc000 => return Some(9),
        0x8000 => {
            let weight = i64::from(header & 0x3f) - i64::from(header & 0x40);
            (weight, (header & 0x1f80) >> 7, header & 0x2000, WORD + 2)
        }
        sign => (i64::from(half(WORD + 2)? as i16), header & 0x3fff, sign, WORD + 4),
    };
    let first = half(groups).unwrap_or_default().max(1).ilog10() + 1;
    let whole = if weight < 0 { 1 } else { 4 * weight as u64 + u64::from(first) };
    let fraction = if scale > 0 { 1 + u64::from(scale) } else { 0 };
    Some(u64::from(sign != 0) + whole + fraction)
}
