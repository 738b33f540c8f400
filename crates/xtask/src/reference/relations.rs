//! The views, and the tables behind them.

use std::fmt::Write;

use anyhow::Result;
use serde::Deserialize;

use super::{cell, rows, sentence};
use testbed::cluster::Cluster;

const QUERY: &str = "
  select c.relname as name, c.relkind = 'v' as is_view, obj_description(c.oid, 'pg_class') as comment,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
       'comment', coalesce(col_description(c.oid, a.attnum), '')) order by a.attnum)
     from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c
  where c.relnamespace = 'frontdesk'::regnamespace and c.relkind in ('v', 'r', 'p') and not c.relispartition
  order by c.relname";

#[derive(Deserialize)]
struct Relation {
    name: String,
    is_view: bool,
    comment: Option<String>,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    r#type: String,
    comment: String,
}

pub fn text(cluster: &Cluster) -> Result<String> {
    let relations: Vec<Relation> = rows(cluster, QUERY)?;
    let mut text = String::from("## Views\n");
    for view in relations.iter().filter(|relation| relation.is_view) {
        text.push_str(&view.entry()?);
    }
    text.push_str("\n## Tables\n\nThey are the engine's. Read them; change them by the functions only.\n");
    for table in relations.iter().filter(|relation| !relation.is_view) {
        text.push_str(&table.entry()?);
    }
    Ok(text)
}

impl Relation {
    fn entry(&self) -> Result<String> {
        let comment = sentence(self.comment.as_deref().unwrap_or("(no comment)"));
        let mut text = format!("\n#### {}\n\n{comment}\n\n| column | type | |\n|---|---|---|\n", self.name);
        for Column { name, r#type, comment } in &self.columns {
            writeln!(text, "| `{name}` | {} | {} |", cell(r#type), cell(comment))?;
        }
        Ok(text)
    }
}
