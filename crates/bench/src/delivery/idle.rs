//! An engine with nothing to do.

use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::peers;
use super::proc;
use super::report::Row;
use super::scene::Scene;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[("autovacuum", "off")], &[])?;
    let peers = peers::enable(&scene)?;
    scene.add_endpoint("one", "/ok/one", "")?;
    scene.drain(1_000, "/ok/one")?;
    scene.await_settled()?;
    // Connections that nobody used for half a minute are closed: that is the end of work, not idleness.
    std::thread::sleep(Duration::from_secs(40));

    let seconds = bench.count(60, 15);
    let (engine, launcher) = scene.processes()?;
    let of_peers = processes_of_peers(&scene)?;
    // What asking itself adds, to be subtracted.
    let (first, second) = (transactions(&scene)?, transactions(&scene)?);
    let lines = log_lines(&scene)?;
    let before = [Spent::of(engine)?, Spent::of(launcher)?];
    let peers_before = Spent::of_all(&of_peers)?;
    std::thread::sleep(Duration::from_secs(seconds));
    let after = [Spent::of(engine)?, Spent::of(launcher)?];
    let peers_after = Spent::of_all(&of_peers)?;
    let lines = log_lines(&scene)? - lines;
    let committed = (transactions(&scene)? - second) - (second - first);

    let (ticks, ns) =
        (0..2).fold((0, 0), |sum, i| (sum.0 + after[i].ticks - before[i].ticks, sum.1 + after[i].ns - before[i].ns));
    let what = format!("idle engine and launcher over {seconds} s");
    let figure =
        format!("{ticks} ticks ({:.1} ms) of CPU, {committed} transactions, {lines} log lines", ns as f64 / 1e6);
    let mut rows = vec![Row::new(what, figure).asked("none of each", ticks == 0 && committed <= 0.0 && lines == 0)];
    if !peers.is_empty() && !of_peers.is_empty() {
        let ticks = peers_after.ticks - peers_before.ticks;
        let figure = format!("{ticks} ticks ({:.1} ms) of CPU", (peers_after.ns - peers_before.ns) as f64 / 1e6);
        rows.push(Row::new("the peers' workers, idle as well", figure));
    }
    Ok(rows)
}

struct Spent {
    ticks: u64,
    ns: u64,
}

impl Spent {
    fn of(pid: u32) -> Result<Spent> {
        Ok(Spent { ticks: proc::ticks(pid)?, ns: proc::cpu_ns(pid)? })
    }

    fn of_all(pids: &[u32]) -> Result<Spent> {
        pids.iter().try_fold(Spent { ticks: 0, ns: 0 }, |sum, pid| {
            let spent = Spent::of(*pid)?;
            Ok(Spent { ticks: sum.ticks + spent.ticks, ns: sum.ns + spent.ns })
        })
    }
}

fn processes_of_peers(scene: &Scene) -> Result<Vec<u32>> {
    let pids = scene.sql("select pid from pg_stat_activity where backend_type ~ 'pg_net|pg_cron'")?;
    Ok(pids.lines().filter_map(|pid| pid.parse().ok()).collect())
}

/// Those of the database: the engine's are among them, the launcher's are not in any.
fn transactions(scene: &Scene) -> Result<f64> {
    // A session reports what it did when it ends.
    std::thread::sleep(Duration::from_millis(500));
    scene.number(
        "select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database() or datname is null",
    )
}

fn log_lines(scene: &Scene) -> Result<usize> {
    Ok(std::fs::read_to_string(scene.cluster.log_path())?.lines().count())
}
