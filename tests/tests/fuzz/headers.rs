//! Headers of any content: what goes out is what was given, or was refused when it was given; what comes in verifies or not.

use std::collections::BTreeMap;
use std::time::Instant;

use postgres::Client;
use receiver::Record;
use serde_json::{Map, Value};
use tests::{Desk, Server, said, wait_until};

use super::texts::Texts;
use super::values::Chance;
use super::{is_inside, seconds};

/// Beyond the printable characters.
const TAILS: [&str; 8] = ["", "", "", "", "\r\nx-planted: 1", "\u{1}", "\t", " "];

/// The receiver remembers the last hundred requests.
const BATCH: usize = 50;

const SCHEMES: [&str; 5] = ["standard", "sha256", "stripe", "twilio", "chatwoot"];

/// Headers by the path that they are sent to.
type Sent = BTreeMap<String, Map<String, Value>>;

#[test]
#[ignore = "takes a minute: cargo xtask test hostile fuzz"]
fn headers_of_any_content_are_sent_as_they_are_or_refused() {
    let desk = Desk::on(&Server::preloaded(&[("statement_timeout", "60s")]));
    let mut session = desk.session();
    let (mut chance, mut texts) = (Chance(desk.engine() as u64), Texts::of(include_str!("headers.txt")));
    let (mut number, mut findings, started) = (0, Vec::new(), Instant::now());
    while started.elapsed() < seconds() && findings.len() < 20 && !session.is_closed() {
        let mut sent = Sent::new();
        for _ in 0..BATCH {
            number += 1;
            let headers = headers(&mut chance, &mut texts);
            let path = format!("/ok?{number}");
            match given(&mut session, &desk.receiver.url(&path), number, &headers) {
                Ok(true) => drop(sent.insert(path, headers)),
                Ok(false) => {}
                Err(finding) => findings.push(finding),
            }
        }
        findings.extend(differences(&desk, &sent));
        desk.run("select frontdesk.remove_endpoint(name) from frontdesk.endpoints");
    }
    assert!(findings.is_empty(), "{number} requests, {} findings:\n{}", findings.len(), findings.join("\n"));
    desk.wait("(select state = 'running' and retrying = 0 from frontdesk.status())");
}

fn headers(chance: &mut Chance, texts: &mut Texts) -> Map<String, Value> {
    let mut text = || texts.next() + TAILS[chance.below(TAILS.len())];
    // Most names are taken, so that values are looked at.
    let pairs: Vec<(String, String)> = (0..3).map(|n| (format!("x-{n}"), text())).collect();
    let mut headers: Map<String, Value> = pairs.into_iter().map(|(name, value)| (name, value.into())).collect();
    if chance.below(2) == 0 {
        headers.insert(texts.next(), texts.next().into());
    }
    headers
}

/// Whether they were taken: by a request, or by an endpoint that is tried at once. Verifies with them too.
fn given(session: &mut Client, url: &str, number: usize, headers: &Map<String, Value>) -> Result<bool, String> {
    let headers = Value::Object(headers.clone());
    let failed = |error: postgres::Error| match is_inside(&error) {
        true => Err(format!("{}: {headers}", said(&error))),
        false => Ok(false),
    };
    let scheme = SCHEMES[number % SCHEMES.len()];
    let verify = "select frontdesk.verify_webhook('a secret of good length', $1, '{}'::bytea, $2)";
    match session.query_one(verify, &[&headers, &scheme]) {
        Ok(row) if row.get(0) => return Err(format!("{scheme} verifies {headers}")),
        Ok(_) => {}
        Err(error) => drop(failed(error)?),
    }
    let is_endpoint = number.is_multiple_of(5);
    let sql = match is_endpoint {
        true => "select 1 where frontdesk.add_endpoint('n' || $3::bigint, $1, headers => $2) is not null",
        false => "select 1 where frontdesk.http_post($1, headers => $2) > $3::bigint * 0",
    };
    match session.execute(sql, &[&url, &headers, &(number as i64)]) {
        Ok(_) if is_endpoint => {
            session.execute("select frontdesk.test_endpoint('n' || $1::bigint)", &[&(number as i64)]).or_else(
                |error| failed(error).and_then(|_| Err(format!("an endpoint with {headers} cannot be tried"))),
            )?;
            Ok(true)
        }
        Ok(_) => Ok(true),
        Err(error) => failed(error),
    }
}

/// What has not come as it was given.
fn differences(desk: &Desk, sent: &Sent) -> Vec<String> {
    let mut came: Vec<Record> = Vec::new();
    wait_until(&format!("{} requests came", sent.len()), || {
        came = desk.receiver.last(100).into_iter().filter(|record| sent.contains_key(&record.path)).collect();
        came.len() >= sent.len()
    });
    let mut findings = Vec::new();
    for record in came {
        for (name, value) in &sent[&record.path] {
            let value = value.as_str().unwrap_or_default().trim();
            let received = record.headers.get(&name.to_ascii_lowercase());
            if !received.is_some_and(|received| received.contains(value)) {
                findings.push(format!("{name}: {value:?} was given, {received:?} has come"));
            }
        }
        if record.headers.contains_key("x-planted") {
            findings.push(format!("a line break was sent: {:?}", record.headers));
        }
    }
    findings
}
