//! Nothing that panics on purpose outside tests; the tools around the product may.

use super::rust_text::{is_name, line_of};
use super::{Breach, tree::Tree};

const FORBIDDEN: [&str; 5] = [".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!"];

const EXCEPTED: [&str; 5] = ["crates/bench/", "crates/demo/", "crates/receiver/", "crates/testbed/", "crates/xtask/"];

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in tree.rust("src/").chain(tree.rust("crates/")) {
        if EXCEPTED.iter().any(|excepted| path.starts_with(excepted)) {
            continue;
        }
        for forbidden in FORBIDDEN {
            for (at, _) in text.code.match_indices(forbidden) {
                if text.code[..at].chars().next_back().is_some_and(is_name) && !forbidden.starts_with('.') {
                    continue;
                }
                let reason = format!("{} outside tests", forbidden.trim_matches(['.', '(']));
                breaches.push(Breach { path: path.to_string(), line: line_of(&text.code, at), reason });
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_outside_tests_are_found() {
        let tree = Tree::of(&[
            (
                "src/a.rs",
                "fn a() {\n  x.unwrap();\n  dont_panic!();\n}\n#[cfg(test)]\nmod tests { fn b() { x.unwrap() } }",
            ),
            ("crates/cron/src/lib.rs", "fn a() { \"panic!\"; x.unwrap_or(1); panic!(\"no\") }"),
            ("crates/cron/tests/b.rs", "fn a() { x.unwrap() }"),
            ("crates/receiver/src/main.rs", "fn a() { x.unwrap() }"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.path, breach.line)).collect();
        assert_eq!(found, [("src/a.rs".to_string(), 2), ("crates/cron/src/lib.rs".to_string(), 1)]);
    }
}
