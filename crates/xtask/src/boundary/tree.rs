//! The project's text files in memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::rust_text::RustText;

/// What is built, fetched or written by a test run is not the project's.
const SKIPPED: [&str; 4] = [".git", "target", "results", "node_modules"];

pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    pub fn read(root: &Path) -> Result<Tree> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?.flatten()
            {
                let path: PathBuf = entry.path();
                let kind = entry.file_type()?;
                if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                    folders.push(path);
                } else if kind.is_file()
                    && let Ok(text) = std::fs::read_to_string(&path)
                {
                    let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    files.push(File { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Tree { files })
    }

    /// The `.rs` files below a folder, parsed, without their test modules; whole test files are left out.
    pub fn rust<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, RustText)> {
        self.below(folder, ".rs")
            .filter(|file| !is_test(&file.path))
            .map(|file| (file.path.as_str(), RustText::parse(&file.text).without_tests()))
    }

    /// The files below a folder whose names end so.
    pub fn below<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(ending))
    }

    /// The names of the folders in `crates/`.
    pub fn crates(&self) -> Vec<&str> {
        let manifests = self.files.iter().filter_map(|file| file.path.strip_prefix("crates/"));
        manifests.filter_map(|path| path.strip_suffix("/Cargo.toml")).filter(|name| !name.contains('/')).collect()
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: path.to_string(), text: text.to_string() };
        Tree { files: files.iter().map(file).collect() }
    }
}

/// A file of nothing but tests: `tests.rs`, `…_test.rs`, `…_tests.rs`, or anything in a folder `tests` or `benches`.
pub fn is_test(path: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    stem == "tests"
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || path.split('/').rev().skip(1).any(|folder| matches!(folder, "tests" | "benches" | "fuzz"))
}
