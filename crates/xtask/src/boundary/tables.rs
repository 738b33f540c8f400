//! SQL owns the tables: no `.rs` file of the extension names one.

use super::rust_text::{is_name, line_of, words};
use super::{Breach, tree::Tree};

/// The words of SQL a table's name follows.
const BEFORE_A_TABLE: [&str; 6] = ["from", "into", "update", "join", "table", "only"];

pub fn check(tree: &Tree) -> Vec<Breach> {
    let tables = tables(tree);
    let mut breaches = Vec::new();
    for (path, text) in tree.rust("src/") {
        let strings = text.strings.to_lowercase();
        for (schema, table) in &tables {
            for at in words(&strings, table).filter(|at| names_table(&strings, *at, schema, table)) {
                let reason = format!("names the table {schema}.{table}: Rust calls SQL verbs, SQL owns the tables");
                breaches.push(Breach { path: path.to_string(), line: line_of(&strings, at), reason });
            }
        }
    }
    breaches
}

/// `frontdesk.event` (but not the call `frontdesk.event(…)`) and `from event`.
fn names_table(strings: &str, at: usize, schema: &str, table: &str) -> bool {
    let (before, after) = (&strings[..at], &strings[at + table.len()..]);
    if before.ends_with(&format!("{schema}.")) {
        return !after.trim_start().starts_with('(');
    }
    let last = before.trim_end().rsplit(|c| !is_name(c)).next().unwrap_or_default();
    before.ends_with(char::is_whitespace) && BEFORE_A_TABLE.contains(&last)
}

/// `(schema, name)` of every table that `sql/` creates.
fn tables(tree: &Tree) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    for (folder, schema) in [("sql/tables/", "frontdesk"), ("sql/crm/", "crm")] {
        for file in tree.below(folder, ".sql") {
            for name in file.text.lines().filter_map(created_table) {
                let (schema, name) = name.split_once('.').unwrap_or((schema, name));
                tables.push((schema.to_string(), name.to_string()));
            }
        }
    }
    tables.sort();
    tables.dedup();
    tables
}

/// Statements begin where their line does.
fn created_table(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("create ")?;
    let rest = rest.strip_prefix("unlogged ").unwrap_or(rest).strip_prefix("table ")?;
    let rest = rest.strip_prefix("if not exists ").unwrap_or(rest);
    rest.split([' ', '(']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_named_in_rust_is_found() {
        let tree = Tree::of(&[
            ("sql/tables/10_event.sql", "create table frontdesk.event (id int);\ncreate table watch (a int);"),
            ("src/a.rs", "fn event() { // from event\n  spi(\"select frontdesk.event(1)\"); watch(\"the watch\");\n}"),
            ("src/b.rs", "const A: &str = \"select 1 FROM watch\";\nconst B: &str = \"table frontdesk.event\";"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.path, breach.line)).collect();
        assert_eq!(found, [("src/b.rs".to_string(), 2), ("src/b.rs".to_string(), 1)]);
    }
}
