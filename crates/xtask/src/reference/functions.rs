//! The functions.

use anyhow::Result;
use serde::Deserialize;

use super::entry::{Entry, Kind};
use super::{example, rows, sentence, wrapped};
use testbed::cluster::Cluster;

const QUERY: &str = "
  select p.proname as name, pg_get_function_arguments(p.oid) as arguments,
    coalesce(pg_get_function_result(p.oid), 'procedure') as result, obj_description(p.oid, 'pg_proc') as comment,
    g.who = 'public' as public, x.example
  from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o
    join pg_proc p on o.class = 'pg_proc'::regclass and o.id = p.oid
    left join frontdesk_internal.examples() x on x.name = p.proname || '()'
  where p.pronamespace = 'frontdesk'::regnamespace
  order by p.proname, pg_get_function_arguments(p.oid)";

/// A line of a signature.
const WIDTH: usize = 110;

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: String,
    result: String,
    comment: Option<String>,
    public: bool,
    example: Option<String>,
}

/// Those that somebody may be allowed to call.
pub fn read(cluster: &Cluster) -> Result<Vec<Entry>> {
    let functions: Vec<Function> = rows(cluster, QUERY)?;
    Ok(functions
        .into_iter()
        .map(|function| Entry { kind: Kind::Function, text: function.text(), name: function.name })
        .collect())
}

impl Function {
    fn text(&self) -> String {
        let public = if self.public { " *PUBLIC.*" } else { "" };
        let comment = sentence(self.comment.as_deref().unwrap_or("(no comment)"));
        let about = wrapped(&format!("{comment}{public}"));
        format!("```text\n{}\n```\n\n{about}\n{}", self.signature(), example(self.example.as_deref()))
    }

    /// On one line when it fits, else an argument per line.
    fn signature(&self) -> String {
        let Function { name, arguments, result, .. } = self;
        let arguments: Vec<String> = split(arguments).into_iter().map(tidied).collect();
        let line = format!("frontdesk.{name}({}) -> {result}", arguments.join(", "));
        if line.len() <= WIDTH || self.arguments.is_empty() && result.len() <= WIDTH {
            return line;
        }
        let arguments: Vec<String> = arguments.iter().map(|argument| format!("  {argument}")).collect();
        let result = if result.len() <= WIDTH { result.clone() } else { split_table(result) };
        format!("frontdesk.{name}(\n{}\n) -> {result}", arguments.join(",\n"))
    }
}

/// `NULL` says no more with its type behind it.
fn tidied(argument: &str) -> String {
    argument.split_once(" DEFAULT NULL::").map_or(argument.to_string(), |(name, _)| format!("{name} DEFAULT NULL"))
}

/// At the commas between arguments, not at those within quotes or brackets.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, sign) in list.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}

/// `TABLE(a, b)`, a column per line.
fn split_table(result: &str) -> String {
    let columns = result.strip_prefix("TABLE(").and_then(|rest| rest.strip_suffix(')'));
    columns.map_or(result.to_string(), |columns| format!("TABLE(\n  {}\n)", split(columns).join(",\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_result_has_a_column_per_line() {
        assert_eq!(split_table("TABLE(a integer, b text)"), "TABLE(\n  a integer,\n  b text\n)");
        assert_eq!(split_table("SETOF record"), "SETOF record");
    }

    #[test]
    fn arguments_are_split_at_their_own_commas() {
        let list = "a text[] DEFAULT '{x,y}'::text[], b numeric(10,2), c integer";
        assert_eq!(tidied("a name[] DEFAULT NULL::name[]"), "a name[] DEFAULT NULL");
        assert_eq!(split(list), ["a text[] DEFAULT '{x,y}'::text[]", "b numeric(10,2)", "c integer"]);
    }
}
