use filter::Document;

use crate::line::{Line, Why};
use crate::model::{Model, Rule};
use crate::{Book, Points, moment};

/// What a model says of some facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Score<'a> {
    pub score: Points,
    pub tier: Option<&'a str>,
    /// Their points add up to the score; a line of none is left out.
    pub lines: Vec<Line<'a>>,
}

impl Book {
    /// `place` is of [`Book::place`]; `now` in seconds since 1970. An unknown place scores nothing.
    pub fn score<D: Document + ?Sized>(&self, place: usize, facts: &D, now: f64) -> Score<'_> {
        let mut lines = Lines { wanted: true, kept: Vec::with_capacity(16) };
        let Some(model) = self.models.get(place) else {
            return Score { score: Points::ZERO, tier: None, lines: lines.kept };
        };
        let score = self.evaluate(model, facts, now, &mut lines);
        Score { score, tier: model.tier(score), lines: lines.kept }
    }

    /// The same without its lines.
    pub fn points<D: Document + ?Sized>(&self, place: usize, facts: &D, now: f64) -> Points {
        let mut lines = Lines { wanted: false, kept: Vec::new() };
        self.models.get(place).map_or(Points::ZERO, |model| self.evaluate(model, facts, now, &mut lines))
    }

    /// `None` for a model without tiers, and for one that is not there.
    pub fn tier(&self, place: usize, score: Points) -> Option<&str> {
        self.models.get(place)?.tier(score)
    }

    fn evaluate<'a, D: Document + ?Sized>(
        &'a self,
        model: &'a Model,
        facts: &D,
        now: f64,
        lines: &mut Lines<'a>,
    ) -> Points {
        let mut total = match model.is_logistic {
            true => logistic(model, facts, lines),
            false => self.linear(model, facts, now, lines),
        };
        if total > model.cap {
            lines.add("cap", model.cap - total, || Why::Cap(model.cap));
            total = model.cap;
        }
        if let Some(decay) = &model.decay
            && total > Points::ZERO
            && let Some(begin) = facts.at(&decay.moment).and_then(moment::seconds)
        {
            // What lies ahead has not begun to fade.
            let age = (now - begin).max(0.0);
            let left = total.times((-age / decay.half_life).exp2());
            lines.add("decay", left - total, || Why::Decay { age, half_life: decay.half_life });
            total = left;
        }
        if total < model.floor {
            lines.add("floor", model.floor - total, || Why::Floor(model.floor));
            total = model.floor;
        }
        total
    }

    fn linear<'a, D: Document + ?Sized>(
        &'a self,
        model: &'a Model,
        facts: &D,
        now: f64,
        lines: &mut Lines<'a>,
    ) -> Points {
        let mut total = Points::nearest(model.base);
        lines.add("base", total, || Why::Base);
        let mut groups = vec![Points::ZERO; model.groups.len()];
        for rule in &model.rules {
            if !applies(rule, facts) {
                continue;
            }
            let points = match rule.part {
                Some(part) => self.part(rule, &self.models[part], facts, now, lines),
                None => {
                    let Some((share, why)) = weighed(rule, facts) else { continue };
                    let points = Points::nearest(rule.points * share);
                    lines.add(&rule.name, points, || why);
                    points
                }
            };
            total += points;
            if let Some(group) = rule.group {
                groups[group] += points;
            }
        }
        for ((name, maximum), sum) in model.groups.iter().zip(groups) {
            if sum > *maximum {
                total += *maximum - sum;
                lines.add_named(|| format!("group.{name}"), *maximum - sum, || Why::Group { name, maximum: *maximum });
            }
        }
        total
    }

    /// The weighted score of another model. Its lines are weighted so that they, rounded, still add up to it.
    fn part<'a, D: Document + ?Sized>(
        &'a self,
        rule: &'a Rule,
        model: &'a Model,
        facts: &D,
        now: f64,
        lines: &mut Lines<'a>,
    ) -> Points {
        let mut inner = Lines { wanted: lines.wanted, kept: Vec::new() };
        let score = self.evaluate(model, facts, now, &mut inner);
        let (mut sum, mut given) = (Points::ZERO, Points::ZERO);
        for line in inner.kept {
            sum += line.points;
            let points = sum.times(rule.points) - given;
            given += points;
            lines.add_named(|| format!("{}.{}", rule.name, line.rule), points, || line.why);
        }
        score.times(rule.points)
    }
}

/// 100 times the probability. Each rule has the difference that it makes after those before it.
fn logistic<'a, D: Document + ?Sized>(model: &'a Model, facts: &D, lines: &mut Lines<'a>) -> Points {
    let percent = |log_odds: f64| Points::nearest(100.0 / (1.0 + (-log_odds).exp()));
    let mut log_odds = model.base;
    let mut total = percent(log_odds);
    lines.add("base", total, || Why::Base);
    for rule in &model.rules {
        if !applies(rule, facts) {
            continue;
        }
        let Some((share, why)) = weighed(rule, facts) else { continue };
        log_odds += rule.points * share;
        let next = percent(log_odds);
        lines.add(&rule.name, next - total, || why);
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
    kept: Vec<Line<'a>>,
}

impl<'a> Lines<'a> {
    fn add(&mut self, rule: &str, points: Points, why: impl FnOnce() -> Why<'a>) {
        self.add_named(|| rule.to_string(), points, why);
    }

    fn add_named(&mut self, rule: impl FnOnce() -> String, points: Points, why: impl FnOnce() -> Why<'a>) {
        if self.wanted && points != Points::ZERO {
            self.kept.push(Line { rule: rule(), points, why: why() });
        }
    }
}
