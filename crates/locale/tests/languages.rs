//! What clients read, in the languages that were asked for, and what must not break it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use locale::{LocaleError, Style, canonical, format};
use proptest::prelude::*;

fn say(moment: &str, zone: &str, tag: &str, style: Style) -> String {
    let moment: Timestamp = moment.parse().unwrap();
    let text = format(moment, &TimeZone::get(zone).unwrap(), tag, style).unwrap();
    // CLDR puts narrow no-break spaces before AM and PM.
    text.replace(['\u{202f}', '\u{a0}'], " ")
}

#[test]
fn one_moment_in_many_languages() {
    for (tag, text) in [
        ("en", "Friday, November 13, 2026 at 10:00 AM"),
        ("en-GB", "Friday, 13 November 2026 at 10:00"),
        ("es", "viernes, 13 de noviembre de 2026 a las 10:00"),
        ("es-MX", "viernes, 13 de noviembre de 2026 a las 10:00 a.m."),
        ("de", "Freitag, 13. November 2026 um 10:00"),
        ("fr", "vendredi 13 novembre 2026 à 10:00"),
        ("pt", "sexta-feira, 13 de novembro de 2026 às 10:00"),
        ("nl", "vrijdag 13 november 2026 om 10:00"),
        ("it", "venerdì 13 novembre 2026 alle ore 10:00"),
        ("ja", "2026年11月13日金曜日 10:00"),
    ] {
        assert_eq!(say("2026-11-13T16:00:00Z", "America/Mexico_City", tag, Style::Full), text, "{tag}");
    }
    let english = |style| say("2026-11-13T16:00:00Z", "America/Mexico_City", "en", style);
    assert_eq!(english(Style::Date), "Friday, November 13, 2026");
    assert_eq!(english(Style::Time), "10:00 AM");
    assert_eq!(english(Style::Short), "11/13/26, 10:00 AM");
}

#[test]
fn the_clock_is_the_zones() {
    let time = |moment, zone| say(moment, zone, "de", Style::Time);
    assert_eq!(time("2026-03-29T00:59:59Z", "Europe/Madrid"), "01:59");
    assert_eq!(time("2026-03-29T01:00:00Z", "Europe/Madrid"), "03:00");
    assert_eq!(time("2026-10-25T00:30:00Z", "Europe/Madrid"), "02:30");
    assert_eq!(time("2026-10-25T01:30:00Z", "Europe/Madrid"), "02:30");
    assert_eq!(time("2026-06-01T00:00:00Z", "Asia/Kolkata"), "05:30");
}

#[test]
fn tags_are_taken_as_people_write_them() {
    assert_eq!(canonical("pt_br"), Ok("pt-BR".into()));
    assert_eq!(canonical("ES-mx"), Ok("es-MX".into()));
    for wrong in ["", "e", "español", "en-", "x y", "'; drop table"] {
        assert_eq!(canonical(wrong), Err(LocaleError::Tag(wrong.into())), "{wrong}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(seconds in -62_000_000_000i64..250_000_000_000, tag in "[a-z]{2}(-[A-Z]{2})?", zone in 0..4usize) {
        let zone = TimeZone::get(["UTC", "America/Mexico_City", "Asia/Kathmandu", "Pacific/Apia"][zone]).unwrap();
        for style in [Style::Full, Style::Date, Style::Time, Style::Short] {
            let text = format(Timestamp::from_second(seconds).unwrap(), &zone, &tag, style);
            prop_assert!(text.is_ok_and(|text| !text.is_empty()));
        }
    }
}
