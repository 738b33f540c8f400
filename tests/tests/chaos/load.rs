//! Transactions of every kind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, Error, NoTls};

/// Each worker has ids of its own, so that workers do not wait for each other.
const IDS: i64 = 1000;

/// Works until it is done; a session that is lost is replaced.
pub fn run(place: &str, worker: i64, done: &AtomicBool) {
    let mut chance = Chance(worker as u64 * 7919 + 13);
    while !done.load(Ordering::SeqCst) {
        let Ok(mut session) = Client::connect(place, NoTls) else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        while !done.load(Ordering::SeqCst) && !session.is_closed() {
            if transaction(&mut session, worker, &mut chance).is_err() {
                let _ = session.batch_execute("rollback");
            }
            std::thread::sleep(Duration::from_millis(chance.below(8)));
        }
    }
}

fn transaction(session: &mut Client, worker: i64, chance: &mut Chance) -> Result<(), Error> {
    session.batch_execute("begin; set local lock_timeout = '5s'")?;
    if chance.below(3) == 0 {
        session.batch_execute("set local synchronous_commit = off")?;
    }
    let savepoints = chance.below(4);
    for _ in 0..savepoints {
        session.batch_execute("savepoint a")?;
        change(session, worker, chance)?;
        match chance.below(3) {
            0 => session.batch_execute("rollback to a")?,
            1 => session.batch_execute("release a")?,
            _ => {}
        }
        // Long enough for an index to be built meanwhile and put in the place of one that this transaction has used.
        if chance.below(8) == 0 {
            session.batch_execute(&format!("select pg_sleep(0.{})", 1 + chance.below(5)))?;
        }
    }
    change(session, worker, chance)?;
    match chance.below(10) {
        0 => session.batch_execute("rollback"),
        1 | 2 => prepared(session, worker, chance),
        _ => session.batch_execute("commit"),
    }
}

fn change(session: &mut Client, worker: i64, chance: &mut Chance) -> Result<(), Error> {
    let (low, id) = (worker * IDS, worker * IDS + chance.below(IDS as u64) as i64);
    let sql = match chance.below(6) {
        0 | 1 => format!("insert into lead (id, name) values ({id}, 'Ada') on conflict do nothing"),
        2 => format!(
            "insert into lead (id, name) select i, repeat('x', {}) from generate_series({id}, {id} + {}) i
             where i < {low} + {IDS} on conflict do nothing",
            chance.below(300),
            chance.below(30)
        ),
        3 => format!("update lead set n = nextval('change'), note = 'again' where id between {id} and {id} + 5 and id < {low} + {IDS}"),
        4 => format!("delete from lead where id between {id} and {id} + 3 and id < {low} + {IDS}"),
        _ => format!(
            "do $$ begin
               begin update lead set n = nextval('change') where id = {id}; raise exception 'undone'; exception when others then null; end;
               update lead set n = nextval('change'), name = 'in a block' where id = {id};
             end $$"
        ),
    };
    session.batch_execute(&sql)
}

/// Left to itself for a while, and sometimes for good: whoever resolves it later does so by its name.
fn prepared(session: &mut Client, worker: i64, chance: &mut Chance) -> Result<(), Error> {
    let name = format!("w{worker}_{}", chance.next());
    session.batch_execute(&format!("prepare transaction '{name}'"))?;
    match chance.below(4) {
        0 => Ok(()),
        1 => session.batch_execute(&format!("rollback prepared '{name}'")),
        _ => session.batch_execute(&format!("commit prepared '{name}'")),
    }?;
    // Nobody may wait for one that is left: what it has locked are rows of this worker.
    resolve_some(session, &format!("w{worker}_"))
}

/// Ends what was left prepared: every other one is committed.
pub fn resolve(place: &str) {
    let mut session = Client::connect(place, NoTls).expect("a session");
    resolve_some(&mut session, "w").expect("prepared transactions end");
}

fn resolve_some(session: &mut Client, prefix: &str) -> Result<(), Error> {
    let sql = "select gid from pg_prepared_xacts where database = current_database() and starts_with(gid, $1)";
    for row in session.query(sql, &[&prefix])? {
        let name: String = row.get(0);
        let verb = if name.ends_with(['0', '2', '4', '6', '8']) { "commit" } else { "rollback" };
        session.batch_execute(&format!("{verb} prepared '{name}'"))?;
    }
    Ok(())
}

/// Numbers that look like chance.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
