use std::borrow::Cow;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use crate::ContactError;
use crate::contact_error::shown;
use crate::email::is_invisible;

/// Longer than any number with all that people write around it.
const LONGEST: usize = 100;

/// A telephone number everybody can dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// E.164: `+14155550123`.
    pub number: String,
    /// What is dialled after the connection; E.164 has no place for it.
    pub extension: Option<String>,
}

/// A telephone number, as dialled within `country` (ISO 3166-1, any case) unless it has a country code. `None` for nothing.
/// A number is right when its length is one that its country assigns (libphonenumber's "possible"): the ranges in use change
/// faster than software is renewed, and a customer's number is too good to lose.
pub fn normalize_phone(text: &str, country: Option<&str>) -> Result<Option<Phone>, ContactError> {
    let region = match country.filter(|country| !country.is_empty()) {
        Some(country) => Some(region(country)?),
        None => None,
    };
    let visible = visible(text);
    if visible.is_empty() {
        return Ok(None);
    }
    let wrong = |reason| ContactError::Phone { value: shown(text), reason };
    if visible.len() > LONGEST {
        return Err(wrong("it is too long"));
    }
    let dialled = mexican(&visible, region);
    let number = PHONE_NUMBER_UTIL.parse(dialled.as_ref(), region).map_err(|error| match error {
        ParseError::InvalidCountryCode if region.is_none() && !visible.starts_with(['+', '＋']) => {
            ContactError::PhoneWithoutCountry { value: shown(text) }
        }
        ParseError::InvalidCountryCode => wrong("no country has this code"),
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => wrong("it has too few digits"),
        ParseError::TooLongNsn => wrong("it has too many digits"),
        ParseError::NotANumber(_) => wrong("it is not written as one"),
    })?;
    possible(&number).map_err(wrong)?;
    Ok(Some(Phone {
        number: PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned(),
        extension: number.extension.clone().filter(|extension| !extension.is_empty()),
    }))
}

/// Reads the numbering plans, which takes some milliseconds; else the first number does.
pub fn preload() {
    std::sync::LazyLock::force(&PHONE_NUMBER_UTIL);
}

fn region(country: &str) -> Result<Region, ContactError> {
    let unknown = || ContactError::Country { value: shown(country) };
    let region: Region = country.to_ascii_uppercase().parse().map_err(|_| unknown())?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region).ok_or_else(unknown)
}

fn possible(number: &PhoneNumber) -> Result<(), &'static str> {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => Ok(()),
        Ok(NumberLengthType::IsPossibleLocalOnly) => Err("its area code is missing"),
        Err(ValidationError::TooShort) => Err("it has too few digits"),
        Err(ValidationError::TooLong) => Err("it has too many digits"),
        Err(ValidationError::InvalidLength) => Err("its country has no numbers of this length"),
        Err(ValidationError::InvalidCountryCode) => Err("no country has this code"),
    }
}

/// Without the marks of direction that address books wrap numbers in, and without what else is not seen.
fn visible(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if !trimmed.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Cow::Borrowed(trimmed);
    }
    Cow::Owned(trimmed.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// Mexico dropped the 1 of mobile numbers and the prefixes 01, 044, 045 in 2019; WhatsApp and old address books keep them.
fn mexican(text: &str, region: Option<Region>) -> Cow<'_, str> {
    let of_mexico = region == Some(Region::MX);
    if !text.starts_with("+52") && !of_mexico {
        return Cow::Borrowed(text);
    }
    if text.chars().any(|c| !c.is_ascii_digit() && !" +-().".contains(c)) {
        return Cow::Borrowed(text);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = text.starts_with('+');
    let national = match digits.len() {
        13 if digits.starts_with("521") => &digits[3..],
        12 if digits.starts_with("52") => &digits[2..],
        13 if !international && (digits.starts_with("044") || digits.starts_with("045")) => &digits[3..],
        12 if !international && digits.starts_with("01") => &digits[2..],
        _ => return Cow::Borrowed(text),
    };
    Cow::Owned(format!("+52{national}"))
}
