//! One spelling each, and what is refused.

use contact::{
    ContactError, clean_line, normalize_email, normalize_handle, normalize_phone, phone_key, phone_spellings,
};
use proptest::prelude::*;
use report::Report;

fn phone(text: &str, country: &str) -> Option<String> {
    normalize_phone(text, Some(country)).unwrap_or_else(|error| panic!("{error}")).map(|phone| phone.number)
}

fn phone_error(text: &str, country: Option<&str>) -> String {
    normalize_phone(text, country).expect_err(text).to_string()
}

#[test]
fn phones_are_e164() {
    for (text, country, number) in [
        ("(415) 555-2671", "US", "+14155552671"),
        ("+1 415 555 0123", "ES", "+14155550123"),
        ("001 415 555 0123", "ES", "+14155550123"),
        ("612 34 56 78", "es", "+34612345678"),
        ("0176 12345678", "DE", "+4917612345678"),
        ("tel:+34-612-345-678", "US", "+34612345678"),
        ("\u{202a}+34 612 345 678\u{202c}", "US", "+34612345678"),
        ("٠١٠١٢٣٤٥٦٧٨", "EG", "+201012345678"),
        ("＋８１ ９０ １２３４ ５６７８", "JP", "+819012345678"),
        // Mexico's numbers as they were before 2019, and as WhatsApp gives them.
        ("55 1234 5678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", "US", "+525512345678"),
        ("5215512345678", "MX", "+525512345678"),
        ("525512345678", "MX", "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"),
    ] {
        assert_eq!(phone(text, country).as_deref(), Some(number), "{text} {country}");
    }
    assert_eq!(phone(" \t\u{200b}", "US"), None);
    let with_extension = normalize_phone("650 253 0000 ext. 12", Some("US")).unwrap().unwrap();
    assert_eq!((with_extension.number.as_str(), with_extension.extension.as_deref()), ("+16502530000", Some("12")));
}

#[test]
fn what_stands_around_a_phone_does_not_matter() {
    for text in [
        "whatsapp:+5215512340077",
        "WhatsApp: +52 1 55 1234 0077",
        "whatsapp:5215512340077",
        "+5215512340077",
        "++52 55 1234 0077",
        "(+52) 55 1234 0077",
        "[+52] 1 (55) 1234-0077",
        "tel:+52-55-1234-0077",
        "tel:+525512340077;ext=7",
        "TEL:+525512340077",
        "sms:+525512340077",
        "smsto:+525512340077",
        "callto://+525512340077",
        "Tel.: +52 55 1234 0077",
        "Móvil: +52.55.1234.0077",
        "＋５２ ５５ １２３４ ００７７",
        "+٥٢١٥٥١٢٣٤٠٠٧٧",
        "\u{202a}+52 55 1234 0077\u{202c}",
        "+52\u{a0}55\u{2011}1234\u{2011}0077",
        "https://wa.me/5215512340077",
        "wa.me/525512340077?text=Hola",
        "https://api.whatsapp.com/send?phone=5215512340077&text=Hola",
        "https://api.whatsapp.com/send/?phone=%2B525512340077",
        "whatsapp://send?phone=5215512340077",
        "5215512340077@s.whatsapp.net",
        "5215512340077:12@s.whatsapp.net",
        "5215512340077@c.us",
    ] {
        let number = normalize_phone(text, None).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(number.unwrap().number, "+525512340077", "{text}");
    }
    assert_eq!(phone("+49 (0)30 123456", "US").as_deref(), Some("+4930123456"));
    assert_eq!(phone("+34 (0)612 345 678", "US").as_deref(), Some("+34612345678"));
    assert_eq!(phone("+39 (0)6 1234 5678", "US").as_deref(), Some("+390612345678"));
    for text in
        ["whatsapp:", "whatsapp:12", "https://wa.me/", "123@s.whatsapp.net", "https://wa.me/message/ABC", "@c.us"]
    {
        assert!(normalize_phone(text, Some("US")).is_err(), "{text}");
    }
}

#[test]
fn one_phone_has_one_key_however_it_was_written_down() {
    for (key, spellings) in [
        // WhatsApp's spelling of Brazilian mobiles lacks the ninth digit; land lines have none.
        ("+5541988887777", &["+5541988887777", "+554188887777"][..]),
        ("+554133334444", &["+554133334444"]),
        // Argentina's mobiles have a 9 from abroad.
        ("+541123456789", &["+5491123456789", "+541123456789"]),
        ("+542944123456", &["+5492944123456", "+542944123456"]),
        // Benin before 2024.
        ("+2290197123456", &["+2290197123456", "+22997123456"]),
        ("+24166031234", &["+24106031234", "+24166031234"]),
        ("+525512340077", &["+525512340077"]),
        ("+14155550123", &["+14155550123"]),
    ] {
        for spelling in spellings {
            assert_eq!(phone_key(spelling).as_deref(), Some(key), "{spelling}");
            let mut all = phone_spellings(spelling);
            assert_eq!(all[0], key);
            all.sort();
            let mut expected = spellings.to_vec();
            expected.sort();
            assert_eq!(all, expected, "{spelling}");
        }
    }
    // Home's 15 and WhatsApp's 9 are one mobile; numbers of Ivory Coast from before 2021 are still in address books.
    assert_eq!(phone("011 15-2345-6789", "AR").as_deref(), Some("+5491123456789"));
    assert_eq!(phone("+225 07 12 34 56", "US").as_deref(), Some("+2250707123456"));
    assert_eq!(phone_spellings("+2250707123456"), ["+2250707123456", "+22507123456"]);
    // Of no country that is known: the digits.
    assert_eq!(phone_key("55 1234 5678"), phone_key("(55) 1234-5678"));
    assert_ne!(phone_key("55 1234 5678"), phone_key("+52 55 1234 5678"));
}

#[test]
fn what_is_typed_where_a_form_insists_is_nobodys() {
    for number in [
        "1111111111",
        "+11111111111",
        "0000000000",
        "+10000000000",
        "123456789",
        "+1234567890",
        "+521234567890",
        "0123456789",
        "+34600000000",
        "987654321",
        "+525500000000",
        "+15555555555",
        "5555555",
        "123",
        "0",
        "-",
        "",
    ] {
        assert_eq!(phone_key(number), None, "{number}");
        assert!(phone_spellings(number).is_empty());
    }
    for number in ["55 1234 5678", "+525512345678", "+14155550123", "+34612345678", "+4930123456", "+18005550199"] {
        assert!(phone_key(number).is_some(), "{number}");
    }
}

#[test]
fn phones_say_what_is_wrong() {
    assert!(phone_error("555 2671", Some("US")).ends_with("its area code is missing"));
    assert!(phone_error("+1 415 555", Some("US")).contains("too few digits"));
    assert!(phone_error("+1 415 555 0123 4567 89", Some("US")).contains("too many digits"));
    assert!(phone_error("+999 123 4567", Some("US")).contains("no country has this code"));
    assert!(phone_error("call me", Some("US")).contains("not written as one"));
    assert!(phone_error("'; drop table leads; --", Some("US")).contains("not written as one"));
    assert!(phone_error(&"1".repeat(1000), Some("US")).contains("too long"));
    assert!(matches!(normalize_phone("415 555 2671", None), Err(ContactError::PhoneWithoutCountry { .. })));
    for country in ["XX", "USA", "é", "1", "UN"] {
        assert!(
            matches!(normalize_phone("415 555 2671", Some(country)), Err(ContactError::Country { .. })),
            "{country}"
        );
    }
    assert!(!phone_error("\u{1b}[2J", Some("US")).contains('\u{1b}'));
}

#[test]
fn emails_are_lower_case() {
    for (text, address) in [
        ("Ana@Example.COM", "ana@example.com"),
        (" ana.garcia+news@mail.example.co.uk\n", "ana.garcia+news@mail.example.co.uk"),
        ("Ana García <ana@example.com>", "ana@example.com"),
        ("mailto:ana@example.com", "ana@example.com"),
        ("\u{200b}ana@example.com\u{feff}", "ana@example.com"),
        ("JOSÉ@CORREO.ESPAÑA", "josé@correo.españa"),
        ("用户@例子.中国", "用户@例子.中国"),
        ("o'brien@example.ie", "o'brien@example.ie"),
        // One domain in the DNS is one here.
        ("ana@xn--kln-sna.de", "ana@köln.de"),
        ("Ana@XN--KLN-SNA.DE", "ana@köln.de"),
        ("ana@KÖLN.de", "ana@köln.de"),
        ("ana@ko\u{308}ln.de", "ana@köln.de"),
        ("ana@ｅｘａｍｐｌｅ.com", "ana@example.com"),
        ("ana@mail.xn--e1afmkfd.xn--p1ai", "ana@mail.пример.рф"),
        ("ana@xn--a.example", "ana@xn--a.example"),
    ] {
        assert_eq!(normalize_email(text).unwrap().as_deref(), Some(address), "{text}");
    }
    assert_eq!(normalize_email(" ").unwrap(), None);
}

#[test]
fn emails_that_are_none() {
    let long = format!("{}@example.com", "a".repeat(65));
    for text in [
        "ana",
        "ana@",
        "@example.com",
        "ana@example",
        "ana@localhost",
        "ana @example.com",
        "a..b@example.com",
        ".ana@example.com",
        "ana@exa mple.com",
        "ana@-example.com",
        "ana@example..com",
        "ana@example.com.",
        "ana@10.0.0.1",
        "ana@b@c.de",
        "ana@example.com, bea@example.com",
        "<script>@example.com",
        "ana@exam\u{0}ple.com",
        "null",
        &long,
    ] {
        let error = normalize_email(text).expect_err(text);
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
    }
}

#[test]
fn handles_are_names() {
    for (text, name) in [
        ("@Ana.Garcia", "ana.garcia"),
        ("https://www.instagram.com/Ana.Garcia/?igsh=1", "ana.garcia"),
        ("instagram.com/ana", "ana"),
        ("https://t.me/ana_g", "ana_g"),
        ("m.me/ana", "ana"),
        ("https://www.facebook.com/profile.php?id=1000123&x=1", "1000123"),
        ("-100123456", "-100123456"),
    ] {
        assert_eq!(normalize_handle(text).unwrap().as_deref(), Some(name), "{text}");
    }
    assert_eq!(normalize_handle("").unwrap(), None);
    for text in [
        "ana garcia",
        "@",
        "https://example.com/ana",
        "https://instagram.com",
        "instagram.com/",
        "<b>",
        &"a".repeat(101),
    ] {
        assert!(normalize_handle(text).is_err(), "{text}");
    }
}

#[test]
fn lines_are_lines() {
    assert_eq!(clean_line("  Ana \r\n\t García\u{0}  ").as_deref(), Some("Ana García"));
    assert_eq!(clean_line("\u{0}\n ").as_deref(), None);
    assert_eq!(clean_line("مرحبا 👩‍👩‍👧").as_deref(), Some("مرحبا 👩‍👩‍👧"));
    assert!(matches!(clean_line("Ana García"), Some(std::borrow::Cow::Borrowed(_))));
}

proptest! {
    #[test]
    fn twice_is_once(text in any::<String>(), country in prop::sample::select(vec!["US", "MX", "ES", "DE", "AR", "BR", "IN"])) {
        if let Ok(Some(address)) = normalize_email(&text) {
            prop_assert_eq!(normalize_email(&address), Ok(Some(address)));
        }
        if let Ok(Some(name)) = normalize_handle(&text) {
            prop_assert_eq!(normalize_handle(&name), Ok(Some(name)));
        }
        if let Ok(Some(phone)) = normalize_phone(&text, Some(country)) {
            prop_assert_eq!(normalize_phone(&phone.number, Some("FR")).map(|p| p.map(|p| p.number)), Ok(Some(phone.number)));
        }
        if let Some(line) = clean_line(&text) {
            prop_assert!(clean_line(&line).is_some_and(|again| again == line));
        }
    }

    #[test]
    fn digits_twice_are_digits_once(text in "[+(]{0,2}[0-9 ().-]{5,18}", country in prop::sample::select(vec!["US", "MX", "ES", "DE", "AR", "BR", "IN", "IT", "BJ", "CI", "GA"])) {
        if let Ok(Some(phone)) = normalize_phone(&text, Some(country)) {
            if let Some(key) = phone_key(&phone.number) {
                for spelling in phone_spellings(&phone.number) {
                    prop_assert_eq!(phone_key(&spelling), Some(key.clone()), "{}", spelling);
                }
                prop_assert_eq!(phone_key(&key), Some(key));
            }
            prop_assert_eq!(normalize_phone(&phone.number, None).map(|p| p.map(|p| p.number)), Ok(Some(phone.number)));
        }
    }
}
