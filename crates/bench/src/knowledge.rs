//! `cargo xtask bench knowledge [--rows N]`: what a search takes and what it finds, beside the seed's function, a bare
//! query by the index and comparing every row, over the same documents in the same run.

use std::time::Instant;

use anyhow::{Context, Result};

use super::Options;
use super::embedding;
use super::server::{self, DATABASE};
use super::table::{Table, thousands};
use testbed::cluster::Cluster;
use testbed::postgres::Postgres;

const FILL: &str = include_str!("knowledge/fill.sql");
const FILTERS: &str = include_str!("knowledge/filters.sql");
const COLUMNS: &str = "id, content, title, metadata, category, 1 - (embedding <=> $1) as similarity";

/// What is asked of `match_documents`: a name, its arguments after the threshold, and the same as a condition.
const FILTERED: [(&str, &str, &str); 5] = [
    ("with a category (1/6)", "5, $2", "d.category = $2"),
    ("with metadata at 1 %", "5, null, '{\"percent\": 7}'", "d.metadata->>'percent' = '7'"),
    ("with metadata at 0.1 %", "5, null, '{\"permille\": 7}'", "d.metadata->>'permille' = '7'"),
    ("with both (1/600)", "5, $2, '{\"percent\": 7}'", "d.metadata->>'percent' = '7' and d.category = $2"),
    ("with a range at 10 %", "5, null, '{\"price\": {\"$lt\": 10000}}'", "(d.metadata->>'price')::int < 10000"),
];

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    let rows = options.rows;
    let settings =
        [("shared_buffers", "2GB"), ("maintenance_work_mem", "4GB"), ("max_parallel_maintenance_workers", "2")];
    let cluster = server::start(postgres, &settings)?;
    let mut table = Table::new(&["what", "measured", "at least"]);
    eprintln!("    {} documents …", thousands(rows as f64));
    cluster.psql(DATABASE, &format!("\\set rows {rows}\n{FILL}"))?;
    let seed = p50(&cluster, "select * from bench.seed_match_documents($1, 0.1, 5)", 7)?;
    table.row(&["the seed's match_documents, p50", &format!("{} ms", seed.0), "-"]);
    let exact =
        p50(&cluster, &format!("select {COLUMNS} from crm.documents order by (embedding <=> $1) + 0 limit 5"), 7)?;
    table.row(&["comparing every row, p50", &format!("{} ms", exact.0), "-"]);
    eprintln!("    the index …");
    let started = Instant::now();
    let definition = "select definition from crm_internal.vector_indexes() where source = 'crm.documents'::regclass";
    sql(&cluster, &sql(&cluster, definition)?)?;
    table.row(&["building the HNSW index", &format!("{:.0} s", started.elapsed().as_secs_f64()), "-"]);
    sql(&cluster, "vacuum analyze crm.documents")?;
    unfiltered(&cluster, seed.0, &mut table)?;
    filtered(&cluster, &mut table)?;
    let hybrid = p50(&cluster, "select * from crm.hybrid_search($3, $1)", 60)?;
    table.row(&["hybrid search of four words, p50", &format!("{} ms", hybrid.0), "≤ 25 ms"]);
    let differences = sql(&cluster, FILTERS)?;
    table.row(&["compile_filter against filter_matches", &differences, "0 of 10,000 differ"]);
    drop(cluster);
    embedding::rows(postgres, false, &mut table)?;
    table.print();
    Ok(())
}

/// Beside the bare query with the effort that match_documents makes of an index of ours (40) and of any other (64).
fn unfiltered(cluster: &Cluster, seed: f64, table: &mut Table) -> Result<()> {
    let bare = format!("select {COLUMNS} from crm.documents order by embedding <=> $1 limit 5");
    let mut bare_time = 0.0;
    for breadth in [64, 40] {
        // The planner would compare every row.
        let set = format!("set enable_sort = off; set hnsw.ef_search = {breadth};");
        let (time, _) = times(cluster, &set, &bare, 200)?;
        let recall = sql(cluster, &format!("{set} {}", recall(&bare, "true")))?;
        table.row(&[
            &format!("bare HNSW query, ef_search {breadth}, p50"),
            &format!("{time} ms, recall@5 {recall}"),
            "-",
        ]);
        bare_time = time;
    }
    let ours = "select * from crm.match_documents($1, 0, 5)";
    let (time, fewest) = p50(cluster, ours, 200)?;
    let recall = sql(cluster, &recall(ours, "true"))?;
    table.row(&[
        "match_documents, p50",
        &format!(
            "{time} ms: {:.2} × bare (40), {:.0} × the seed's; recall@5 {recall}, {fewest} rows",
            time / bare_time,
            seed / time
        ),
        "≤ 1.3 × bare, ≥ 150 × the seed's",
    ]);
    Ok(())
}

fn filtered(cluster: &Cluster, table: &mut Table) -> Result<()> {
    for (name, arguments, condition) in FILTERED {
        let ours = format!("select * from crm.match_documents($1, null, {arguments})");
        let (time, fewest) = p50(cluster, &ours, 60)?;
        let recall = sql(cluster, &recall(&ours, condition))?;
        table.row(&[
            &format!("{name}, p50"),
            &format!("{time} ms, recall@5 {recall}, {fewest} rows at least"),
            "≤ 15 ms, recall ≥ 0.95, 5 rows",
        ]);
    }
    Ok(())
}

fn p50(cluster: &Cluster, statement: &str, count: u32) -> Result<(f64, u64)> {
    times(cluster, "", statement, count)
}

/// Milliseconds, and the fewest rows that came.
fn times(cluster: &Cluster, set: &str, statement: &str, count: u32) -> Result<(f64, u64)> {
    let answer = sql(
        cluster,
        &format!("{set} select p50 || ' ' || fewest from bench.times($statement${statement}$statement$, {count})"),
    )?;
    let (time, fewest) = answer.split_once(' ').context("no answer")?;
    Ok((time.parse()?, fewest.parse()?))
}

fn recall(statement: &str, condition: &str) -> String {
    format!("select bench.recall($statement${statement}$statement$, $condition${condition}$condition$, 40)")
}

fn sql(cluster: &Cluster, text: &str) -> Result<String> {
    let answer = cluster.psql(DATABASE, text)?;
    Ok(answer.lines().last().unwrap_or_default().to_string())
}
