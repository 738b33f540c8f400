//! A database with the extension, and a receiver beside it: what most tests begin with.

use std::ops::Deref;
use std::sync::Arc;

use receiver::{Arrival, Options, PathStats, Receiver, Record};
use serde_json::Value;

use crate::database::Database;
use crate::server::Server;
use crate::wait::wait_until;

pub struct Desk {
    pub database: Database,
    pub receiver: Receiver,
}

impl Desk {
    /// On the shared server.
    pub fn open() -> Desk {
        Desk::on(&Server::shared())
    }

    pub fn on(server: &Arc<Server>) -> Desk {
        Desk { database: Database::on(server), receiver: receiver() }
    }

    /// The same with a table `lead (id, name, state)` that is watched.
    pub fn with_leads() -> Desk {
        Desk::with_leads_on(&Server::shared())
    }

    pub fn with_leads_on(server: &Arc<Server>) -> Desk {
        let desk = Desk::on(server);
        desk.run(LEADS);
        desk
    }

    /// Adds an endpoint on a path of the receiver; `more` are further arguments of add_endpoint(). Returns the secret.
    #[track_caller]
    pub fn endpoint(&self, name: &str, path: &str, more: &str) -> String {
        let comma = if more.is_empty() { "" } else { ", " };
        let url = self.receiver.url(path);
        let secret: Option<String> =
            self.get(&format!("select frontdesk.add_endpoint('{name}', '{url}'{comma}{more})"));
        secret.unwrap_or_default()
    }

    /// What came on a path (with its query, when it has one), of the last hundred requests.
    pub fn requests(&self, path: &str) -> Vec<Record> {
        self.receiver.last(100).into_iter().filter(|request| request.path == path).collect()
    }

    /// Waits for `n` requests on a path and returns them.
    #[track_caller]
    pub fn await_requests(&self, path: &str, n: usize) -> Vec<Record> {
        let mut came = Vec::new();
        wait_until(&format!("{n} requests came on {path}"), || {
            came = self.requests(path);
            came.len() >= n
        });
        assert_eq!(came.len(), n, "more requests than expected on {path}: {came:#?}");
        came
    }

    /// Waits for the only request on a path.
    #[track_caller]
    pub fn await_request(&self, path: &str) -> Record {
        self.await_requests(path, 1).remove(0)
    }

    /// What came on a path, however much, in order.
    pub fn arrivals(&self, path: &str) -> Vec<Arrival> {
        self.receiver.arrivals(Some(path))
    }

    /// The receiver's counts for a path.
    pub fn stats(&self, path: &str) -> PathStats {
        self.receiver.stats().paths.get(path).copied().unwrap_or_default()
    }

    /// Emits an event that every endpoint with a matching pattern gets, and waits until it came on `path`: whatever was
    /// committed before and was to be sent there has come by then.
    #[track_caller]
    pub fn fence(&self, path: &str) {
        let id: i64 = self.get("select frontdesk.emit('fence.up')");
        let number = format!("_{id}_");
        wait_until(&format!("event {id} came on {path}"), || {
            self.requests(path).iter().any(|request| request.id.as_ref().is_some_and(|id| id.contains(&number)))
        });
    }

    /// The types of the events that came on a path, in order, fences left out.
    pub fn types(&self, path: &str) -> Vec<String> {
        let kind = |request: &Record| body(request)["type"].as_str().unwrap_or_default().to_owned();
        self.requests(path).iter().map(kind).filter(|kind| kind != "fence.up").collect()
    }
}

/// A table of leads that is watched.
pub const LEADS: &str = "create table lead (id int primary key, name text, state text default 'new');
    select frontdesk.watch('lead');";

/// A receiver that remembers everything.
pub fn receiver() -> Receiver {
    Receiver::spawn(Options { keep_ids: true, ..Options::default() }).expect("a receiver")
}

/// The JSON body of a request.
#[track_caller]
pub fn body(request: &Record) -> Value {
    serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{error} in {}", request.body))
}

impl Deref for Desk {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}
