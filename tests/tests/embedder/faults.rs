//! An embedder that lies, refuses, breaks or is not there: each a clear state, and nothing lost.

use super::{Notes, SECRET};

#[test]
fn every_lie_is_told_and_nothing_is_stored() {
    for (lie, said) in [
        ("fewer", "the answer has _ vectors for _ texts"),
        ("more", "the answer has _ vectors for _ texts"),
        ("dimension", "the answer has vectors of 9 dimensions, not of 8"),
        ("null", "the answer has a vector with null in it"),
        ("nan", "the answer is not that of an /embeddings"),
        ("huge", "the answer has a vector with inf in it"),
        ("zero", "the answer has a vector of zeros"),
        ("html", "the answer is not that of an /embeddings"),
        ("truncated", "the answer is not that of an /embeddings"),
    ] {
        let notes = Notes::by(&format!("/embed/8/{lie}"), "");
        notes.write(1, 5);
        notes.wait("(select state = 'failing' and failures > 0 from frontdesk.embedders)");
        let error = notes.is("last_error");
        assert!(notes.get::<bool>(&format!("select '{error}' like '{said}%'")), "{lie}: {error}");
        assert_eq!((notes.without_vector(), notes.is("failed")), (5, "0".into()), "{lie}");
        // It tells the truth again.
        notes.turn_to("/embed/8");
        notes.await_all();
        assert_eq!((notes.without_vector(), notes.is("state")), (0, "idle".into()), "{lie}");
    }
}

#[test]
fn every_failure_is_a_state() {
    let notes = Notes::by("/status/401", "timeout_ms => 1000");
    notes.write(1, 5);
    for (path, said, state) in [
        ("/status/401", "status 401", "failing"),
        ("/status/404", "status 404", "failing"),
        ("/status/429", "status 429", "failing"),
        ("/status/500", "status 500", "failing"),
        ("/retry-after/20", "status 503", "waiting"),
        ("/retry-after/20?status=429", "status 429", "waiting"),
        ("/hang", "timeout", "failing"),
        ("/drip/10", "timeout", "failing"),
        ("/close", "reset", "failing"),
        ("/reset/body", "reset", "failing"),
        ("/garbage", "protocol", "failing"),
        ("/redirect?to=http%3A%2F%2F127.0.0.1%2F", "status 302", "failing"),
        ("/big/90000000", "the answer is not", "failing"),
    ] {
        notes.run("update frontdesk_internal.embedder_state set last_error = null");
        notes.turn_to(path);
        notes.wait(&format!("(select state = '{state}' and last_error like '%{said}%' from frontdesk.embedders)"));
        assert_eq!(notes.is("next_try_at is not null"), "true", "{path}");
        assert_eq!((notes.without_vector(), notes.is("failed")), (5, "0".into()), "{path}");
    }
    // Its own wish is granted: nothing is sent before.
    for (path, said) in [("/retry-after/20", "status 503"), ("/retry-after/30?status=429", "status 429")] {
        notes.turn_to(path);
        notes.await_error(said);
        assert_eq!(notes.is("(next_try_at > now() + interval '15 seconds')"), "true", "{path}");
    }
    notes.turn_to("/embed/8");
    notes.await_all();
    assert_eq!(notes.without_vector(), 0);
}

#[test]
fn poison_is_found_and_stops_nobody() {
    let notes = Notes::open();
    notes.run(
        "insert into note select n, case n when 33 then 'POISON' when 44 then 'BLANK' when 71 then 'CRASH' else 'text ' || n end
         from generate_series(1, 100) n",
    );
    notes.await_all();
    assert_eq!((notes.without_vector(), notes.is("failed")), (3, "3".into()));
    let reasons: Vec<String> =
        notes.list("select content || ': ' || reason from frontdesk.embed_failures('note') order by 1");
    assert_eq!(
        reasons,
        [
            "BLANK: the answer has a vector with null in it",
            "CRASH: status 500: out of memory",
            "POISON: status 400: this text is poison"
        ]
    );
    // Another text is another try; the same one when asked for.
    notes.run("update note set body = 'cured' where body = 'POISON'");
    notes.wait("(select pending = 0 and failed = 2 from frontdesk.embedders)");
    let requests: i64 = notes.get("select requests from frontdesk.embedders");
    assert!(notes.get::<i64>("select frontdesk.retry_embedding('note')") >= 2);
    notes.wait(&format!("(select pending = 0 and failed = 2 and requests > {requests} from frontdesk.embedders)"));
}

#[test]
fn a_text_too_long_is_marked_and_not_sent() {
    let notes = Notes::by("/embed/8", "batch_chars => 100");
    notes.run("insert into note values (1, repeat('long ', 30)), (2, repeat('x', 60)), (3, repeat('y', 60))");
    notes.await_all();
    let reason: String = notes.get("select reason from frontdesk.embed_failures('note')");
    assert_eq!(reason, "the text has 150 characters, more than the embedder's batch_chars of 100");
    assert_eq!(notes.is("requests"), "2");
}

#[test]
fn no_secret_is_ever_shown() {
    // What it echoes has the Authorization header in it.
    let notes = Notes::by("/echo", "");
    notes.write(1, 2);
    notes.await_error("the answer is not");
    let header = notes.requests("/echo")[0].headers["authorization"].clone();
    assert_eq!(header, format!("Bearer {SECRET}"));
    assert!(!notes.server.log().contains(SECRET));
    for table in [
        "frontdesk.embedders",
        "frontdesk.embed_tables",
        "frontdesk.jobs",
        "frontdesk_internal.embedder",
        "frontdesk_internal.embedder_state",
        "frontdesk_internal.job_run",
    ] {
        assert_eq!(notes.count(&format!("{table} t where t::text like '%{SECRET}%'")), 0, "{table}");
    }
    let error = notes.error("select frontdesk.embed('hello')");
    assert!(error.contains("the embedder gave no vector") && !error.contains(SECRET), "{error}");
}

#[test]
fn the_guard_holds() {
    let notes = Notes::open();
    let turn = |url| format!("select frontdesk.alter_embedder('test', url => '{url}', keep_credentials => true)");
    let error = notes.error(&turn("http://169.254.169.254/latest"));
    assert!(error.contains("link-local"), "{error}");
    // A name that leads to a private address is refused when it is called.
    notes.run(&turn("http://10.1.2.3.nip.invalid/"));
    notes.write(1, 1);
    notes.await_error("dns");
    assert_eq!(notes.without_vector(), 1);
}
