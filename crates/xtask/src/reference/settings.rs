//! The settings.

use std::fmt::Write;

use anyhow::Result;
use serde::Deserialize;

use super::{cell, rows};
use testbed::cluster::Cluster;

const QUERY: &str = "
  select name, coalesce(boot_val, '') as preset, context, short_desc as about,
    case when vartype in ('integer', 'real') then format('%s to %s', min_val, max_val) else '' end as range
  from pg_settings where name like 'frontdesk.%' order by name";

#[derive(Deserialize)]
struct Setting {
    name: String,
    preset: String,
    context: String,
    about: String,
    range: String,
}

pub fn text(cluster: &Cluster) -> Result<String> {
    let mut text =
        String::from("## Settings\n\n| setting | default | range | who sets it | |\n|---|---|---|---|---|\n");
    let settings: Vec<Setting> = rows(cluster, QUERY)?;
    for setting in &settings {
        let Setting { name, preset, about, range, .. } = setting;
        let preset = if preset.is_empty() { "empty".to_string() } else { format!("`{preset}`") };
        writeln!(text, "| `{name}` | {preset} | {range} | {} | {} |", setting.setter(), cell(about))?;
    }
    Ok(text)
}

impl Setting {
    fn setter(&self) -> &str {
        match self.context.as_str() {
            "postmaster" => "the server's configuration; restart",
            "sighup" => "the server's configuration; reload",
            "superuser" => "superusers, per session",
            "user" => "everyone, per session",
            other => other,
        }
    }
}
