//! What a schema costs, before it is compiled or used: a definition that refers twice to another that refers twice to another
//! doubles at every level, both when it is compiled and when a document is checked.

use std::collections::HashMap;

use serde_json::Value;

/// Schemas, each counted as often as it is referred to.
const MOST: u64 = 20_000;
/// JSON values of a schema.
const MOST_VALUES: usize = 20_000;
/// Bytes of a pattern.
const LONGEST_PATTERN: usize = 1_000;
const MOST_PATTERNS: usize = 100;
/// A schema may refer to a draft's own schema.
const META: u64 = 500;
/// Keywords whose schemas look at the same value as the schema that they stand in.
const IN_PLACE: [&str; 11] =
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies", "$ref", "$dynamicRef"];

/// Why it is not compiled.
pub fn refusal(schema: &Value) -> Option<&'static str> {
    let mut survey = Survey::default();
    survey.visit(schema, 0);
    if survey.values > MOST_VALUES {
        return Some("it has more than 20000 values");
    }
    if survey.too_deep {
        return Some("it is nested too deep");
    }
    if survey.patterns > MOST_PATTERNS || survey.long_pattern {
        return Some("it has more than 100 patterns, or one of more than 1000 bytes");
    }
    let mut cost = Cost { root: schema, names: survey.names, known: HashMap::new(), open: Vec::new(), cyclic: false };
    let expanded = cost.of(schema);
    if expanded > MOST {
        return Some("its references lead to more than 20000 schemas");
    }
    // One that contains itself is checked again at each level of a document: more than once at each place would double.
    if cost.cyclic && cost.repeats(schema) {
        return Some("it refers to itself more than once for the same value");
    }
    None
}

#[derive(Default)]
struct Survey<'a> {
    /// `$id`, `$anchor` and the like, as a reference names them.
    names: HashMap<&'a str, &'a Value>,
    values: usize,
    patterns: usize,
    long_pattern: bool,
    too_deep: bool,
}

impl<'a> Survey<'a> {
    fn visit(&mut self, value: &'a Value, depth: usize) {
        self.values += 1;
        self.too_deep |= depth > 100;
        if self.values > MOST_VALUES || self.too_deep {
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.visit(item, depth + 1)),
            Value::Object(object) => {
                for (key, inner) in object {
                    match (key.as_str(), inner) {
                        ("$id" | "id" | "$anchor" | "$dynamicAnchor", Value::String(name)) => {
                            self.names.insert(name, value);
                        }
                        ("pattern", Value::String(pattern)) => self.pattern(pattern),
                        ("patternProperties", Value::Object(patterns)) => {
                            patterns.keys().for_each(|pattern| self.pattern(pattern));
                        }
                        _ => {}
                    }
                    self.visit(inner, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn pattern(&mut self, pattern: &str) {
        self.patterns += 1;
        self.long_pattern |= pattern.len() > LONGEST_PATTERN;
    }
}

struct Cost<'a> {
    root: &'a Value,
    names: HashMap<&'a str, &'a Value>,
    known: HashMap<*const Value, u64>,
    open: Vec<*const Value>,
    cyclic: bool,
}

impl<'a> Cost<'a> {
    /// Schemas in it, with those that it refers to. A reference back to what is being counted counts once.
    fn of(&mut self, value: &'a Value) -> u64 {
        let at: *const Value = value;
        if let Some(cost) = self.known.get(&at) {
            return *cost;
        }
        if self.open.contains(&at) {
            self.cyclic = true;
            return 1;
        }
        self.open.push(at);
        let mut cost = 1_u64;
        match value {
            Value::Array(items) => {
                for item in items {
                    cost = cost.saturating_add(self.of(item));
                }
            }
            Value::Object(object) => {
                for (key, inner) in object {
                    let more = match (key.as_str(), inner) {
                        ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(name)) => match self.find(name) {
                            Some(target) => self.of(target),
                            None => META,
                        },
                        ("enum" | "const" | "examples" | "default", _) => 1,
                        _ => self.of(inner),
                    };
                    cost = cost.saturating_add(more);
                }
            }
            _ => {}
        }
        self.open.pop();
        self.known.insert(at, cost);
        cost
    }

    fn find(&self, name: &str) -> Option<&'a Value> {
        if name == "#" {
            return Some(self.root);
        }
        if let Some(pointer) = name.strip_prefix('#').filter(|pointer| pointer.starts_with('/')) {
            return self.root.pointer(&pointer.replace("%25", "%").replace("%22", "\""));
        }
        let name = name.trim_start_matches('#');
        self.names.get(name).copied().or_else(|| {
            let (document, anchor) = name.split_once('#')?;
            self.names.get(if anchor.is_empty() { document } else { anchor }).copied()
        })
    }

    /// Does any schema that can be reached again lead to one more than once, for the same value?
    fn repeats(&self, schema: &'a Value) -> bool {
        let mut all = Vec::new();
        collect(schema, &mut all);
        all.into_iter().any(|value| {
            let mut places: HashMap<(String, *const Value), usize> = HashMap::new();
            self.places(value, "", &mut Vec::new(), &mut places);
            places.into_values().any(|times| times > 1)
        })
    }

    /// The references that a schema follows for each part of a value, with the part.
    fn places(
        &self,
        value: &'a Value,
        part: &str,
        open: &mut Vec<*const Value>,
        places: &mut HashMap<(String, *const Value), usize>,
    ) {
        let Value::Object(object) = value else { return };
        if open.len() > 50 || places.len() > 1_000 || open.contains(&(value as *const Value)) {
            return;
        }
        open.push(value);
        for (key, inner) in object {
            match (key.as_str(), inner) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(name)) => {
                    if let Some(target) = self.find(name) {
                        *places.entry((part.to_owned(), target)).or_default() += 1;
                        // What it leads to for the same value counts here as well.
                        if part.is_empty() {
                            self.places(target, part, open, places);
                        }
                    }
                }
                (key, inner) if IN_PLACE.contains(&key) => match inner {
                    Value::Array(items) => items.iter().for_each(|item| self.places(item, part, open, places)),
                    Value::Object(named) if key.starts_with("dependen") => {
                        named.values().for_each(|item| self.places(item, part, open, places));
                    }
                    inner => self.places(inner, part, open, places),
                },
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        self.places(property, &format!("{part}/{name}"), open, places);
                    }
                }
                ("prefixItems" | "items", Value::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        self.places(item, &format!("{part}/{index}"), open, places);
                    }
                }
                ("items" | "contains" | "additionalItems" | "unevaluatedItems", inner) => {
                    self.places(inner, &format!("{part}/[]"), open, places);
                }
                ("additionalProperties" | "unevaluatedProperties", inner) => {
                    self.places(inner, &format!("{part}/{{}}"), open, places);
                }
                ("patternProperties", Value::Object(patterns)) => {
                    patterns.values().for_each(|inner| self.places(inner, &format!("{part}/{{}}"), open, places));
                }
                _ => {}
            }
        }
        open.pop();
    }
}

fn collect<'a>(value: &'a Value, all: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(object) => {
            all.push(value);
            object.values().for_each(|item| collect(item, all));
        }
        _ => {}
    }
}
