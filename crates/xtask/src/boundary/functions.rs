//! Every function of `sql/functions` and `sql/crm` has a comment, which is its manual, and a pinned `search_path`.

use std::collections::BTreeSet;

use super::rust_text::words;
use super::{Breach, sql_text, tree::Tree};

pub fn check(tree: &Tree) -> Vec<Breach> {
    let commented: BTreeSet<String> = tree
        .below("sql/", ".sql")
        .flat_map(|file| sql_text::statements(&file.text))
        .filter_map(|statement| name_after(&statement.code, "comment on "))
        .collect();
    let mut breaches = Vec::new();
    for file in tree.below("sql/functions/", ".sql").chain(tree.below("sql/crm/", ".sql")) {
        for statement in sql_text::statements(&file.text) {
            let code = statement.code.replacen("create or replace ", "create ", 1);
            let Some(name) = name_after(&code, "create ") else { continue };
            let mut breach = |reason: String| {
                breaches.push(Breach { path: file.path.clone(), line: statement.line, reason });
            };
            if !commented.contains(&name) {
                breach(format!("{name} has no comment on function"));
            }
            if has_text_body(&code) && !code.contains("set search_path") {
                breach(format!("{name} has no set search_path"));
            }
        }
    }
    breaches
}

/// The name in `<prefix>function frontdesk.name(…`, without schema and quotes.
fn name_after(code: &str, prefix: &str) -> Option<String> {
    let rest = code.strip_prefix(prefix)?;
    let rest = ["function ", "procedure ", "aggregate "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    let name = rest.split(['(', ' ']).next()?;
    Some(name.strip_prefix("frontdesk.").unwrap_or(name).replace('"', ""))
}

/// A body given as text is resolved when it runs; C, `return …` and `begin atomic` are resolved when declared.
fn has_text_body(code: &str) -> bool {
    let in_c = code.contains("language c ") || code.ends_with("language c") || code.contains("language 'c'");
    !in_c && words(code, "as").any(|at| code[at + 2..].trim_start().starts_with(['$', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_without_comment_or_search_path_is_found() {
        let tree = Tree::of(&[(
            "sql/functions/10_event.sql",
            "create function frontdesk.good(a int) returns int language plpgsql set search_path = '' as $$ begin end $$;\n\
             create or replace function frontdesk.bare(a int)\n returns int language plpgsql as $$ begin end $$;\n\
             create function sum(a int, b int) returns int return a + b;\n\
             create function now() returns int language c as 'MODULE_PATHNAME', 'x';\n\
             comment on function frontdesk.good(int) is 'a';\n\
             comment on function sum is 'a'; comment on function now() is 'a;b';",
        )]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.line, breach.reason)).collect();
        assert_eq!(
            found,
            [(2, "bare has no comment on function".to_string()), (2, "bare has no set search_path".to_string())]
        );
    }
}
