use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use crate::ContactError;
use crate::contact_error::shown;
use crate::phone_plan::{digits, in_todays_plan};
use crate::phone_wrapping::{Wrapped, unwrap};

/// A phone number everybody can dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// E.164: `+14155550123`.
    pub number: String,
    /// What is dialled after the connection; E.164 has no place for it.
    pub extension: Option<String>,
}

/// A phone number, as dialled within `country` (ISO 3166-1, any case) unless it has a country code. `None` for nothing.
/// What stands around it does not matter: `tel:`, `whatsapp:`, the address of a chat, brackets, spaces.
/// A number is right when its length is one that its country assigns (libphonenumber's "possible"): the ranges in use change
/// faster than software is renewed, and a customer's number is too good to lose.
pub fn normalize_phone(text: &str, country: Option<&str>) -> Result<Option<Phone>, ContactError> {
    let region = match country.filter(|country| !country.is_empty()) {
        Some(country) => Some(region(country)?),
        None => None,
    };
    let wrong = |reason| ContactError::Phone { value: shown(text), reason };
    let written = match unwrap(text).map_err(wrong)? {
        Wrapped::Nothing => return Ok(None),
        Wrapped::International(digits) => return international(&digits).map(Some).ok_or_else(|| without_country(text)),
        Wrapped::Written(written) => written,
    };
    let number = match parse(&written, region) {
        Ok(number) => number,
        Err(error) => match in_other_words(&written, region) {
            Some(number) => number,
            None => {
                return Err(match error {
                    Unread::Country if region.is_none() && !written.starts_with('+') => without_country(text),
                    Unread::Country => wrong("no country has this code"),
                    Unread::Because(reason) => wrong(reason),
                });
            }
        },
    };
    Ok(Some(phone(&number)))
}

/// Reads the numbering plans, which takes some milliseconds; else the first number does.
pub fn preload() {
    std::sync::LazyLock::force(&PHONE_NUMBER_UTIL);
}

/// Whether a number in E.164 is one of those that its country assigns today.
pub(crate) fn is_assigned(number: &str) -> bool {
    parse(number, None).is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
}

/// How many of these digits are the country code; none is the beginning of another one.
pub(crate) fn country_code(digits: &str) -> usize {
    let is_code = |length: &usize| {
        let code = digits.get(..*length).and_then(|code| code.parse().ok());
        code.is_some_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
    };
    (1..=3).find(is_code).unwrap_or(0)
}

/// Digits that begin with a country code, but have no +. That they do so is believed of numbers that exist.
fn international(digits: &str) -> Option<Phone> {
    let number = format!("+{digits}");
    let today = in_todays_plan(&number, is_assigned).unwrap_or(number);
    is_assigned(&today).then(|| parse(&today, None).ok().map(|number| phone(&number))).flatten()
}

/// A number that is no longer, or never was, dialled as it is written.
fn in_other_words(written: &str, region: Option<Region>) -> Option<PhoneNumber> {
    if let Some(code) = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region))
        && !written.starts_with('+')
    {
        let digits = digits(written);
        let code = code.to_string();
        let national = digits.strip_prefix(&code).map(|_| format!("+{digits}"));
        return [national, Some(format!("+{code}{digits}"))].into_iter().flatten().find_map(|number| renewed(&number));
    }
    if !written.starts_with('+') {
        return None;
    }
    // The 0 that is dialled in place of the country code: +49 (0)30 123.
    let without_zero = written.contains("(0)").then(|| written.replacen("(0)", "", 1));
    without_zero.and_then(|number| parse(&number, None).ok()).or_else(|| renewed(&format!("+{}", digits(written))))
}

fn renewed(number: &str) -> Option<PhoneNumber> {
    parse(&in_todays_plan(number, is_assigned)?, None).ok()
}

enum Unread {
    Country,
    Because(&'static str),
}

fn parse(text: &str, region: Option<Region>) -> Result<PhoneNumber, Unread> {
    let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| match error {
        ParseError::InvalidCountryCode => Unread::Country,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Unread::Because("it has too few digits"),
        ParseError::TooLongNsn => Unread::Because("it has too many digits"),
        ParseError::NotANumber(_) => Unread::Because("it is not written as one"),
    })?;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => Ok(number),
        Ok(NumberLengthType::IsPossibleLocalOnly) => Err(Unread::Because("its area code is missing")),
        Err(ValidationError::TooShort) => Err(Unread::Because("it has too few digits")),
        Err(ValidationError::TooLong) => Err(Unread::Because("it has too many digits")),
        Err(ValidationError::InvalidLength) => Err(Unread::Because("its country has no numbers of this length")),
        Err(ValidationError::InvalidCountryCode) => Err(Unread::Country),
    }
}

fn phone(number: &PhoneNumber) -> Phone {
    Phone {
        number: PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned(),
        extension: number.extension.clone().filter(|extension| !extension.is_empty()),
    }
}

fn region(country: &str) -> Result<Region, ContactError> {
    let unknown = || ContactError::Country { value: shown(country) };
    let region: Region = country.to_ascii_uppercase().parse().map_err(|_| unknown())?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region).ok_or_else(unknown)
}

fn without_country(text: &str) -> ContactError {
    ContactError::PhoneWithoutCountry { value: shown(text) }
}
