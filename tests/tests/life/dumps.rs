//! Dumps: however one is made and restored, everything arrives and nothing is sent before adopt().

use std::path::PathBuf;
use std::sync::Arc;

use tests::{Database, Desk, Server, body, wait_until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A desk with everything that a dump has to bring. The roles of its jobs are nowhere else.
fn original(server: &Arc<Server>) -> Desk {
    let desk = Desk::with_leads_on(server);
    desk.endpoint(
        "crm",
        "/ok",
        &format!(r#"secret => '{SECRET}', headers => '{{"Authorization": "Bearer abcdefgh", "X-A": "b"}}'"#),
    );
    desk.run(
        "create role dumped_owner login;
         create table visit (id int primary key, at timestamptz);
         select frontdesk.remind('visit', 'at', '-1 hour', 'visit.soon');
         select frontdesk.schedule('theirs', '* * * * *', 'select frontdesk.emit(''job.ran'')', username => 'dumped_owner'),
           frontdesk.schedule('ours', '* * * * *', 'select frontdesk.emit(''job.ran'')', active => false),
           frontdesk.follow_scores('ours'),
           frontdesk.set_score_model('mine', '[{\"name\": \"a\", \"points\": 3, \"filter\": {\"a\": 1}}]'),
           frontdesk.add_embedder('words', 'http://127.0.0.1:9/embeddings', 'm', 3, secret => 'sk-something');
         insert into lead select n, 'Ada' from generate_series(1, 30) n;
         insert into visit select n, now() + interval '1 day' from generate_series(1, 5) n",
    );
    wait_until("its events came", || desk.stats("/ok").accepted_ids == 30);
    desk
}

/// What has to be there. The owner of one job is nobody where there is no such role.
const CONTENTS: &str = "
    select string_agg(format('%s %s %s %s', e.name, e.url, e.headers, e.credentials), ',') from frontdesk_internal.endpoint e
    union all select string_agg(format('%s %s', s.header, encode(s.secret, 'escape')), ',' order by s.header) from frontdesk_internal.endpoint_secret s
    union all select string_agg(format('%s %s %s', j.name, j.schedule, j.active), ',' order by j.name) from frontdesk_internal.job j
    union all select string_agg(format('%s %s %s', t.name, t.source, t.event), ',') from frontdesk_internal.timer_rule t
    union all select string_agg(format('%s %s %s', r.model, r.name, r.points), ',') from frontdesk.score_rule r where r.model = 'mine'
    union all select string_agg(m.name, ',') from frontdesk.score_model m where not m.shipped
    union all select count(*)::text from frontdesk_internal.score_follower
    union all select string_agg(format('%s %s', e.name, s.header), ',') from frontdesk_internal.embedder e join frontdesk_internal.embedder_secret s on s.embedder_id = e.id
    union all select string_agg(format('%s %s', w.source, w.problem), ',') from frontdesk.watch w
    union all select count(*)::text from lead
    union all select count(*)::text from visit";

fn file(server: &Server, name: &str) -> PathBuf {
    server.dir.join(name)
}

fn run(server: &Server, tool: &str, database: &str, args: &[&str]) {
    let output = server.client(tool, database).args(args).output().unwrap();
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn assert_complete_and_silent(desk: &Desk, copy: &Database, how: &str) {
    assert_eq!(copy.list::<Option<String>>(CONTENTS), desk.list::<Option<String>>(CONTENTS), "{how}");
    let before = desk.stats("/ok").requests;
    copy.run("insert into lead values (100, 'in the copy'); select frontdesk.wake()");
    wait_until("the copy says that it is one", || copy.state() == "silent");
    assert!(copy.error("select frontdesk.resume()").contains("adopt"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(desk.stats("/ok").requests, before, "{how}: nothing is sent");
    assert_eq!(copy.count("frontdesk_internal.job_run where status <> 'waiting'"), 0, "{how}: no job runs");

    copy.run("select frontdesk.adopt()");
    copy.run(&format!("insert into lead values (101, '{how}')"));
    wait_until("the copy speaks", || desk.requests("/ok").iter().any(|request| body(request)["data"]["name"] == how));
    let came = desk.requests("/ok").into_iter().rfind(|request| body(request)["data"]["name"] == how).unwrap();
    assert_eq!(came.headers["authorization"], "Bearer abcdefgh");
    assert!(came.headers["webhook-signature"].starts_with("v1,"));
    assert!(!desk.requests("/ok").iter().any(|request| body(request)["data"]["name"] == "in the copy"));
    // Of the job whose owner is not there it is said, and nobody runs it.
    assert_eq!(copy.list::<String>("select owner::text from frontdesk_internal.job where name = 'theirs'"), ["-"]);
}

#[test]
fn a_dump_in_any_format_and_restored_in_parallel_brings_everything_and_is_silent() {
    let (server, elsewhere) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = original(&server);
    for (how, format, jobs) in [("plain", "plain", ""), ("custom", "custom", "-j2"), ("directory", "directory", "-j4")]
    {
        let path = file(&elsewhere, how);
        let path = path.to_str().unwrap();
        run(&server, "pg_dump", &desk.name, &["-F", format, "-f", path]);
        let copy = Database::empty_on(&elsewhere);
        match jobs {
            "" => run(&elsewhere, "psql", &copy.name, &["-q", "-v", "ON_ERROR_STOP=1", "-f", path]),
            _ => run(&elsewhere, "pg_restore", &copy.name, &[jobs, "-d", &copy.name, path]),
        }
        assert_complete_and_silent(&desk, &copy, how);
    }
}

#[test]
fn a_dump_restored_in_two_steps_with_triggers_disabled_is_silent() {
    let (server, elsewhere) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = original(&server);
    let copy = Database::empty_on(&elsewhere);
    for (step, args) in [("schema", vec!["--schema-only"]), ("data", vec!["--data-only", "--disable-triggers"])] {
        let path = file(&elsewhere, &format!("{step}.sql"));
        let mut args = args;
        args.extend(["-f", path.to_str().unwrap()]);
        run(&server, "pg_dump", &desk.name, &args);
        run(&elsewhere, "psql", &copy.name, &["-q", "-v", "ON_ERROR_STOP=1", "-f", path.to_str().unwrap()]);
    }
    assert_complete_and_silent(&desk, &copy, "two steps");
}

#[test]
fn a_part_of_a_dump_sends_nothing_unsigned_and_nothing_before_it_is_adopted() {
    let (server, elsewhere) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = original(&server);
    let path = file(&elsewhere, "part");
    let path = path.to_str().unwrap();
    run(&server, "pg_dump", &desk.name, &["-F", "custom", "-f", path]);
    // The endpoint alone, into a database that is at work.
    let other = Database::on(&elsewhere);
    run(&elsewhere, "pg_restore", &other.name, &["--data-only", "-t", "endpoint", "-d", &other.name, path]);
    let before = desk.stats("/ok").requests;
    other.run("select frontdesk.wake(reboot => true), frontdesk.emit('lead.imported')");
    other.wait("(select problem like '%another installation%adopt%' from frontdesk.endpoints)");
    other.run("select frontdesk.adopt()");
    other.wait("(select problem like 'there is no secret%' from frontdesk.endpoints)");
    other.run("select frontdesk.emit('lead.imported'), frontdesk.rotate_secret('crm')");
    other.wait("(select problem like 'the value of header \"Authorization\" is missing%' from frontdesk.endpoints)");
    let why: String = other.get("select reason from frontdesk.explain_event((select max(id) from frontdesk.event))");
    assert!(why.contains("Authorization"), "{why}");
    assert_eq!(desk.stats("/ok").requests, before);
    other.run(r#"select frontdesk.alter_endpoint('crm', headers => '{"Authorization": "anew"}')"#);
    // What waited is sent now, and nothing from before the adoption.
    wait_until("it is sent", || desk.stats("/ok").requests == before + 1);
    assert_eq!(desk.requests("/ok").last().unwrap().headers["authorization"], "anew");
    assert!(other.get::<bool>("select problem is null from frontdesk.endpoints"));
}

#[test]
fn a_job_of_a_role_that_was_dropped_becomes_nobody_elses_elsewhere() {
    let (server, elsewhere) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = Desk::on(&server);
    desk.run("create role gone login; select frontdesk.schedule('x', '* * * * *', 'select 1', username => 'gone', active => false)");
    // Its number is somebody else's there.
    let number: String = desk.get("select owner::oid::text from frontdesk_internal.job");
    desk.run(
        "delete from pg_shdepend where refobjid = (select owner::oid from frontdesk_internal.job); drop role gone",
    );
    assert_eq!(desk.get::<String>("select owner::text from frontdesk_internal.job"), number);
    let path = file(&elsewhere, "gone");
    run(&server, "pg_dump", &desk.name, &["-f", path.to_str().unwrap()]);
    let copy = Database::empty_on(&elsewhere);
    run(&elsewhere, "psql", &copy.name, &["-q", "-v", "ON_ERROR_STOP=1", "-f", path.to_str().unwrap()]);
    assert_eq!(copy.get::<String>("select owner::text from frontdesk_internal.job"), "-");
}

#[test]
fn a_dump_without_a_table_brings_the_reminders_of_the_others() {
    let (server, elsewhere) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = original(&server);
    desk.run(
        "create table kept (id int primary key, at timestamptz);
         select frontdesk.remind('kept', 'at', '-1 hour', 'kept.soon')",
    );
    let path = file(&elsewhere, "without");
    run(&server, "pg_dump", &desk.name, &["-T", "visit", "-f", path.to_str().unwrap()]);
    let copy = Database::empty_on(&elsewhere);
    run(&elsewhere, "psql", &copy.name, &["-q", "-v", "ON_ERROR_STOP=1", "-f", path.to_str().unwrap()]);
    let rules = "select format('%s %s', r.event, r.source) from frontdesk_internal.timer_rule r order by 1";
    assert_eq!(copy.list::<String>(rules), ["kept.soon kept", "visit.soon -"]);
    copy.run("select frontdesk.adopt(); insert into kept values (1, now() + interval '1 hour 2 seconds')");
    copy.wait(
        "(select problem like 'table public.visit is not there%' from frontdesk.reminders where event = 'visit.soon')",
    );
    copy.wait("(select count(*) = 1 from frontdesk.event where type = 'kept.soon')");
}
