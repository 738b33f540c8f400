//! Numbering plans that changed, or that have two spellings for one phone. Programs go on writing the old ones for years;
//! WhatsApp knows its users by the spelling of the day on which they joined.

/// One spelling of a number and the one that is dialled today. Digits, from the country code on.
struct Change {
    code: &'static str,
    /// the national number today, of one as it was written before
    today: fn(&str) -> Option<String>,
    /// the national number as it was written before, of one of today
    before: fn(&str) -> Option<String>,
}

const CHANGES: [Change; 5] = [
    // Mexico dropped the 1 of mobile numbers and the prefixes 01, 044, 045 in 2019.
    Change {
        code: "52",
        today: |old| {
            match old.len() {
                13 => old.strip_prefix("044").or_else(|| old.strip_prefix("045")),
                12 => old.strip_prefix("01"),
                11 => old.strip_prefix('1'),
                _ => None,
            }
            .map(str::to_owned)
        },
        before: |_| None,
    },
    // Brazil put a 9 before mobile numbers, area by area until 2016.
    Change {
        code: "55",
        today: |old| match (old.len(), old.as_bytes().get(2)) {
            (10, Some(b'6'..=b'9')) => Some(format!("{}9{}", &old[..2], &old[2..])),
            _ => None,
        },
        before: |new| match (new.len(), new.as_bytes().get(2), new.as_bytes().get(3)) {
            (11, Some(b'9'), Some(b'6'..=b'9')) => Some(format!("{}{}", &new[..2], &new[3..])),
            _ => None,
        },
    },
    // Benin put 01 before all numbers in 2024.
    Change {
        code: "229",
        today: |old| (old.len() == 8).then(|| format!("01{old}")),
        before: |new| if new.len() == 10 { new.strip_prefix("01").map(str::to_owned) } else { None },
    },
    // Ivory Coast put the operator's two digits before all numbers in 2021; the second or third digit tells whose it is.
    Change {
        code: "225",
        today: |old| {
            let digits = old.as_bytes();
            let prefix = match (digits.len(), digits.first(), digits.get(1), digits.get(2)) {
                (8, Some(b'2' | b'3'), _, Some(b'8')) => "21",
                (8, Some(b'2' | b'3'), _, Some(b'0')) => "25",
                (8, Some(b'2' | b'3'), _, _) => "27",
                (8, _, Some(b'0'..=b'3'), _) => "01",
                (8, _, Some(b'4'..=b'6'), _) => "05",
                (8, _, Some(b'7'..=b'9'), _) => "07",
                _ => return None,
            };
            Some(format!("{prefix}{old}"))
        },
        before: |new| (new.len() == 10).then(|| new[2..].to_owned()),
    },
    // Gabon named its operators anew in 2019.
    Change {
        code: "241",
        today: |old| {
            let new = match (old.len(), old.get(..2)?) {
                (8, "01") => "11",
                (8, "02") => "62",
                (8, "04") => "74",
                (8, "05") => "65",
                (8, "06") => "66",
                (8, "07") => "77",
                _ => return None,
            };
            Some(format!("{new}{}", &old[2..]))
        },
        before: |new| {
            let old = match (new.len(), new.get(..2)?) {
                (8, "11") => "01",
                (8, "62") => "02",
                (8, "74") => "04",
                (8, "65") => "05",
                (8, "66") => "06",
                (8, "77") => "07",
                _ => return None,
            };
            Some(format!("{old}{}", &new[2..]))
        },
    },
];

/// Argentina dials a 9 to mobile phones from abroad and does not write it at home; no other phone has the number.
const WITH_TOKEN: (&str, char, usize) = ("54", '9', 10);

/// A number in E.164 as it is dialled today, where that is a number that `is_assigned`.
pub(crate) fn in_todays_plan(number: &str, is_assigned: impl Fn(&str) -> bool) -> Option<String> {
    let (change, national) = change(number)?;
    let today = format!("+{}{}", change.code, (change.today)(national)?);
    is_assigned(&today).then_some(today)
}

/// What all spellings of one phone have in common: the number that is dialled today, without what is optional.
pub(crate) fn canonical(number: &str, is_assigned: impl Fn(&str) -> bool) -> String {
    let (code, token, length) = WITH_TOKEN;
    let mobile = national(number, code).and_then(|national| national.strip_prefix(token));
    match mobile.filter(|mobile| mobile.len() == length) {
        Some(mobile) => format!("+{code}{mobile}"),
        None => in_todays_plan(number, is_assigned).unwrap_or_else(|| number.to_owned()),
    }
}

/// All spellings of a canonical number, it first.
pub(crate) fn spellings(canonical: String) -> Vec<String> {
    let (code, token, length) = WITH_TOKEN;
    let other = match national(&canonical, code) {
        Some(national) => (national.len() == length).then(|| format!("+{code}{token}{national}")),
        None => change(&canonical).and_then(|(change, national)| {
            let before = (change.before)(national)?;
            ((change.today)(&before).as_deref() == Some(national)).then(|| format!("+{}{before}", change.code))
        }),
    };
    [Some(canonical), other].into_iter().flatten().collect()
}

/// The digits of a text, whatever script they are of.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter_map(digit).collect()
}

/// The scripts in which phone numbers are written: ASCII, full width, Arabic, Persian, and those of India.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 7] = [0xff10, 0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xe50];
    if c.is_ascii_digit() {
        return Some(c);
    }
    let value = ZEROS.iter().map(|zero| (c as u32).wrapping_sub(*zero)).find(|value| *value < 10)?;
    char::from_digit(value, 10)
}

fn change(number: &str) -> Option<(&'static Change, &str)> {
    CHANGES.iter().find_map(|change| national(number, change.code).map(|national| (change, national)))
}

/// No country code is the beginning of another one.
fn national<'a>(number: &'a str, code: &str) -> Option<&'a str> {
    number.strip_prefix('+')?.strip_prefix(code)
}
