//! SIGKILL for the whole server at random moments under load.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Bench;
use super::report::Row;
use super::scene::{Scene, await_true, unix_us};
use crate::pgbench::Pgbench;
use crate::server::DATABASE;

const PATH: &str = "/delay/5";
/// Of the endpoint: what the receiver can have unanswered.
const IN_FLIGHT: u64 = 64;
/// What can be sent and not yet recorded: in flight, or answered while the engine writes down the answers before.
const UNRECORDED: u64 = 2 * 256;

/// A row that no other can be taken for, whatever a crash does to sequences.
const INSERT: &str = "insert into lead (name) values (gen_random_uuid()::text)";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &["--keep-ids"])?;
    scene.add_endpoint("one", PATH, &format!(", max_in_flight => {IN_FLIGHT}"))?;
    let kills = bench.count(20, 4);
    let (mut repeats, mut worst) = (0, 0);
    let mut random = unix_us() | 1;
    for kill in 0..kills {
        // By turns while rows come in, and while a backlog drains.
        let moment = Duration::from_millis(200 + next(&mut random) % 1_300);
        match kill % 2 {
            0 => kill_under_inserts(&scene, moment)?,
            _ => kill_under_backlog(&scene, moment / 2)?,
        }
        scene.cluster.start()?;
        let before = repeats;
        await_all(&scene)?;
        scene.await_settled()?;
        repeats = scene.receiver.count("repeats")?;
        worst = worst.max(repeats - before);
        eprintln!("    kill {kill} after {} ms: {} repeats", moment.as_millis(), repeats - before);
    }
    let (lost, phantoms, total) = compare(&scene)?;
    let figure =
        format!("{lost} lost, {phantoms} that were rolled back, {repeats} repeats, at most {worst} after one kill");
    let what = format!("kill -9 of the server, {kills} times under load, {total} events");
    let threshold = format!("0 lost, repeats at most what was sent and not recorded ({UNRECORDED} each)");
    Ok(vec![Row::new(what, figure).asked(&threshold, lost == 0 && phantoms == 0 && worst <= UNRECORDED)])
}

fn kill_under_inserts(scene: &Scene, moment: Duration) -> Result<()> {
    std::thread::scope(|scope| {
        let load = Pgbench { database: DATABASE, script: INSERT, clients: 4, seconds: 30, ..Default::default() };
        let inserting = scope.spawn(move || load.run(&scene.cluster));
        std::thread::sleep(moment);
        let killed = scene.cluster.kill9();
        // It fails with its server.
        let _ = inserting.join();
        killed
    })
}

fn kill_under_backlog(scene: &Scene, moment: Duration) -> Result<()> {
    scene.pause()?;
    scene.sql("insert into lead (name) select gen_random_uuid() from generate_series(1, 10000)")?;
    scene.resume()?;
    std::thread::sleep(moment);
    scene.cluster.kill9()
}

/// Waits until as many events came as there are rows.
fn await_all(scene: &Scene) -> Result<()> {
    let rows = scene.number("select count(*) from lead")? as u64;
    let waited = await_true(Duration::from_secs(60), "the events", || Ok(scene.accepted(PATH)? >= rows));
    match waited {
        Ok(()) => Ok(()),
        Err(_) => bail!("{} of {rows} events came: {}", scene.accepted(PATH)?, scene.status()?),
    }
}

/// Rows whose event never came, events of rows that are not there, and the number of rows.
fn compare(scene: &Scene) -> Result<(usize, usize, usize)> {
    let answer = scene.sql("select name from lead")?;
    let rows: HashSet<&str> = answer.lines().collect();
    let arrivals = scene.receiver.ids(PATH)?;
    let mut came: HashMap<&str, u64> = HashMap::new();
    for arrival in arrivals.as_array().context("the receiver's ids")? {
        let name = arrival["data"]["name"].as_str().context("an arrival without a name")?;
        *came.entry(name).or_default() += 1;
    }
    let lost = rows.iter().filter(|row| !came.contains_key(**row)).count();
    let phantoms = came.keys().filter(|name| !rows.contains(**name)).count();
    Ok((lost, phantoms, rows.len()))
}

/// xorshift64: moments that differ from run to run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
