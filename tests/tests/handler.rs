//! Handlers: an event runs SQL after the commit, exactly once.

mod apart;
mod life;
mod once;

use tests::Database;

/// A table that is watched, and one where a handler leaves a row for each event.
const SCENE: &str = "create table lead (id int primary key, amount int default 1);
    create table effect (n bigint generated always as identity, event bigint, lead int, by name default session_user);
    select frontdesk.watch('lead');
    create function leave(e frontdesk.event) returns void language plpgsql as $$ begin
      insert into public.effect (event, lead) values (e.id, e.key::int); end $$;
    create function leave_all(e frontdesk.event[]) returns void language sql as $$
      insert into public.effect (event, lead) select x.id, x.key::int from unnest(e) x $$;";

fn scene(database: &Database) {
    database.run(SCENE);
}

/// No event has two effects, and each of `events` has one.
#[track_caller]
fn assert_each_once(database: &Database, events: i64) {
    let twice: Vec<i64> = database.list("select event from effect group by event having count(*) > 1");
    assert_eq!(twice, [0_i64; 0], "events with more than one effect");
    assert_eq!(database.count("effect"), events);
}
