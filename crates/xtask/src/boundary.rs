//! The boundary rules of the architecture, checked on the text of the project.

mod crates;
mod hosts;
mod pages;
mod panics;
mod rust_text;
mod signatures;
mod size;
mod tables;
mod tree;
mod unsafe_code;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use tree::Tree;

/// A line that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// Relative to the checkout.
    pub path: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.reason),
            line => write!(f, "{}:{line}: {}", self.path, self.reason),
        }
    }
}

/// Every breach of every rule, by path.
pub fn breaches(root: &Path) -> Result<Vec<Breach>> {
    let tree = Tree::read(root)?;
    let rules: [fn(&Tree) -> Vec<Breach>; 8] = [
        crates::check,
        unsafe_code::check,
        tables::check,
        panics::check,
        signatures::check,
        size::check,
        hosts::check,
        pages::check,
    ];
    let mut breaches: Vec<Breach> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    breaches.sort();
    Ok(breaches)
}

/// Prints the breaches and a closing line; false when there are any.
pub fn report(root: &Path) -> Result<bool> {
    let breaches = breaches(root)?;
    for breach in &breaches {
        println!("{breach}");
    }
    println!("boundary rules: {} broken", breaches.len());
    Ok(breaches.is_empty())
}
