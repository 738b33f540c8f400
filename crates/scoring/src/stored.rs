//! Points as PostgreSQL stores them, read without its help: a numeric, and the jsonb object of a breakdown. Both formats are
//! those on disk (utils/jsonb.h, utils/adt/numeric.c), which do not change. What is none of ours is `None`.

use crate::Points;

const IS_OBJECT: u32 = 0x2000_0000;
const COUNT: u32 = 0x0fff_ffff;
const HAS_OFFSET: u32 = 0x8000_0000;
const KIND: u32 = 0x7000_0000;
const LENGTH: u32 = 0x0fff_ffff;
const STRING: u32 = 0;
const NUMERIC: u32 = 0x1000_0000;

/// Whether the bytes of a jsonb, after its length, are the empty object.
pub fn is_empty_object(jsonb: &[u8]) -> bool {
    jsonb.len() == 4 && word(jsonb, 0) == Some(IS_OBJECT)
}

/// The keys and points of a jsonb object, in its order.
pub(crate) fn pairs(jsonb: &[u8]) -> Option<Vec<(&[u8], Points)>> {
    let header = word(jsonb, 0)?;
    if header & 0xf000_0000 != IS_OBJECT {
        return None;
    }
    let count = (header & COUNT) as usize;
    let data = jsonb.get(4 + 8 * count..)?;
    let mut end = 0;
    let mut entry = |n: usize, kind: u32| {
        let entry = word(jsonb, 4 + 4 * n).filter(|entry| entry & KIND == kind)?;
        let start = end;
        end = if entry & HAS_OFFSET != 0 { 0 } else { start } + (entry & LENGTH) as usize;
        data.get(start..end).map(|bytes| (start, bytes))
    };
    let keys: Vec<&[u8]> = (0..count).map(|n| entry(n, STRING).map(|(_, key)| key)).collect::<Option<_>>()?;
    let values = (0..count).map(|n| {
        let (start, bytes) = entry(count + n, NUMERIC)?;
        // A number begins at a multiple of four, with a length of four bytes.
        numeric(bytes.get(start.next_multiple_of(4) - start + 4..)?)
    });
    keys.into_iter().zip(values).map(|(key, points)| Some((key, points?))).collect()
}

/// The bytes of a numeric after its length: a short one of at most two decimals.
pub fn numeric(bytes: &[u8]) -> Option<Points> {
    let header = half(bytes, 0)?;
    if header & 0xc000 != 0x8000 {
        return None;
    }
    let weight = i32::from(header & 0x3f) - if header & 0x40 != 0 { 64 } else { 0 };
    let mut hundredths: i64 = 0;
    for (n, digit) in bytes.get(2..)?.chunks_exact(2).enumerate() {
        let digit = i64::from(u16::from_ne_bytes([digit[0], digit[1]]));
        hundredths = match weight - n as i32 {
            power @ 0..=3 => hundredths + digit * 100 * 10_000_i64.pow(power as u32),
            -1 if digit % 100 == 0 => hundredths + digit / 100,
            _ => return None,
        };
    }
    Some(Points(if header & 0x2000 != 0 { -hundredths } else { hundredths }))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A numeric after its length, as numeric_in makes it.
    fn short(negative: bool, weight: i32, digits: &[u16]) -> Vec<u8> {
        let sign = if negative { 0x2000 } else { 0 };
        let header = 0x8000 | sign | if weight < 0 { 0x40 } else { 0 } | (weight & 0x3f) as u16;
        std::iter::once(&header).chain(digits).flat_map(|half| half.to_ne_bytes()).collect()
    }

    #[test]
    fn numbers() {
        assert_eq!(numeric(&short(false, 0, &[])), Some(Points(0)));
        assert_eq!(numeric(&short(false, 0, &[30])), Some(Points(3000)));
        assert_eq!(numeric(&short(true, 0, &[6, 500])), Some(Points(-605)));
        assert_eq!(numeric(&short(false, -1, &[2500])), Some(Points(25)));
        assert_eq!(numeric(&short(false, 1, &[100])), Some(Points(100_000_000)));
        for other in [short(false, -1, &[25]), short(false, 9, &[1]), vec![0, 0xc0, 0, 0], vec![1], Vec::new()] {
            assert_eq!(numeric(&other), None, "{other:?}");
        }
    }

    #[test]
    fn objects() {
        // {"a": 3, "cap": -0.25}: two keys of 4 bytes together, numbers of 8 bytes with their lengths.
        let mut bytes: Vec<u8> = Vec::new();
        for word in [IS_OBJECT | 2, 1, 3, NUMERIC | 8, NUMERIC | 8] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"acap");
        for (negative, weight, digit) in [(false, 0, 3), (true, -1, 2500)] {
            bytes.extend(32_u32.to_ne_bytes());
            bytes.extend(short(negative, weight, &[digit]));
        }
        assert_eq!(pairs(&bytes), Some(vec![(&b"a"[..], Points(300)), (&b"cap"[..], Points(-25))]));
        assert!(is_empty_object(&IS_OBJECT.to_ne_bytes()) && pairs(&IS_OBJECT.to_ne_bytes()) == Some(Vec::new()));
        for end in 0..bytes.len() {
            assert_eq!(pairs(&bytes[..end]), None, "{end}");
        }
    }
}
