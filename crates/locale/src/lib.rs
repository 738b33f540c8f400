//! A moment as people read it: "viernes, 13 de noviembre de 2026, 10:00". The words and their order are CLDR's.
#![forbid(unsafe_code)]

mod locale_error;
mod style;
mod vtimezone;

use icu_calendar::Gregorian;
use icu_datetime::fieldsets::{T, YMD, YMDE};
use icu_datetime::input::{Date, DateTime, Time};
use icu_datetime::{FixedCalendarDateTimeFormatter, NoCalendarFormatter};
use icu_locale_core::Locale;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use locale_error::LocaleError;
pub use style::Style;
pub use vtimezone::vtimezone;

/// The moment on the clocks of `zone`, in the language of `tag` (BCP 47; one that CLDR does not know reads as its root).
/// The calendar is the Gregorian one everywhere: an appointment is not to be read in two.
pub fn format(moment: Timestamp, zone: &TimeZone, tag: &str, style: Style) -> Result<String, LocaleError> {
    let locale = parse(tag)?;
    let here = moment.to_zoned(zone.clone()).datetime();
    let unheard = |_| LocaleError::Moment;
    let date = Date::try_new_iso(here.year().into(), here.month().unsigned_abs(), here.day().unsigned_abs())
        .map_err(unheard)?
        .to_calendar(Gregorian);
    let time = Time::try_new(here.hour().unsigned_abs(), here.minute().unsigned_abs(), here.second().unsigned_abs(), 0)
        .map_err(unheard)?;
    let missing = |_| LocaleError::Language(tag.into());
    let preferences = (&locale).into();
    Ok(match style {
        Style::Full => FixedCalendarDateTimeFormatter::try_new(preferences, YMDE::long().with_time_hm())
            .map_err(missing)?
            .format(&DateTime { date, time })
            .to_string(),
        Style::Date => FixedCalendarDateTimeFormatter::try_new(preferences, YMDE::long())
            .map_err(missing)?
            .format(&date)
            .to_string(),
        Style::Short => FixedCalendarDateTimeFormatter::try_new(preferences, YMD::short().with_time_hm())
            .map_err(missing)?
            .format(&DateTime { date, time })
            .to_string(),
        Style::Time => NoCalendarFormatter::try_new(preferences, T::hm()).map_err(missing)?.format(&time).to_string(),
    })
}

/// The tag itself in its canonical spelling: pt_br is pt-BR.
pub fn canonical(tag: &str) -> Result<String, LocaleError> {
    Ok(parse(tag)?.to_string())
}

fn parse(tag: &str) -> Result<Locale, LocaleError> {
    Locale::try_from_str(&tag.replace('_', "-")).map_err(|_| LocaleError::Tag(tag.into()))
}
