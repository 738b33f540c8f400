//! What the pages of the project name is there: files and folders of the checkout, and pages that are linked to.

use super::{Breach, tree::Tree};

/// How a path in backticks begins when it is one of the checkout's.
const FOLDERS: [&str; 6] = ["src/", "sql/", "crates/", "tests/", "docs/", ".github/"];

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for page in tree.below("", ".md").filter(|page| page.path != "CHANGELOG.md") {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in page.text.lines().enumerate() {
            let named = quoted(line).filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)));
            let linked = links(line).map(|link| joined(folder, link));
            let missing = named.map(str::to_string).chain(linked).find(|path| is_plain(path) && !is_there(tree, path));
            if let Some(path) = missing {
                let reason = format!("names {path}, which is not there");
                breaches.push(Breach { path: page.path.clone(), line: number + 1, reason });
            }
        }
    }
    breaches
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The relative targets of `[text](target)`, without what comes behind `#`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

fn joined(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A path without placeholders.
fn is_plain(path: &str) -> bool {
    let placeholder = ["NN", "NAME", "room", "--"].iter().any(|word| path.contains(word));
    !placeholder && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
}

fn is_there(tree: &Tree, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    tree.text(path).is_some() || tree.below(&folder, "").next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_link_to_nothing_is_found() {
        let tree = Tree::of(&[
            ("docs/a.md", "`src/lib.rs` `src/pg/` [b](b.md#top) [r](../README.md)\n`src/gone.rs`\n[c](c.md)\n"),
            ("docs/b.md", "`sql/NN_room.sql` `sql/*.sql` `select 1` [w](https://x.example.com/y.md)"),
            ("README.md", "[a](docs/a.md) `docs/a.md`"),
            ("src/lib.rs", ""),
            ("src/pg/role.rs", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.path, breach.line)).collect();
        assert_eq!(found, [("docs/a.md".to_string(), 2), ("docs/a.md".to_string(), 3)]);
    }
}
