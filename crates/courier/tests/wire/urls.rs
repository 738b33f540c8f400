//! Which URLs are taken, and what they are understood to be.

use courier::{Guard, Target, UrlError};
use report::Report;

fn parse(text: &str) -> Result<Target, UrlError> {
    Target::parse(text, &Guard::default())
}

/// Spellings of addresses that must not be called, all of which a browser or curl would follow.
const REFUSED: &[(&str, &str)] = &[
    ("http://127.0.0.1/", "127.0.0.1"),
    ("http://2130706433/", "127.0.0.1"),
    ("http://0177.0.0.1/", "127.0.0.1"),
    ("http://0x7f.1/", "127.0.0.1"),
    ("http://0x7f000001/", "127.0.0.1"),
    ("http://017700000001/", "127.0.0.1"),
    ("http://127.1/", "127.0.0.1"),
    ("http://127.0.1/", "127.0.0.1"),
    ("http://127.0.0.1./", "127.0.0.1"),
    ("http://127%2e0%2e0%2e1/", "127.0.0.1"),
    ("http://①②⑦.0.0.1/", "127.0.0.1"),
    ("http://127。0。0。1/", "127.0.0.1"),
    ("http://0/", "0.0.0.0"),
    ("HTTPS://0:8443/", "0.0.0.0"),
    ("http://[::1]/", "::1"),
    ("http://[::]/", "::"),
    ("http://[0:0:0:0:0:0:0:1]/", "::1"),
    ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
    ("http://[::ffff:7f00:1]/", "::ffff:127.0.0.1"),
    ("http://[64:ff9b::a9fe:a9fe]/", "64:ff9b::a9fe:a9fe"),
    ("http://[64:ff9b:1::7f00:1]/", "64:ff9b:1::7f00:1"),
    ("http://[2002:7f00:1::]/", "2002:7f00:1::"),
    ("http://[2001:0:7f00:1::]/", "2001:0:7f00:1::"),
    ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
    ("http://2852039166/", "169.254.169.254"),
    ("http://[fd00:ec2::254]/", "fd00:ec2::254"),
    ("http://10.0.0.1:8080/", "10.0.0.1"),
];

#[test]
fn every_spelling_of_a_refused_address_is_refused() {
    for (text, address) in REFUSED {
        match parse(text) {
            Err(UrlError::Refused(refused)) => assert_eq!(refused.address.to_string(), *address, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_url_is_taken_apart() {
    let target = parse("https://Hooks.Example.com:8443/a b".replace(' ', "%20").as_str()).unwrap();
    assert_eq!((target.host().as_str(), target.port(), target.is_tls()), ("hooks.example.com", 8443, true));
    assert_eq!(target.as_str(), "https://Hooks.Example.com:8443/a%20b");
    assert_eq!(target.address(), None);
    assert_eq!(parse("http://example.com").unwrap().port(), 80);
    assert_eq!(parse("https://example.com?q#part").unwrap().port(), 443);
    assert_eq!(parse("https://bücher.example/").unwrap().host(), "xn--bcher-kva.example");
    assert_eq!(parse("http://8.8.8.8/").unwrap().address(), Some([8, 8, 8, 8].into()));
    // resolved, and judged, at each connect
    assert!(parse("http://localhost/").is_ok());
    assert!(parse("http://metadata.google.internal./").is_ok());
}

#[test]
fn what_is_not_taken_says_why() {
    use UrlError::*;
    let scheme = |got: &str| Scheme(got.to_owned());
    assert_eq!(parse("ftp://example.com/").unwrap_err(), scheme("ftp"));
    assert_eq!(parse("file:///etc/passwd").unwrap_err(), scheme("file"));
    assert_eq!(parse("gopher://example.com:70/_x").unwrap_err(), scheme("gopher"));
    assert_eq!(parse("http://").unwrap_err(), NoHost);
    assert_eq!(parse("https:///path").unwrap_err(), NoHost);
    assert_eq!(parse("http://:80/").unwrap_err(), NoHost);
    assert_eq!(parse("http://?q").unwrap_err(), NoHost);
    assert_eq!(parse("http://user@example.com/").unwrap_err(), Credentials);
    assert_eq!(parse("http://user:secret@example.com/").unwrap_err(), Credentials);
    assert_eq!(parse("http://:secret@example.com/").unwrap_err(), NoHost);
    let long = format!("https://example.com/{}", "x".repeat(8000));
    assert_eq!(parse(&long).unwrap_err(), TooLong(long.len()));
    for text in [
        "",
        "example.com",
        "example.com/hook",
        "example.com:8080/hook",
        "/hook",
        "http:example.com",
        "http:/example.com",
        "http://exa mple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nx: y",
        " http://example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://[::1",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://exa<mple/",
    ] {
        assert!(matches!(parse(text), Err(Malformed(_))), "{text}: {:?}", parse(text));
    }
}

#[test]
fn errors_have_a_message_without_secrets_and_a_hint() {
    for text in ["http://", "ftp://x/", "http://u:secret@x/", "http://127.1/", "x", "http://x:0/"] {
        let error = parse(text).unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert!(error.to_string().starts_with("the URL"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.ends_with('.')));
    }
}
