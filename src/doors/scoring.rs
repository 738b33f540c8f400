//! Room 50: scores, their reasons, and models learned from history.

use std::rc::Rc;

use ::scoring::{Book, Line, Points, Sample};
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use serde_json::Value;

use crate::capture::models::{self, Otherwise};
use crate::error::{OrReport, invalid, raise};
use crate::pg::door;

#[pg_extern(sql = false)]
fn score_of(facts: Option<&str>, model: Option<&str>, tenant: Option<Uuid>) -> Option<AnyNumeric> {
    let facts = object(facts?);
    let (book, place, now) = find(model, tenant, Otherwise::Refused);
    numeric(book.points(place, &facts, now))
}

#[pg_extern(sql = false)]
fn score_tier_of(score: Option<AnyNumeric>, model: Option<&str>, tenant: Option<Uuid>) -> Option<String> {
    let (book, place, _) = find(model, tenant, Otherwise::Refused);
    let score: f64 = score?.try_into().ok()?;
    book.tier(place, Points::nearest(score)).map(str::to_string)
}

#[pg_extern(sql = false)]
fn score_parts(model: Option<&str>, tenant: Option<Uuid>) -> Vec<String> {
    let (book, place, _) = find(model, tenant, Otherwise::Everybodys);
    book.parts(place).into_iter().map(str::to_string).collect()
}

#[pg_extern(sql = false)]
fn explain_score_of(
    facts: Option<&str>,
    model: Option<&str>,
    tenant: Option<Uuid>,
) -> TableIterator<'static, (name!(rule, String), name!(points, Option<AnyNumeric>), name!(reason, String))> {
    let Some(facts) = facts.map(object) else { return TableIterator::new(Vec::new()) };
    let (book, place, now) = find(model, tenant, Otherwise::Refused);
    let score = book.score(place, &facts, now);
    let row = |line: &Line| (line.rule.to_string(), numeric(line.points), line.reason());
    TableIterator::new(score.lines().iter().map(row).collect::<Vec<_>>())
}

#[pg_extern(sql = false)]
fn check_score_book(models: &str) {
    models::compile(models).or_report();
}

#[pg_extern(sql = false)]
fn scores_changed() {
    models::changed();
}

#[pg_extern(sql = false)]
fn fit_score_model(name: &str, facts: Vec<Option<String>>, won: Vec<Option<bool>>) -> pgrx::JsonB {
    let samples: Vec<Sample> = facts
        .into_iter()
        .zip(won)
        .filter_map(|(facts, won)| Some(Sample { facts: object(&facts?), won: won? }))
        .collect();
    let trained = ::scoring::train(name, &samples).or_report();
    pgrx::JsonB(serde_json::to_value(trained).unwrap_or_default())
}

fn object(facts: &str) -> Value {
    let facts = filter::document(facts);
    if !facts.is_object() {
        invalid("facts are a JSON object", Some("As in {\"email\": \"ada@example.com\", \"budget\": 5000}.".into()));
    }
    facts
}

fn find(model: Option<&str>, tenant: Option<Uuid>, otherwise: Otherwise) -> (Rc<Book>, usize, f64) {
    let models = models::current();
    let tenant = tenant.map(|tenant| *tenant.as_bytes());
    let book = models.book(tenant, door::current_role(), otherwise).map_err(Rc::unwrap_or_clone).or_report();
    let model = model.unwrap_or("default");
    let place = book.place(model).unwrap_or_else(|| {
        raise(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!("score model \"{model}\" does not exist"),
            None,
            Some(match book.names().as_slice() {
                [] => "Make one with frontdesk.set_score_model().".to_string(),
                names => format!("There are {}.", names.join(", ")),
            }),
        )
    });
    (book, place, models.now)
}

fn numeric(points: Points) -> Option<AnyNumeric> {
    AnyNumeric::try_from(points.to_string().as_str()).ok()
}
