//! The words of the command line.

use std::collections::VecDeque;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub struct Arguments(VecDeque<String>);

impl Arguments {
    pub fn from_env() -> Arguments {
        Arguments(std::env::args().skip(1).collect())
    }

    /// The next word.
    pub fn next(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    /// The value of `--name value`, taken out when it stands next.
    pub fn path(&mut self, name: &str) -> Result<Option<PathBuf>> {
        if self.0.front().map(String::as_str) != Some(name) {
            return Ok(None);
        }
        self.0.pop_front();
        self.0.pop_front().map(|value| Some(value.into())).with_context(|| format!("{name} needs a value"))
    }

    /// Whether `name` stands next; taken out if so.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.0.front().map(String::as_str) == Some(name);
        if found {
            self.0.pop_front();
        }
        found
    }

    /// All that is left.
    pub fn rest(&mut self) -> Vec<String> {
        self.0.drain(..).collect()
    }

    /// An error when words are left over.
    pub fn end(&self) -> Result<()> {
        match self.0.front() {
            Some(word) => bail!("what is {word} supposed to mean here?"),
            None => Ok(()),
        }
    }
}
