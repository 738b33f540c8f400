use std::fmt;

use serde_json::Value;

/// Where a value stands in a document. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Segment>);

/// A key of an object or, if it reads as an integer, an index of an array: what stands there decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub name: String,
    /// From 0, or from -1 at the end, as the operator `#>` of `jsonb` counts.
    pub index: Option<i32>,
}

impl Path {
    /// Splits at dots; `None` when a segment is empty.
    pub fn parse(text: &str) -> Option<Path> {
        text.split('.').map(|name| (!name.is_empty()).then(|| Segment::new(name))).collect::<Option<_>>().map(Path)
    }

    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The value there, as `document #> path` finds it: no traversal of arrays but by index.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        below(document, &self.0)
    }

    /// The value there when `value` is what the first segment names.
    pub fn find_below<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        below(value, &self.0[1..])
    }
}

fn below<'a>(value: &'a Value, segments: &[Segment]) -> Option<&'a Value> {
    segments.iter().try_fold(value, |value, segment| match value {
        Value::Object(object) => object.get(&segment.name),
        Value::Array(items) => items.get(segment.position(items.len())?),
        _ => None,
    })
}

/// What a filter looks into: a JSON value, or anything that has one for a path.
pub trait Document {
    fn at(&self, path: &Path) -> Option<&Value>;
}

impl Document for Value {
    fn at(&self, path: &Path) -> Option<&Value> {
        path.find(self)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.name)?;
        }
        Ok(())
    }
}

impl Segment {
    fn new(name: &str) -> Segment {
        // PostgreSQL reads an index with strtoint, which skips white space before it.
        let digits = name.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
        Segment { name: name.to_owned(), index: digits.parse().ok() }
    }

    fn position(&self, len: usize) -> Option<usize> {
        let index = self.index?;
        let from = usize::try_from(index.unsigned_abs()).ok()?;
        if index < 0 { len.checked_sub(from) } else { Some(from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(path: &str) -> Option<Value> {
        let document = json!({"a": {"b": [10, {"c": true}], "0": "zero", "": 1}, "n": null});
        Path::parse(path).unwrap().find(&document).cloned()
    }

    #[test]
    fn keys_and_indexes() {
        assert_eq!(find("a.b.0"), Some(json!(10)));
        assert_eq!(find("a.b.1.c"), Some(json!(true)));
        assert_eq!(find("a.b.-1.c"), Some(json!(true)));
        assert_eq!(find("a.b. +01.c"), Some(json!(true)));
        assert_eq!(find("a.0"), Some(json!("zero")));
        assert_eq!(find("n"), Some(Value::Null));
    }

    #[test]
    fn nothing_there() {
        for path in ["x", "a.b.c", "a.b.2", "a.b.-3", "a.b.-2147483648", "a.b.99999999999", "n.x", "a.b.0.x", "a.-0"] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn empty_segments() {
        for path in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(path), None, "{path:?}");
        }
        assert_eq!(Path::parse("a.b").unwrap().to_string(), "a.b");
    }
}
