//! embed(): one text, while the caller waits.

use tests::wait_until;

use super::Notes;

#[test]
fn a_query_is_asked_once() {
    let notes = Notes::open();
    let first: String = notes.get("select frontdesk.embed('where is the cat?')::text");
    for _ in 0..3 {
        assert_eq!(notes.get::<String>("select frontdesk.embed('where is the cat?', 'test')::text"), first);
    }
    assert_eq!(
        notes
            .session()
            .query_one("select frontdesk.embed('where is the cat?')::text", &[])
            .unwrap()
            .get::<_, String>(0),
        first
    );
    assert_eq!(notes.stats("/embed/8").requests, 1);
    assert_eq!((notes.is("requests"), notes.is("tokens")), ("1".into(), "4".into()));
    // Another model, other vectors.
    notes.run("select frontdesk.alter_embedder('test', model => 'other')");
    notes.run("select frontdesk.embed('where is the cat?')");
    assert_eq!(notes.stats("/embed/8").requests, 2);
}

#[test]
fn the_index_is_used_by_a_query_that_embeds() {
    let notes = Notes::open();
    notes.write(1, 500);
    notes.await_all();
    notes.run("create index on note using hnsw (vec vector_cosine_ops); analyze note; set enable_seqscan = off");
    let plan: Vec<String> =
        notes.list("explain select id from note order by vec <=> frontdesk.embed('text 9') limit 1");
    assert!(plan.iter().any(|line| line.contains("Index Scan")), "{plan:#?}");
    assert_eq!(notes.get::<i64>("select id from note order by vec <=> frontdesk.embed('text 9') limit 1"), 9);
}

#[test]
fn it_can_be_cancelled_and_read_only() {
    let notes = Notes::by("/hang", "timeout_ms => 20000");
    let started = std::time::Instant::now();
    let error = notes.error("set statement_timeout = '300ms'; select frontdesk.embed('hello')");
    assert!(error.contains("statement timeout"), "{error}");
    assert!(started.elapsed().as_secs() < 5);
    notes.run("reset statement_timeout");
    notes.turn_to("/embed/8");
    notes.run("begin read only; select frontdesk.embed('hello'); commit");
}

#[test]
fn two_sessions_that_ask_the_same_do_not_wait_for_each_other() {
    let notes = Notes::open();
    let (mut one, mut two) = (notes.session(), notes.session());
    one.batch_execute("begin; select frontdesk.embed('hello')").unwrap();
    two.batch_execute("set statement_timeout = '5s'; begin; select frontdesk.embed('hello'); commit").unwrap();
    one.batch_execute("commit").unwrap();
    notes.write(1, 3);
    wait_until("counted", || notes.is("requests") == "3");
}
