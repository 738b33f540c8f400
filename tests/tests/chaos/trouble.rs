//! What happens to the server beside the load.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls};
use tests::Server;

use super::load::Chance;

/// Statements that an owner may run at any time. The partitions of the log are looked up when it comes to it.
const REBUILDS: [&str; 12] = [
    "reindex table concurrently lead",
    "vacuum full lead",
    "create publication everything for all tables",
    "drop publication if exists everything",
    "alter table lead add column if not exists more text default 'x'",
    "alter table lead drop column if exists more",
    "create index concurrently if not exists lead_name on lead (name)",
    "drop index concurrently if exists lead_name",
    "alter table lead alter column note type varchar(1000)",
    "alter table lead alter column note type text",
    "vacuum freeze control",
    "analyze",
];

/// Returns how many succeeded.
pub fn rebuild(place: &str, done: &AtomicBool) -> usize {
    let (mut chance, mut succeeded) = (Chance(4711), 0);
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(100 + chance.below(300)));
        let Ok(mut session) = Client::connect(place, NoTls) else { continue };
        let _ = session.batch_execute("set lock_timeout = '5s'; set statement_timeout = '20s'");
        let statement = match chance.below(3) {
            0 => REBUILDS[chance.below(REBUILDS.len() as u64) as usize].to_string(),
            number => of_the_log(&mut session, number == 1, &mut chance).unwrap_or_default(),
        };
        succeeded += usize::from(session.batch_execute(&statement).is_ok());
    }
    succeeded
}

/// A rebuild of one partition of the log, which is written to meanwhile.
fn of_the_log(session: &mut Client, concurrently: bool, chance: &mut Chance) -> Option<String> {
    let sql = "select c.oid::regclass::text from pg_class c join pg_inherits i on i.inhrelid = c.oid
        where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('frontdesk', 'frontdesk_internal')
          and pg_relation_size(c.oid) > 0";
    let tables = session.query(sql, &[]).ok()?;
    let table: String = tables.get(chance.below(tables.len() as u64) as usize)?.get(0);
    Some(match (concurrently, chance.below(3)) {
        (true, _) => format!("reindex table concurrently {table}"),
        (false, 0) => format!("vacuum full {table}"),
        (false, 1) => format!("vacuum freeze {table}"),
        (false, _) => format!("reindex table {table}"),
    })
}

/// Kills one process of the server with SIGKILL, waits for the server to be back, and so on. Returns how many.
pub fn kill(server: &Server, place: &str, done: &AtomicBool) -> usize {
    let (mut chance, mut kills) = (Chance(99), 0);
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(3000 + chance.below(4000)));
        let Ok(mut session) = Client::connect(place, NoTls) else { continue };
        let kind =
            ["frontdesk engine", "frontdesk launcher", "client backend", "client backend"][chance.below(4) as usize];
        let sql = "select pid from pg_stat_activity where backend_type = $1 and pid <> pg_backend_pid() order by random() limit 1";
        let Ok(Some(row)) = session.query_opt(sql, &[&kind]) else { continue };
        let pid: i32 = row.get(0);
        drop(session);
        kills +=
            usize::from(Command::new("kill").args(["-KILL", &pid.to_string()]).status().is_ok_and(|s| s.success()));
        // The server recovers by itself.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while server.psql("postgres", "select 1").is_err() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    kills
}
