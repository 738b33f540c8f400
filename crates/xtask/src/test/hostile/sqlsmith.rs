//! `sqlsmith` writes statements against the schemas of the extension, as a superuser and as an application. Nothing of it
//! crashes the server or makes a function of ours fail inside.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Scene;
use crate::test::verdict::Verdict;
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::faults;
use testbed::provide::apt;
use testbed::step;

/// Tables, endpoints, jobs, timers and a business with an application role, so that there is something to select from.
const SCENERY: &str = include_str!("../../../sql/hostile_scenery.sql");

const DATABASE: &str = "smith";
const APPLICATION: &str = "hostile_app";

/// Nothing leaves, and the log tells where an error comes from.
const SETTINGS: [(&str, &str); 4] = [
    ("frontdesk.allow_networks", ""),
    ("log_error_verbosity", "verbose"),
    ("log_min_messages", "error"),
    ("shared_buffers", "64MB"),
];

pub fn run(scene: &Scene) -> Result<Verdict> {
    let Some(program) = program() else {
        return Ok(Verdict::Skipped("skipped: sqlsmith is not installed (apt-get install sqlsmith)".to_string()));
    };
    let options = ClusterOptions { preload: true, extra_conf: &SETTINGS, ..Default::default() };
    let cluster = Cluster::create(&scene.postgres, options)?;
    cluster.psql("postgres", &format!("create database {DATABASE}"))?;
    cluster.psql(DATABASE, SCENERY).context("the tables for sqlsmith")?;

    let seconds = scene.seconds(60, 3600);
    let mut smiths = [smith(&program, &cluster, testbed::cluster::USER)?, smith(&program, &cluster, APPLICATION)?];
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) && faults::crashes(&log(&cluster)).is_empty() {
        std::thread::sleep(Duration::from_millis(500));
        for smith in &mut smiths {
            smith.keep_going(&program, &cluster)?;
        }
    }
    for smith in &mut smiths {
        let _ = smith.child.kill();
        let _ = smith.child.wait();
    }
    judge(&cluster, seconds)
}

fn judge(cluster: &Cluster, seconds: u64) -> Result<Verdict> {
    let log = log(cluster);
    let mut findings = faults::crashes(&log);
    if !findings.is_empty() {
        findings.push(format!("the end of the server's log:\n{}", step::tail(&cluster.log_path(), 30)));
    }
    findings.extend(faults::internal_errors(&log));
    findings.extend(testbed::amcheck::findings(cluster, DATABASE).unwrap_or_else(|error| vec![error.to_string()]));
    let errors = log.lines().filter(|line| line.contains("ERROR:  ")).count();
    let closing = format!("{seconds} s, {errors} statements refused, {} findings", findings.len());
    findings.push(closing);
    Ok(Verdict::of(findings.len() == 1, findings.join("\n")))
}

/// Of its sessions: no statement takes long.
const SESSION: &str = "-c statement_timeout=2s -c lock_timeout=1s -c idle_in_transaction_session_timeout=20s";

/// One sqlsmith; it gives up when its connection is taken away (it may well end it itself), and is started again.
struct Smith {
    child: Child,
    role: &'static str,
    number: u32,
}

fn smith(program: &PathBuf, cluster: &Cluster, role: &'static str) -> Result<Smith> {
    Ok(Smith { child: start(program, cluster, role, 1)?, role, number: 1 })
}

impl Smith {
    fn keep_going(&mut self, program: &PathBuf, cluster: &Cluster) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            self.number += 1;
            self.child = start(program, cluster, self.role, self.number)?;
        }
        Ok(())
    }
}

fn start(program: &PathBuf, cluster: &Cluster, role: &str, number: u32) -> Result<Child> {
    let target =
        format!("--target=host={} port={} user={role} dbname={DATABASE}", cluster.socket_dir.display(), cluster.port);
    let mut command = Command::new(program);
    // The time makes each run another one.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.subsec_micros());
    command.arg(target).arg("--exclude-catalog").arg(format!("--seed={}", now % 1_000_000 + number));
    command.env("PGOPTIONS", SESSION).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("starting {}", program.display()))
}

fn log(cluster: &Cluster) -> String {
    step::tail(&cluster.log_path(), usize::MAX)
}

/// Installed where it is missing and may be.
fn program() -> Option<PathBuf> {
    find().or_else(|| {
        if apt::is_here() {
            let _ = apt::install(&["sqlsmith"]);
        }
        find()
    })
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/bin".into(), "/usr/games".into()]);
    dirs.map(|dir| dir.join("sqlsmith")).find(|program| program.is_file())
}
