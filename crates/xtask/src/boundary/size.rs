//! A file over 400 lines has two things in it; tests do not count.

use super::rust_text::RustText;
use super::{Breach, tree::Tree, tree::is_test};

const LIMIT: usize = 400;

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in &tree.files {
        let lines = match file.path.rsplit('.').next() {
            Some("rs") if is_test(&file.path) => continue,
            Some("rs") => lines_without_tests(&file.text),
            // Upgrade scripts repeat what they replace.
            Some("sql") if file.path.starts_with("sql/") && !file.path.contains("--") => file.text.lines().count(),
            _ => continue,
        };
        if lines > LIMIT {
            let reason = format!("{lines} lines, more than {LIMIT}: two things in one file?");
            breaches.push(Breach { path: file.path.clone(), line: 0, reason });
        }
    }
    breaches
}

/// A test module stands last; what comes before it counts.
fn lines_without_tests(source: &str) -> usize {
    let whole = RustText::parse(source).code;
    let kept = RustText::parse(source).without_tests().code;
    let tests = whole.lines().zip(kept.lines()).filter(|(whole, kept)| whole != kept).count();
    source.lines().count() - tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_and_tests_do_not_count() {
        let long = "fn a() {}\n".repeat(LIMIT + 1);
        let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let tree = Tree::of(&[("src/a.rs", &long), ("src/b.rs", &tested), ("src/tests.rs", &long)]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| breach.path).collect();
        assert_eq!(found, ["src/a.rs"]);
    }
}
