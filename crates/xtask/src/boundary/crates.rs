//! `crates/*` are pure: no pgrx, no unsafe code.

use super::{Breach, tree::Tree};

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for name in tree.crates() {
        let manifest = format!("crates/{name}/Cargo.toml");
        let text = tree.text(&manifest).unwrap_or_default();
        if let Some(line) = text.lines().position(|line| line.trim_start().starts_with("pgrx")) {
            let reason = "a crate must not depend on pgrx".to_string();
            breaches.push(Breach { path: manifest, line: line + 1, reason });
        }
        for root in ["lib.rs", "main.rs"] {
            let path = format!("crates/{name}/src/{root}");
            if tree.text(&path).is_some_and(|text| !text.contains("#![forbid(unsafe_code)]")) {
                let reason = "a crate must say #![forbid(unsafe_code)]".to_string();
                breaches.push(Breach { path, line: 0, reason });
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_with_pgrx_or_without_the_attribute_is_found() {
        let tree = Tree::of(&[
            ("crates/good/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
            ("crates/good/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            ("crates/bad/Cargo.toml", "[dependencies]\npgrx = \"1\"\n"),
            ("crates/bad/src/lib.rs", "pub fn a() {}\n"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.path, breach.line)).collect();
        assert_eq!(found, [("crates/bad/Cargo.toml".to_string(), 2), ("crates/bad/src/lib.rs".to_string(), 0)]);
    }
}
