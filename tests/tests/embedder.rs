//! Texts get their vectors, whatever the embedder does.

mod faults;
mod life;
mod meaning;
mod queries;

use std::ops::Deref;

use tests::Desk;

/// A database with a table `note (id, body, vec)` whose text is embedded by the receiver, in 8 dimensions.
struct Notes(Desk);

const SECRET: &str = "sk-very-secret-indeed";

impl Notes {
    fn open() -> Notes {
        Notes::by("/embed/8", "")
    }

    /// With an embedder at this path of the receiver; `more` are further arguments of add_embedder().
    fn by(path: &str, more: &str) -> Notes {
        Notes::on(Desk::open(), path, more)
    }

    fn on(desk: Desk, path: &str, more: &str) -> Notes {
        let comma = if more.is_empty() { "" } else { ", " };
        desk.run(&format!(
            "create table note (id bigint primary key, body text, vec vector(8));
             select frontdesk.add_embedder('test', '{}', 'm', 8, secret => '{SECRET}'{comma}{more});
             select frontdesk.embed_table('note', 'body', 'vec')",
            desk.receiver.url(path)
        ));
        Notes(desk)
    }

    /// The embedder is to be found at this path from now on.
    fn turn_to(&self, path: &str) {
        self.run(&format!("select frontdesk.alter_embedder('test', url => '{}')", self.receiver.url(path)));
    }

    fn write(&self, from: i64, to: i64) {
        self.run(&format!("insert into note select n, 'text ' || n from generate_series({from}, {to}) n"));
    }

    fn await_all(&self) {
        self.wait("(select pending = 0 from frontdesk.embedders)");
    }

    /// A column of frontdesk.embedders, as text.
    fn is(&self, column: &str) -> String {
        self.get(&format!("select coalesce({column}::text, '') from frontdesk.embedders"))
    }

    /// Waits until the embedder failed, and returns what is said of it.
    fn await_error(&self, part: &str) -> String {
        self.wait(&format!("(select last_error like '%{part}%' from frontdesk.embedders)"));
        self.is("last_error")
    }

    fn without_vector(&self) -> i64 {
        self.count("note where vec is null")
    }
}

impl Deref for Notes {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.0
    }
}
