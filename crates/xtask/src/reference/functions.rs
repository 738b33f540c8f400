//! The functions, room by room.

use std::fmt::Write;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::rooms::Room;
use super::{rows, sentence};
use testbed::cluster::Cluster;

const QUERY: &str = "
  select p.proname as name, pg_get_function_arguments(p.oid) as arguments, coalesce(pg_get_function_result(p.oid), 'procedure') as result,
    obj_description(p.oid, 'pg_proc') as comment, has_function_privilege('public', p.oid, 'execute') as public
  from pg_proc p where p.pronamespace = 'frontdesk'::regnamespace
  order by p.proname, pg_get_function_arguments(p.oid)";

/// How the comments of functions begin that are no part of the public API.
const INTERNAL: [&str; 6] = ["internal:", "engine:", "engine,", "trigger:", "event trigger:", "automation:"];

/// A line of a signature.
const WIDTH: usize = 110;

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: String,
    result: String,
    comment: Option<String>,
    public: bool,
}

pub fn text(cluster: &Cluster, rooms: &[Room]) -> Result<String> {
    let mut functions: Vec<Function> = rows(cluster, QUERY)?;
    functions.retain(Function::is_public_api);
    let mut text = String::from("## Functions\n");
    let mut titles: Vec<&str> = rooms.iter().map(|room| room.title.as_str()).collect();
    titles.dedup();
    let room_of = |function: &Function| rooms.iter().position(|room| room.has(&function.name));
    for title in titles {
        let here: Vec<usize> = (0..rooms.len()).filter(|index| rooms[*index].title == title).collect();
        let chosen: Vec<&Function> =
            functions.iter().filter(|function| room_of(function).is_some_and(|room| here.contains(&room))).collect();
        if chosen.is_empty() {
            continue;
        }
        let about: Vec<&str> = here.iter().map(|index| rooms[*index].about.as_str()).collect();
        write!(text, "\n### {}\n\n{}\n", capital(title), capital(&about.join(" ")))?;
        for function in chosen {
            write!(text, "{}", function.entry())?;
        }
    }
    if let Some(lost) = functions.iter().find(|function| room_of(function).is_none()) {
        bail!("no file of sql/functions declares frontdesk.{}", lost.name);
    }
    Ok(text)
}

impl Function {
    fn is_public_api(&self) -> bool {
        let comment = self.comment.as_deref().unwrap_or_default();
        !self.name.starts_with("engine_") && !INTERNAL.iter().any(|word| comment.starts_with(word))
    }

    fn entry(&self) -> String {
        let public = if self.public { " *PUBLIC.*" } else { "" };
        let comment = sentence(self.comment.as_deref().unwrap_or("(no comment)"));
        format!("\n#### {}\n\n```text\n{}\n```\n\n{comment}{public}\n", self.name, self.signature())
    }

    /// On one line when it fits, else an argument per line.
    fn signature(&self) -> String {
        let Function { name, arguments, result, .. } = self;
        let line = format!("frontdesk.{name}({arguments}) -> {result}");
        if line.len() <= WIDTH || arguments.is_empty() && result.len() <= WIDTH {
            return line;
        }
        let arguments: Vec<String> = split(arguments).iter().map(|argument| format!("  {argument}")).collect();
        let result = if result.len() <= WIDTH { result.clone() } else { split_table(result) };
        format!("frontdesk.{name}(\n{}\n) -> {result}", arguments.join(",\n"))
    }
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

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().to_string() + letters.as_str()).unwrap_or_default()
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
        assert_eq!(split(list), ["a text[] DEFAULT '{x,y}'::text[]", "b numeric(10,2)", "c integer"]);
    }
}
