//! Questions to a handbook.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::stage::Stage;
use testbed::embedder::handbook::{self, Passage};
use testbed::embedder::{DIMENSIONS, Embedder, MODEL};

/// And where the answer stands.
const QUESTIONS: [(&str, &str); 3] = [
    ("Can I bring my puppy?", "Children and pets"),
    ("How fast do I get my money back?", "Refunds"),
    ("When are my personal details deleted?", "For how long"),
];

pub fn play(stage: &mut Stage) -> Result<()> {
    let embedder = match Embedder::start() {
        Ok(embedder) => embedder,
        Err(error) if std::env::var_os("CI").is_none() => {
            stage.out.about(&format!("Left out, because the embedder is not to be had here: {error:#}"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    stage.out.action(&format!("an embedder starts at {}: {MODEL}, on this machine", embedder.url));
    stage.sql("select frontdesk.install_crm();")?;
    stage.sql(&format!(
        "select frontdesk.add_embedder('minilm', '{}', '{MODEL}', {DIMENSIONS}, batch_size => 8);",
        embedder.url
    ))?;
    stage.sql("select crm.use_embedder('minilm');")?;
    let passages = handbook::passages()?;
    stage
        .out
        .action(&format!("crm.add_document(content, title) for each of the {} sections of a handbook", passages.len()));
    let started = Instant::now();
    stage.ask(&passages.iter().map(add).collect::<String>())?;
    wait(stage, passages.len())?;
    stage.promise(true, &format!("all of them embedded after {:.1} s", started.elapsed().as_secs_f32()))?;
    stage.sql("select name, state, pending, embedded, requests, tokens from frontdesk.embedders;")?;
    for (question, answer) in QUESTIONS {
        let found = stage.sql_value(&format!("select content from crm.hybrid_search('{question}', count => 1);"))?;
        stage.promise(found.starts_with(answer), &format!("the passage that answers it, of {}", passages.len()))?;
    }
    Ok(())
}

fn add(passage: &Passage) -> String {
    format!("select crm.add_document($text${}$text$, $text${}$text$);\n", passage.content, passage.title)
}

fn wait(stage: &Stage, passages: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(180);
    while stage.ask("select coalesce(bool_and(embedding is not null), false) from crm.document_chunks")? != "t" {
        if Instant::now() > deadline {
            bail!(
                "the {passages} sections were not embedded: {}",
                stage.ask("select last_error from frontdesk.embedders")?
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
