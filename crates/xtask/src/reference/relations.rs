//! The views, and the tables that may be read.

use std::fmt::Write;

use anyhow::Result;
use serde::Deserialize;

use super::entry::{Entry, Kind};
use super::{cell, example, rows, sentence, wrapped};
use testbed::cluster::Cluster;

const QUERY: &str = "
  select c.relname as name, c.relkind = 'v' as is_view, obj_description(c.oid, 'pg_class') as comment,
    g.who = 'public' as public, x.example,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
       'comment', coalesce(col_description(c.oid, a.attnum), '')) order by a.attnum)
     from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o
    join pg_class c on o.class = 'pg_class'::regclass and o.id = c.oid
    left join frontdesk_internal.examples() x on x.name = c.relname
  where c.relnamespace = 'frontdesk'::regnamespace
  order by c.relname";

#[derive(Deserialize)]
struct Relation {
    name: String,
    is_view: bool,
    comment: Option<String>,
    public: bool,
    example: Option<String>,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    r#type: String,
    comment: String,
}

/// Those that somebody may be allowed to read.
pub fn read(cluster: &Cluster) -> Result<Vec<Entry>> {
    let relations: Vec<Relation> = rows(cluster, QUERY)?;
    relations.into_iter().map(Relation::entry).collect()
}

impl Relation {
    fn entry(self) -> Result<Entry> {
        let public = if self.public { " *PUBLIC.*" } else { "" };
        let comment = sentence(self.comment.as_deref().unwrap_or("(no comment)"));
        let mut text = format!("{}\n\n", wrapped(&format!("{comment}{public}")));
        if self.columns.iter().all(|column| column.comment.is_empty()) {
            let columns: Vec<String> = self.columns.iter().map(|c| format!("`{}` {}", c.name, c.r#type)).collect();
            writeln!(text, "{}", wrapped(&format!("Columns: {}.", columns.join(", "))))?;
        } else {
            text.push_str("| column | type | |\n|---|---|---|\n");
            for Column { name, r#type, comment } in &self.columns {
                writeln!(text, "| `{name}` | {} | {} |", cell(r#type), cell(comment))?;
            }
        }
        text.push_str(&example(self.example.as_deref()));
        Ok(Entry { kind: if self.is_view { Kind::View } else { Kind::Table }, name: self.name, text })
    }
}
