use filter::{Document, Path};
use serde_json::Value;

/// The columns of a row that a model looks at, instead of a whole JSON object.
pub struct Facts<'a> {
    names: &'a [String],
    values: Vec<Option<Value>>,
}

impl<'a> Facts<'a> {
    /// `values` in the order of `names`; `None`: the row has no such column.
    pub fn new(names: &'a [String], values: Vec<Option<Value>>) -> Facts<'a> {
        Facts { names, values }
    }
}

impl Document for Facts<'_> {
    fn at(&self, path: &Path) -> Option<&Value> {
        let first = &path.segments().first()?.name;
        let place = self.names.iter().position(|name| name == first)?;
        path.find_below(self.values.get(place)?.as_ref()?)
    }
}
