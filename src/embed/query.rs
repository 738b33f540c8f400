//! One text, for searching: from the cache, or asked of the embedder while the caller waits.

use courier::{Fetch, Receipt};
use embedding::Outcome;
use pgrx::prelude::*;

use super::client::{Client, Settings};
use super::{bytes, floats, verbs};
use crate::engine;
use crate::error::{invalid, raise};

/// Raises when the text is blank, or no vector can be had.
pub fn embed(text: &str, embedder: Option<&str>) -> Vec<f32> {
    if text.trim().is_empty() {
        invalid("the text to embed is empty", Some("Give a text with a character other than white space.".into()));
    }
    let (id, owner) = verbs::find(embedder);
    let Some(settings) = verbs::settings(owner, id).map(|json| Settings::parse(&json)) else {
        raise(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, "the embedder is gone", None, None)
    };
    if text.chars().count() > usize::try_from(settings.batch_chars).unwrap_or(usize::MAX) {
        invalid(
            format!("the text has more characters than the embedder's batch_chars of {}", settings.batch_chars),
            None,
        );
    }
    let hash = sha256(text);
    if let Some(known) = verbs::known(owner, id, &settings.model, &hash) {
        let known = floats(&known);
        if known.len() == settings.dimensions {
            return known;
        }
    }
    let client = Client::new(settings).unwrap_or_else(|why| fail(why));
    match client.judge(ask(&client, text), 1).0 {
        Outcome::Embedded(answer) => {
            let vector = answer.vectors.into_iter().next().unwrap_or_default();
            let tokens = i64::try_from(answer.tokens).unwrap_or(i64::MAX);
            verbs::keep(owner, id, &client.settings.model, &hash, bytes(&vector), tokens);
            vector
        }
        Outcome::Refused(why) | Outcome::Throttled(why, _) | Outcome::Down(why) | Outcome::Denied(why) => fail(why),
    }
}

fn ask(client: &Client, text: &str) -> Receipt {
    let request = client.request(0, &[text]);
    let fetch = engine::without_signals(|| Fetch::start(client.courier_config(1), request)).unwrap_or_else(|error| {
        raise(PgSqlErrorCode::ERRCODE_SYSTEM_ERROR, format!("cannot start a thread: {error}"), None, None)
    });
    // A cancel raises from here and ends the wait.
    fetch.wait(&|| {
        check_for_interrupts!();
        false
    })
}

fn fail(why: String) -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
        "the embedder gave no vector",
        Some(why),
        Some("See frontdesk.embedders.".into()),
    )
}

/// PostgreSQL's own.
fn sha256(text: &str) -> Vec<u8> {
    let args = [text.into()];
    let query = "select pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8'))";
    Spi::get_one_with_args(query, &args).ok().flatten().unwrap_or_default()
}
