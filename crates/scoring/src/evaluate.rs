use std::fmt::Write;

use filter::Document;

use crate::keys::{self, Keys};
use crate::line::{Line, Why};
use crate::model::{Model, Rule};
use crate::{Book, Points, moment, stored};

/// What a model says of some facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Score<'a> {
    pub score: Points,
    pub tier: Option<&'a str>,
    entries: Vec<Entry<'a>>,
    keys: Option<&'a Keys>,
}

/// A line whose name is a key of the model.
#[derive(Clone, Debug, PartialEq)]
struct Entry<'a> {
    key: usize,
    points: Points,
    why: Why<'a>,
}

impl<'a> Score<'a> {
    /// Their points add up to the score; a line of none is left out.
    pub fn lines(&self) -> Vec<Line<'a>> {
        let Some(keys) = self.keys else { return Vec::new() };
        let line =
            |entry: &Entry<'a>| Line { rule: &keys.names[entry.key], points: entry.points, why: entry.why.clone() };
        self.entries.iter().map(line).collect()
    }

    /// The points of each line as the text of a jsonb object.
    pub fn breakdown(&self) -> String {
        let mut text = String::with_capacity(2 + self.entries.len() * 24);
        text.push('{');
        for (rule, points) in self.sorted() {
            let comma = if text.len() > 1 { ", " } else { "" };
            // Writing into a String cannot fail.
            let _ = write!(text, "{comma}\"{rule}\": {points}");
        }
        text.push('}');
        text
    }

    /// Whether a jsonb, its bytes after the length, is this breakdown.
    pub fn is_stored_as(&self, jsonb: &[u8]) -> bool {
        stored::pairs(jsonb).is_some_and(|pairs| {
            pairs.len() == self.entries.len()
                && pairs
                    .into_iter()
                    .zip(self.sorted())
                    .all(|(stored, (rule, points))| stored == (rule.as_bytes(), points))
        })
    }

    /// In the order of jsonb.
    fn sorted(&self) -> impl Iterator<Item = (&'a str, Points)> {
        let mut sorted: Vec<(usize, &str, Points)> = Vec::with_capacity(self.entries.len());
        if let Some(keys) = self.keys {
            let line = |entry: &Entry| (keys.ranks[entry.key], keys.names[entry.key].as_str(), entry.points);
            sorted.extend(self.entries.iter().map(line));
        }
        sorted.sort_unstable_by_key(|(rank, ..)| *rank);
        sorted.into_iter().map(|(_, rule, points)| (rule, points))
    }
}

impl Book {
    /// `place` is of [`Book::place`]; `now` in seconds since 1970. An unknown place scores nothing.
    pub fn score<D: Document + ?Sized>(&self, place: usize, facts: &D, now: f64) -> Score<'_> {
        let mut lines = Lines { wanted: true, kept: Vec::with_capacity(16) };
        let Some(model) = self.models.get(place) else {
            return Score { score: Points::ZERO, tier: None, entries: lines.kept, keys: None };
        };
        let score = self.evaluate(place, facts, now, &mut lines);
        Score { score, tier: model.tier(score), entries: lines.kept, keys: self.keys.get(place) }
    }

    /// The same without its lines.
    pub fn points<D: Document + ?Sized>(&self, place: usize, facts: &D, now: f64) -> Points {
        let mut lines = Lines { wanted: false, kept: Vec::new() };
        if place < self.models.len() { self.evaluate(place, facts, now, &mut lines) } else { Points::ZERO }
    }

    /// `None` for a model without tiers, and for one that is not there.
    pub fn tier(&self, place: usize, score: Points) -> Option<&str> {
        self.models.get(place)?.tier(score)
    }

    fn evaluate<'a, D: Document + ?Sized>(
        &'a self,
        place: usize,
        facts: &D,
        now: f64,
        lines: &mut Lines<'a>,
    ) -> Points {
        let model = &self.models[place];
        let mut total = match model.is_logistic {
            true => logistic(model, &self.keys[place], facts, lines),
            false => self.linear(place, facts, now, lines),
        };
        if total > model.cap {
            lines.add(keys::CAP, model.cap - total, || Why::Cap(model.cap));
            total = model.cap;
        }
        if let Some(decay) = &model.decay
            && total > Points::ZERO
            && let Some(begin) = facts.at(&decay.moment).and_then(moment::seconds)
        {
            // What lies ahead has not begun to fade.
            let age = (now - begin).max(0.0);
            let left = total.times((-age / decay.half_life).exp2());
            lines.add(keys::DECAY, left - total, || Why::Decay { age, half_life: decay.half_life });
            total = left;
        }
        if total < model.floor {
            lines.add(keys::FLOOR, model.floor - total, || Why::Floor(model.floor));
            total = model.floor;
        }
        total
    }

    fn linear<'a, D: Document + ?Sized>(&'a self, place: usize, facts: &D, now: f64, lines: &mut Lines<'a>) -> Points {
        let (model, offsets) = (&self.models[place], &self.keys[place].offsets);
        let mut total = Points::nearest(model.base);
        lines.add(keys::BASE, total, || Why::Base);
        let mut groups = vec![Points::ZERO; model.groups.len()];
        for (rule, offset) in model.rules.iter().zip(offsets) {
            if !applies(rule, facts) {
                continue;
            }
            let points = match rule.part {
                Some(part) => self.part(rule.points, part, *offset, facts, now, lines),
                None => {
                    let Some((share, why)) = weighed(rule, facts) else { continue };
                    let points = Points::nearest(rule.points * share);
                    lines.add(*offset, points, || why);
                    points
                }
            };
            total += points;
            if let Some(group) = rule.group {
                groups[group] += points;
            }
        }
        for (number, ((name, maximum), sum)) in model.groups.iter().zip(groups).enumerate() {
            if sum > *maximum {
                total += *maximum - sum;
                lines.add(keys::GROUPS + number, *maximum - sum, || Why::Group { name, maximum: *maximum });
            }
        }
        total
    }

    /// The weighted score of another model. Its lines are weighted so that they, rounded, still add up to it.
    fn part<'a, D: Document + ?Sized>(
        &'a self,
        weight: f64,
        place: usize,
        offset: usize,
        facts: &D,
        now: f64,
        lines: &mut Lines<'a>,
    ) -> Points {
        let begin = lines.kept.len();
        let score = self.evaluate(place, facts, now, lines);
        let (mut sum, mut given) = (Points::ZERO, Points::ZERO);
        for line in &mut lines.kept[begin..] {
            sum += line.points;
            line.points = sum.times(weight) - given;
            line.key += offset;
            given += line.points;
        }
        let mut at = 0;
        lines.kept.retain(|line| {
            at += 1;
            at <= begin || line.points != Points::ZERO
        });
        score.times(weight)
    }
}

/// 100 times the probability. Each rule has the difference that it makes after those before it.
fn logistic<'a, D: Document + ?Sized>(model: &'a Model, keys: &Keys, facts: &D, lines: &mut Lines<'a>) -> Points {
    let percent = |log_odds: f64| Points::nearest(100.0 / (1.0 + (-log_odds).exp()));
    let mut log_odds = model.base;
    let mut total = percent(log_odds);
    lines.add(keys::BASE, total, || Why::Base);
    for (rule, offset) in model.rules.iter().zip(&keys.offsets) {
        if !applies(rule, facts) {
            continue;
        }
        let Some((share, why)) = weighed(rule, facts) else { continue };
        log_odds += rule.points * share;
        let next = percent(log_odds);
        lines.add(*offset, next - total, || why);
        total = next;
    }
    total
}

fn applies<D: Document + ?Sized>(rule: &Rule, facts: &D) -> bool {
    rule.filter.as_ref().is_none_or(|filter| filter.matches(facts))
}

/// How much of the points a rule gives, and why; `None`: its number is not there.
fn weighed<'a, D: Document + ?Sized>(rule: &'a Rule, facts: &D) -> Option<(f64, Why<'a>)> {
    let reason = rule.reason.as_deref();
    match &rule.scale {
        None => Some((1.0, Why::Rule(reason))),
        Some(scale) => {
            let (number, share) = scale.share(facts)?;
            Some((share, Why::Scaled { reason, number, from: scale.from, to: scale.to }))
        }
    }
}

struct Lines<'a> {
    wanted: bool,
    kept: Vec<Entry<'a>>,
}

impl<'a> Lines<'a> {
    fn add(&mut self, key: usize, points: Points, why: impl FnOnce() -> Why<'a>) {
        if self.wanted && points != Points::ZERO {
            self.kept.push(Entry { key, points, why: why() });
        }
    }
}
