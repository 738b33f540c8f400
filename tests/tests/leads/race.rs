//! The same person through many doors at once is one lead.

use std::sync::{Barrier, Mutex};

use tests::Database;

#[test]
fn sessions_that_bring_the_same_person_end_with_one_lead() {
    let database = Database::create();
    database.run(
        "set client_min_messages = warning; select frontdesk.install_crm(); update crm.accounts set country = 'MX'",
    );
    const SESSIONS: usize = 8;
    const PEOPLE: usize = 25;
    let barrier = Barrier::new(SESSIONS);
    // A session that fails goes on, for the others wait for it.
    let errors = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for session in 0..SESSIONS {
            let (database, barrier, errors) = (&database, &barrier, &errors);
            let mut client = database.session();
            scope.spawn(move || {
                for person in 0..PEOPLE {
                    let lead = match session % 3 {
                        0 => format!(r#"{{"email": "p{person}@example.com", "phone": "+52551234{person:04}", "name": "P"}}"#),
                        1 => format!(r#"{{"phone": "55 1234 {person:04}", "instagram": "@p{person}", "email": "P{person}@Example.com"}}"#),
                        _ => format!(r#"{{"phone": "+52559999{person:04}", "email": "p{person}@example.com"}}"#),
                    };
                    barrier.wait();
                    if let Err(error) = client.batch_execute(&format!("select crm.upsert_lead('{lead}')")) {
                        errors.lock().unwrap().push(tests::said(&error));
                    }
                }
            });
        }
    });
    assert_eq!(errors.into_inner().unwrap(), [""; 0]);
    assert_eq!(database.count("crm.leads"), PEOPLE as i64);
    assert_eq!(database.get::<i64>("select sum(touches) from crm.leads"), (SESSIONS * PEOPLE) as i64);
    assert_eq!(
        database.count("crm.leads where email is not null and phone is not null and instagram is not null"),
        PEOPLE as i64
    );
    assert_eq!(database.count("crm.lead_touches where not merged"), PEOPLE as i64);
    assert_eq!(database.count("crm.lead_identities"), 4 * PEOPLE as i64);
    assert_eq!(database.count("frontdesk.event where type = 'lead.created'"), PEOPLE as i64);
    assert_eq!(database.count("frontdesk.event where type = 'lead.touched'"), ((SESSIONS - 1) * PEOPLE) as i64);
}

#[test]
fn sessions_that_need_the_same_contact_make_one() {
    let database = Database::create();
    database.run("set client_min_messages = warning; select frontdesk.install_crm()");
    database.run("insert into crm.leads (account_id, name, email) select a.id, 'P', 'p@example.com' from crm.accounts a, generate_series(1, 8)");
    let leads = database.list::<i64>("select id from crm.leads");
    let barrier = Barrier::new(leads.len());
    std::thread::scope(|scope| {
        for lead in &leads {
            let barrier = &barrier;
            let mut client = database.session();
            scope.spawn(move || {
                barrier.wait();
                client
                    .batch_execute(&format!("select crm.contact_of_lead({lead})"))
                    .unwrap_or_else(|error| panic!("{}", tests::said(&error)));
            });
        }
    });
    assert_eq!(database.count("crm.contacts"), 1);
    assert_eq!(database.count("crm.leads where contact_id is not null"), 8);
}
