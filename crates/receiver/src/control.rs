//! Questions and orders under `/_control/`.

use hyper::{Method, Response, Uri};
use serde::Serialize;

use crate::behaviour::{parameter, status};
use crate::reply::{Reply, json, plain};
use crate::tally::Tally;

/// `GET stats`, `GET ids?path=/x`, `GET last?n=10`, `POST reset`, `PUT toggle/NAME/STATUS`.
pub(crate) fn answer(tally: &mut Tally, method: &Method, uri: &Uri) -> Response<Reply> {
    let what: Vec<&str> = uri.path().trim_start_matches("/_control/").split('/').collect();
    match (method, what.as_slice()) {
        (&Method::GET, ["stats"]) => show(&tally.stats()),
        (&Method::GET, ["ids"]) => show(&tally.arrivals(parameter(uri.query(), "path").as_deref())),
        (&Method::GET, ["last"]) => {
            let n = parameter(uri.query(), "n").and_then(|n| n.parse().ok()).unwrap_or(10);
            show(&tally.last(n).iter().map(|seen| seen.record()).collect::<Vec<_>>())
        }
        (&Method::POST, ["reset"]) => {
            tally.reset();
            plain(200)
        }
        (&Method::PUT, ["toggle", name, code]) => match status(code).or((*code == "0").then_some(0)) {
            Some(code) => {
                tally.set_toggle(name, code);
                plain(200)
            }
            None => json(400, &br#"{"ok":false,"error":"a status is a number from 200 to 999, or 0"}"#[..]),
        },
        _ => plain(404),
    }
}

fn show(what: &impl Serialize) -> Response<Reply> {
    match serde_json::to_vec(what) {
        Ok(body) => json(200, body),
        Err(e) => json(500, e.to_string()),
    }
}
