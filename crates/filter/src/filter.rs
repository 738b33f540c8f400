use serde_json::Value;

use crate::{Document, FilterError, Node, Path, eval, parse};

/// A condition on a JSON document.
///
/// An object whose keys all must hold. A key is a dotted path (a number counts in an array), or `$and`, `$or`
/// (arrays of filters), `$not` (a filter). A path's value is a plain value, which means equality, or an object of
/// operators, all of which must hold:
///
/// | operator | holds when the value |
/// |---|---|
/// | `$eq`, `$ne`, `$in`, `$nin` | equals, or not, the operand or one of them; what is missing counts as null |
/// | `$gt`, `$gte`, `$lt`, `$lte` | is a number or a text as the operand is, and so ordered |
/// | `$exists` | is there, or is not; null is there |
/// | `$contains` | is a text with that part, an array with that element, an object with that part |
/// | `$starts_with`, `$ends_with`, `$regex` | is a text that does |
/// | `$not` | does not pass the operators given |
///
/// Nothing in a document makes matching fail. [`Node`] has the exact meaning.
#[derive(Clone, Debug)]
pub struct Filter(Node);

impl Filter {
    /// How deep objects and arrays may nest in a filter.
    pub const MAX_DEPTH: usize = 16;
    /// How many JSON values a filter may have, elements of operands included.
    pub const MAX_VALUES: usize = 1000;
    /// How many `$regex` a filter may have: each can take 1 MiB once compiled.
    pub const MAX_REGEXES: usize = 16;

    /// `{}` matches everything.
    ///
    /// # Errors
    /// The first mistake, with path and operator.
    pub fn parse(value: &Value) -> Result<Filter, FilterError> {
        parse::filter(value).map(Filter)
    }

    pub fn matches<D: Document + ?Sized>(&self, document: &D) -> bool {
        eval::matches(&self.0, document)
    }

    /// Every path that it looks at, in the order of its text.
    pub fn paths(&self) -> Vec<&Path> {
        self.0.paths()
    }

    /// For other back-ends.
    pub fn ast(&self) -> &Node {
        &self.0
    }
}
