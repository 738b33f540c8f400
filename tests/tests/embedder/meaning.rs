//! Search finds what is meant: real embeddings of a real text, questions in other words than the answers.

use testbed::embedder::handbook;
use testbed::embedder::{DIMENSIONS, Embedder, MODEL};
use tests::{Database, wait_for};

/// A question, and the title of the passage that answers it.
const QUESTIONS: [(&str, &str); 24] = [
    ("I have to call off tomorrow's haircut, what does it cost me?", "Cancelling and moving"),
    ("I am running a quarter of an hour late, will you still see me?", "Being late"),
    ("Everything is booked out, can you tell me if something becomes available?", "The waiting list"),
    ("Can I bring my puppy?", "Children and pets"),
    ("Do you take Visa?", "Ways to pay"),
    ("When do I have to settle the bill?", "Invoices"),
    ("How fast do I get my money back?", "Refunds"),
    ("Is it cheaper for someone at university?", "Discounts"),
    ("How much vacation do employees get?", "Holidays"),
    ("I have the flu and cannot work today", "When you are ill"),
    ("Can a new employee be dismissed quickly?", "The probation period"),
    ("Does the company finance further education?", "Training"),
    ("Are you open at the weekend?", "Opening hours"),
    ("Where can I leave my car?", "Getting here and parking"),
    ("Where do you put things that customers forgot?", "Lost property"),
    ("Where do we gather when the building burns?", "Fire"),
    ("How do I get online with my phone?", "Internet for guests"),
    ("When are my personal details deleted?", "For how long"),
    ("May you publish a picture of me?", "Photographs"),
    ("Somebody took my work laptop", "A stolen or lost device"),
    ("My hair dryer broke, who fixes it?", "Warranty on devices"),
    ("My skin reacts badly to hair dye", "Allergies"),
    ("How do we dispose of empty containers?", "Environment"),
    ("Can I return a shampoo I have not used?", "Returning goods"),
];

#[test]
fn a_question_finds_the_passage_that_answers_it() {
    let embedder = match Embedder::start() {
        Ok(embedder) => embedder,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("\nSKIPPED: search quality was not tested, because there is no embedder: {error:#}\n");
            return;
        }
        Err(error) => panic!("{error:#}"),
    };
    let database = Database::create();
    database.run("set client_min_messages = error; select frontdesk.install_crm()");
    database.run(&format!(
        "select frontdesk.add_embedder('minilm', '{}', '{MODEL}', {DIMENSIONS}, batch_size => 4, max_in_flight => 1)",
        embedder.url
    ));
    database.run("select crm.use_embedder('minilm')");
    let passages = handbook::passages().unwrap();
    assert!(passages.len() >= 30);
    for passage in &passages {
        database.run(&format!("select crm.add_document($t${}$t$, $t${}$t$)", passage.content, passage.title));
    }
    wait_for("the handbook is embedded", std::time::Duration::from_secs(300), || {
        database.count("crm.document_chunks where embedding is null") == 0
    });
    let mut first = 0;
    for (question, answer) in QUESTIONS {
        let found: Vec<String> = database.list(&format!(
            "select title from crm.document_chunks order by embedding <=> frontdesk.embed($q${question}$q$) limit 3"
        ));
        assert!(
            found.iter().any(|title| title == answer),
            "{question}\n  is answered by {answer}, found was {found:?}"
        );
        first += usize::from(found[0] == answer);
    }
    // What an agent asks, in words that the passage does not have.
    database.run("insert into crm.agents (account_id, name) select id, 'Desk' from crm.accounts");
    let answer: String = database.get(
        "select crm.call_tool(id, 'search_knowledge', '{\"query\": \"Can I bring my puppy?\"}')::text from crm.agents",
    );
    assert!(answer.contains("Children and pets"), "{answer}");
    assert!(first >= 18, "the first passage answers {first} of {} questions", QUESTIONS.len());
}
