//! How large a document becomes. The layout of jsonb is that of utils/jsonb.h, which pg_upgrade keeps.

use super::digits;

/// A number may be written with an exponent up to here, and then has so many digits.
const MOST_DIGITS: usize = 150_000;
/// Deeper than this a document is not taken apart: PostgreSQL does it by recursion.
const DEEPEST: usize = 2_000;
const COUNT: u32 = 0x0FFF_FFFF;
const OBJECT: u32 = 0x2000_0000;
const LENGTH: u32 = 0x0FFF_FFFF;
const HAS_OFFSET: u32 = 0x8000_0000;
const KIND: u32 = 0x7000_0000;
const STRING: u32 = 0;
const NUMERIC: u32 = 0x1000_0000;
const CONTAINER: u32 = 0x5000_0000;
const WORD: usize = 4;

/// The larger of its bytes and those of its text, from the bytes after its length; None when it is more than `most`.
pub fn extent_of_jsonb(jsonb: &[u8], most: usize) -> Option<usize> {
    let mut text = 0;
    let mut containers = vec![jsonb];
    while let Some(container) = containers.pop() {
        let word = |at: usize| Some(u32::from_ne_bytes(container.get(at * WORD..)?.get(..WORD)?.try_into().ok()?));
        let header = word(0)?;
        let count = (header & COUNT) as usize * if header & OBJECT == 0 { 1 } else { 2 };
        let data = container.get((1 + count) * WORD..)?;
        let mut start = 0;
        // Brackets, and after each entry a comma or a colon with a space.
        text += 2 + 2 * count;
        for n in 0..count {
            let entry = word(1 + n)?;
            let end = (entry & LENGTH) as usize + if entry & HAS_OFFSET == 0 { start } else { 0 };
            let aligned = start.next_multiple_of(WORD);
            match entry & KIND {
                STRING => text += escaped(data.get(start..end)?),
                NUMERIC => text += digits(after_length(data.get(aligned..end)?)),
                CONTAINER => containers.push(data.get(aligned..end)?),
                _ => text += 5,
            }
            if text > most {
                return None;
            }
            start = end;
        }
    }
    Some(text.max(jsonb.len()))
}

/// A numeric's own length takes a word, or a byte.
fn after_length(numeric: &[u8]) -> &[u8] {
    let short = numeric
        .first()
        .is_some_and(|byte| if cfg!(target_endian = "little") { byte & 1 == 1 } else { byte & 0x80 != 0 });
    numeric.get(if short { 1 } else { WORD }..).unwrap_or_default()
}

/// The same of a document that is text: as the jsonb that is made of it, or as the text of that.
pub fn extent_of_json(json: &[u8], most: usize) -> Option<usize> {
    let (mut extent, mut depth, mut at) = (64, 0_usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(json, at);
                extent += 6 + escaped(&json[at..end]);
                at = end;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                extent += 12;
                if depth > DEEPEST {
                    return None;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let end = at + json[at..].iter().take_while(|byte| is_numeric(**byte)).count();
                extent += 20 + written_out(&json[at..end]);
                at = end;
                if extent > most {
                    return None;
                }
                continue;
            }
            _ => extent += 2,
        }
        at += 1;
    }
    (extent <= most).then_some(extent)
}

fn is_numeric(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The digits of a number without its exponent.
fn written_out(number: &[u8]) -> usize {
    let Some(at) = number.iter().position(|byte| matches!(byte, b'e' | b'E')) else { return number.len() };
    let exponent = std::str::from_utf8(&number[at + 1..]).ok().and_then(|text| text.parse::<i64>().ok());
    number.len() + exponent.map_or(MOST_DIGITS, |exponent| exponent.unsigned_abs().min(MOST_DIGITS as u64) as usize)
}

/// After the closing quote.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    json.len()
}

/// The bytes of a string as JSON writes it.
pub fn escaped(text: &[u8]) -> usize {
    text.iter().map(|byte| if *byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum::<usize>()
        + 2
}
