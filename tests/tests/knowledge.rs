//! Documents: their index comes by itself while they are written, and of two replacements one wins.

use std::time::Duration;
use tests::{Database, wait_for};

const DOCUMENTS: &str = "
  select frontdesk.install_crm();
  select crm.configure_knowledge(model => 'toy', dimensions => 8);
  select crm.set_document_dimensions(8);
  create function some_vector(n int) returns vector language sql as $$
    select array_agg(hashint8(n::bigint * 31 + d)::float8)::vector(8) from generate_series(1, 8) d
  $$;
  insert into crm.documents (content, category, embedding)
  select 'document ' || n, case n % 2 when 0 then 'faq' else 'policy' end, some_vector(n) from generate_series(1, 2500) n";

const STATE: &str = "select state from crm.knowledge_status() where source = 'crm.documents'::regclass";

#[test]
fn an_index_is_built_when_it_is_worth_it_and_nobody_waits_for_it() {
    let database = Database::create();
    database.run(DOCUMENTS);
    assert_eq!(database.get::<String>(STATE), "index will be built");
    assert_eq!(database.get::<i32>("select crm.build_vector_indexes()"), 1);
    let mut n = 10_000;
    wait_for("the index is in use", Duration::from_secs(60), || {
        n += 1;
        database.run(&format!("insert into crm.documents (content, embedding) values ('late', some_vector({n}))"));
        database.get::<String>(STATE) == "index in use"
    });
    assert_eq!(database.get::<i32>("select crm.build_vector_indexes()"), 0);
    assert_eq!(
        database.get::<String>("select vector_indexes from frontdesk.status()"),
        "crm.documents_embedding_8_idx"
    );
    finds_what_comparing_all_finds(&database);

    // What a crash in the middle of it leaves is thrown away.
    database.run("update pg_index set indisvalid = false where indexrelid = 'crm.documents_embedding_8_idx'::regclass");
    assert_eq!(database.get::<String>(STATE), "index is not finished: it will be built again");
    assert_eq!(
        database.get::<String>("select vector_indexes from frontdesk.status()"),
        "crm.documents_embedding_8_idx is not finished"
    );
    finds_what_comparing_all_finds(&database);
    assert_eq!(database.get::<i32>("select crm.build_vector_indexes()"), 1);
    wait_for("the index is in use again", Duration::from_secs(60), || database.get::<String>(STATE) == "index in use");
    finds_what_comparing_all_finds(&database);
}

fn finds_what_comparing_all_finds(database: &Database) {
    let hits: i64 = database.get(
        "select count(*) from generate_series(1, 20) n
         cross join lateral (
           select m.id from crm.match_documents(some_vector(n), null, 5, 'faq') m
           intersect
           select * from (select d.id from crm.documents d where d.category = 'faq' order by (d.embedding <=> some_vector(n)) + 0, d.id limit 5) e) s",
    );
    assert!(hits >= 95, "{hits} of 100 found");
}

#[test]
fn above_4000_dimensions_the_index_has_the_first_4000_and_the_order_is_that_of_all() {
    let database = Database::create();
    database.run(
        "select frontdesk.install_crm();
         select crm.configure_knowledge(model => 'toy', dimensions => 4096);
         select crm.set_document_dimensions(4096);
         create function some_vector(n int) returns vector language sql as $$
           select array_agg(hashint8(n::bigint * 4099 + d) / 2147483648.0)::float8[]::vector(4096) from generate_series(1, 4096) d
         $$;
         insert into crm.documents (content, embedding) select 'document ' || n, some_vector(n) from generate_series(1, 200) n;
         -- Two that differ where the index does not look.
         insert into crm.documents (content, embedding)
         select 'twin ' || n, (some_vector(1000)::float4[])[1:4000] || (some_vector(n)::float4[])[4001:4096] from generate_series(1, 2) n",
    );
    assert_eq!(database.get::<i32>("select crm.build_vector_indexes(100)"), 1);
    wait_for("the index is in use", Duration::from_secs(60), || database.get::<String>(STATE) == "index in use");
    let same: i64 = database.get(
        "select count(*) from generate_series(1, 20) n cross join lateral (
           select place from crm_internal.nearest_in(false, some_vector(n), null, 3, 'index') where way like 'index%'
           intersect select place from crm_internal.nearest_in(false, some_vector(n), null, 3, 'exact')) s",
    );
    assert!(same >= 55, "{same} of 60 found");
    for twin in 1..=2 {
        let nearest: String = database.get(&format!(
            "select content from crm.match_documents(
               ((some_vector(1000)::float4[])[1:4000] || (some_vector({twin})::float4[])[4001:4096])::vector, null, 1)"
        ));
        assert_eq!(nearest, format!("twin {twin}"));
    }
}

#[test]
fn of_two_replacements_at_once_one_wins() {
    let database = Database::create();
    database.run("select frontdesk.install_crm(); select crm.add_document('first')");
    std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|n| {
                let mut client = database.session();
                scope.spawn(move || {
                    client.simple_query(&format!("select crm.replace_document(1, 'second of {n}')")).is_ok()
                })
            })
            .collect();
        let won = tries.into_iter().map(|one| one.join().expect("no panic")).filter(|won| *won).count();
        assert_eq!(won, 1);
    });
    assert_eq!(database.count("crm.documents where is_active"), 1);
    assert_eq!(database.count("crm.documents"), 2);
}
