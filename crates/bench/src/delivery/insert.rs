//! What capture costs a single-row insert, against no trigger and against the peers' triggers.

use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::peers::{self, Peer};
use super::report::{Row, median};
use super::scene::{Scene, VALUES, await_true};
use crate::pgbench::Pgbench;
use crate::server::DATABASE;
use crate::table::thousands;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    None,
    Delivering,
    Stopped,
    Net,
    Http,
    SlowHttp,
}

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &["--threads", "1"])?;
    let peers = peers::enable(&scene)?;
    scene.create_table("plain")?;
    scene.add_endpoint("one", "/ok/one", "")?;
    let mut variants = vec![Variant::None, Variant::Delivering, Variant::Stopped];
    if peers.contains(&Peer::Net) {
        peers::net_trigger(&scene, "lead_net")?;
        variants.push(Variant::Net);
    }
    if peers.contains(&Peer::Http) {
        peers::http_trigger(&scene, "lead_http", "/ok/http")?;
        peers::http_trigger(&scene, "lead_slow_http", "/delay/50")?;
        variants.extend([Variant::Http, Variant::SlowHttp]);
    }
    let mut rounds = Vec::new();
    for round in 0..bench.count(8, 2) {
        let mut measured = Vec::new();
        for variant in &variants {
            // The slow ones say the same each time.
            let skipped = round > 0 && matches!(variant, Variant::Http | Variant::SlowHttp);
            measured.push(if skipped { f64::NAN } else { run(bench, &scene, *variant)? });
        }
        let shown: Vec<String> = measured.iter().map(|tps| format!("{tps:.0}")).collect();
        eprintln!("    round {round}: {} tps", shown.join(", "));
        rounds.push(measured);
    }
    let place = |wanted: Variant| variants.iter().position(|variant| *variant == wanted);
    let of = |wanted: Variant| {
        let tps = place(wanted).map(|place| rounds.iter().map(move |round| round[place]));
        tps.map(|tps| median(&tps.filter(|tps| tps.is_finite()).collect::<Vec<_>>()))
    };
    // Round by round: what slows one side of a round slows the other.
    let ratio = |a: Variant, b: Variant| {
        let (a, b) = (place(a)?, place(b)?);
        Some(median(&rounds.iter().map(|round| round[a] / round[b]).collect::<Vec<_>>()))
    };
    let (none, delivering, stopped) = (of(Variant::None), of(Variant::Delivering), of(Variant::Stopped));
    let [none, delivering, stopped] = [none, delivering, stopped].map(|tps| tps.unwrap_or(f64::NAN));
    let of_none = |variant| ratio(variant, Variant::None).unwrap_or(f64::NAN);
    let mut rows = vec![Row::new("single-row insert, no trigger", shown(none))];
    // Where pg_net is only quoted, both sides by their share of no trigger: machines differ.
    let (what, against_net) = match ratio(Variant::Delivering, Variant::Net) {
        Some(ratio) => ("capture, engine delivering, against a pg_net trigger", ratio),
        None => {
            let quoted = 7_000.0 / 19_500.0;
            ("capture, engine delivering, against a pg_net trigger (quoted)", of_none(Variant::Delivering) / quoted)
        }
    };
    rows.push(Row::new(what, shown(delivering)).ratio(against_net).asked("1.6", against_net >= 1.6));
    rows.push(Row::new("the same, against no trigger", shown(delivering)).ratio(of_none(Variant::Delivering)));
    let kept = of_none(Variant::Stopped);
    rows.push(
        Row::new("capture, engine stopped, against no trigger", shown(stopped)).ratio(kept).asked("0.78", kept >= 0.78),
    );
    rows.push(peer(of(Variant::Net), none, "single-row insert with a pg_net trigger", 7_000.0));
    rows.push(peer(of(Variant::Http), none, "single-row insert with a pgsql-http trigger", 3_600.0));
    rows.push(peer(of(Variant::SlowHttp), none, "the same, the receiver taking 50 ms", 150.0));
    Ok(rows)
}

fn run(bench: &Bench, scene: &Scene, variant: Variant) -> Result<f64> {
    let table = match variant {
        Variant::None => "plain",
        Variant::Delivering | Variant::Stopped => "lead",
        Variant::Net => "lead_net",
        Variant::Http => "lead_http",
        Variant::SlowHttp => "lead_slow_http",
    };
    if variant == Variant::Stopped {
        scene.stop_engine()?;
    }
    scene.receiver.reset()?;
    scene.sql("checkpoint")?;
    let script = format!("insert into {table} (name, email, note) values ({VALUES})");
    let seconds = bench.count(4, 3);
    let measured =
        Pgbench { database: DATABASE, script: &script, seconds, ..Default::default() }.run(&scene.cluster)?;
    match variant {
        Variant::Delivering => scene.await_accepted("/ok/one", measured.transactions)?,
        Variant::Stopped => {
            // What was captured is counted and thrown away.
            let captured = scene.number("select count(*) from frontdesk.event where id > (select coalesce(max(event_id), 0) from frontdesk_internal.attempt)")?;
            anyhow::ensure!(
                captured as u64 >= measured.transactions,
                "{captured} of {} captured",
                measured.transactions
            );
            scene.sql("truncate frontdesk.event")?;
            scene.start_engine()?;
        }
        Variant::Net => {
            scene.sql("truncate net.http_request_queue, net._http_response")?;
            let empty = "select count(*) = 0 from net.http_request_queue";
            await_true(Duration::from_secs(20), "pg_net", || Ok(scene.sql(empty)? == "t"))?;
        }
        _ => {}
    }
    Ok(measured.tps)
}

fn peer(tps: Option<f64>, none: f64, what: &str, quoted: f64) -> Row {
    match tps {
        Some(tps) => Row::new(what, shown(tps)).ratio(tps / none),
        None => Row::quoted(what, &format!("{} of 19,500 without a trigger", shown(quoted))).ratio(quoted / 19_500.0),
    }
}

fn shown(tps: f64) -> String {
    format!("{} tps", thousands(tps))
}
