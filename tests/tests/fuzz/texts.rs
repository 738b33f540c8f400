//! Texts that resemble those of a corpus, without end.

use fuzzing::texts;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

pub struct Texts {
    strategy: BoxedStrategy<String>,
    runner: TestRunner,
}

impl Texts {
    pub fn of(corpus: &'static str) -> Texts {
        Texts { strategy: texts(corpus).boxed(), runner: TestRunner::default() }
    }

    pub fn next(&mut self) -> String {
        self.strategy.new_tree(&mut self.runner).expect("a text").current()
    }

    /// As a literal of SQL.
    pub fn literal(&mut self) -> String {
        literal(&self.next())
    }
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
