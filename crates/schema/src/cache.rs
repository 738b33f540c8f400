use std::rc::Rc;

use serde_json::Value;

use crate::{Checker, SchemaError};

/// Keeps the schemas used last compiled: compiling costs a hundred times what checking does.
#[derive(Debug, Default)]
pub struct Cache {
    /// The one used last stands last.
    entries: Vec<(Value, Rc<Checker>)>,
}

impl Cache {
    /// How many are kept.
    pub const SIZE: usize = 64;

    pub const fn new() -> Cache {
        Cache { entries: Vec::new() }
    }

    /// # Errors
    /// As [`Checker::compile`]; what is no schema is not kept.
    pub fn get(&mut self, schema: &Value) -> Result<Rc<Checker>, SchemaError> {
        if let Some(at) = self.entries.iter().rposition(|(known, _)| known == schema) {
            let entry = self.entries.remove(at);
            let checker = entry.1.clone();
            self.entries.push(entry);
            return Ok(checker);
        }
        let checker = Rc::new(Checker::compile(schema)?);
        if self.entries.len() >= Self::SIZE {
            self.entries.remove(0);
        }
        self.entries.push((schema.clone(), checker.clone()));
        Ok(checker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_used_last_stays() {
        let mut cache = Cache::new();
        let first = cache.get(&json!({"const": 0})).unwrap();
        for n in 1..=Cache::SIZE {
            cache.get(&json!({ "const": n })).unwrap();
            let again = cache.get(&json!({"const": 0})).unwrap();
            assert!(Rc::ptr_eq(&first, &again), "after {n} others");
        }
        assert_eq!(cache.entries.len(), Cache::SIZE);
        assert!(!cache.entries.iter().any(|(schema, _)| *schema == json!({"const": 1})));
    }

    #[test]
    fn what_is_none_is_not_kept() {
        let mut cache = Cache::new();
        assert!(cache.get(&json!({"type": "strange"})).is_err());
        assert!(cache.entries.is_empty());
    }
}
