use std::collections::{BTreeSet, HashMap};

use crate::keys::Keys;
use crate::model::Model;
use crate::{ModelDefinition, ScoreError};

/// How deep models may be parts of parts.
const MAX_DEPTH: usize = 8;
/// Of a model with its parts and their parts.
const MAX_LINES: usize = 20_000;

/// Models that may be parts of each other.
#[derive(Debug, Default)]
pub struct Book {
    pub(crate) models: Vec<Model>,
    places: HashMap<String, usize>,
    /// By place: first keys of every path that the model and its parts look at, sorted.
    columns: Vec<Vec<String>>,
    pub(crate) keys: Vec<Keys>,
}

impl Book {
    /// # Errors
    /// The first mistake.
    pub fn compile(definitions: &[ModelDefinition]) -> Result<Book, ScoreError> {
        let places: HashMap<String, usize> =
            definitions.iter().enumerate().map(|(place, model)| (model.name.clone(), place)).collect();
        let mut known: Vec<String> = places.keys().cloned().collect();
        known.sort();
        let models = definitions
            .iter()
            .map(|definition| Model::compile(definition, |name| places.get(name).copied(), &known))
            .collect::<Result<Vec<_>, _>>()?;
        let mut book = Book { models, places, columns: Vec::new(), keys: Vec::new() };
        for place in 0..book.models.len() {
            let mut columns = BTreeSet::new();
            book.visit(place, &mut Vec::new(), &mut columns)?;
            book.columns.push(columns.into_iter().collect());
        }
        for place in 0..book.models.len() {
            let lines = book.lines(place);
            if lines > MAX_LINES {
                return Err(ScoreError::TooManyRules { model: book.models[place].name.clone(), rules: lines });
            }
            book.keys.push(book.keys_of(place));
        }
        Ok(book)
    }

    pub fn place(&self, model: &str) -> Option<usize> {
        self.places.get(model).copied()
    }

    /// The names of all models, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.places.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The first keys of every path that a model and its parts look at.
    pub fn columns(&self, place: usize) -> &[String] {
        self.columns.get(place).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of the model itself and of every model that is a part of it.
    pub fn parts(&self, place: usize) -> Vec<&str> {
        let Some(model) = self.models.get(place) else { return Vec::new() };
        let mut names = vec![model.name.as_str()];
        names.extend(model.rules.iter().filter_map(|rule| rule.part).flat_map(|part| self.parts(part)));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How many lines an explanation can have.
    fn lines(&self, place: usize) -> usize {
        let rules = self.models[place].rules.iter().map(|rule| rule.part.map_or(1, |part| self.lines(part)));
        rules.fold(8, usize::saturating_add)
    }

    fn keys_of(&self, place: usize) -> Keys {
        Keys::of(&self.models[place], |part| self.keys_of(part).names)
    }

    fn visit(&self, place: usize, above: &mut Vec<usize>, columns: &mut BTreeSet<String>) -> Result<(), ScoreError> {
        let names = |above: &[usize]| above.iter().map(|place| self.models[*place].name.clone()).collect();
        if let Some(begin) = above.iter().position(|other| *other == place) {
            above.push(place);
            return Err(ScoreError::Cycle { models: names(&above[begin..]) });
        }
        above.push(place);
        if above.len() > MAX_DEPTH {
            return Err(ScoreError::TooDeep { models: names(above) });
        }
        columns.append(&mut self.models[place].columns());
        for part in self.models[place].rules.iter().filter_map(|rule| rule.part) {
            self.visit(part, above, columns)?;
        }
        above.pop();
        Ok(())
    }
}
