//! The connections to an embedder, and what came back on them.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use courier::{Courier, Receipt};
use pgrx::prelude::*;

use super::client::Client;
use crate::engine;

/// How often a cancel is looked for.
const TICK: Duration = Duration::from_millis(50);

pub struct Wire {
    courier: Courier,
    rung: Receiver<()>,
    next_id: u64,
    /// what came while something else was waited for
    kept: VecDeque<Receipt>,
    limits: (usize, usize),
}

impl Wire {
    pub fn open(client: &Client) -> Wire {
        let (ring, rung) = channel();
        let config = client.courier_config(connections(client));
        let courier = engine::without_signals(|| {
            Courier::spawn(config, move || {
                // Nobody listens any more when the job has ended.
                let _ = ring.send(());
            })
        });
        let courier = courier.unwrap_or_else(|error| error!("cannot start a thread: {error}"));
        Wire { courier, rung, next_id: 1, kept: VecDeque::new(), limits: limits(client) }
    }

    /// The embedder may have been altered, or the thread have ended.
    pub fn adapt(&mut self, client: &Client) {
        if !self.courier.is_alive() {
            *self = Wire { next_id: self.next_id, ..Wire::open(client) };
        } else if self.limits != limits(client) {
            self.limits = limits(client);
            self.courier.reconfigure(client.courier_config(connections(client)));
        }
    }

    pub fn send(&mut self, client: &Client, texts: &[&str]) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.courier.send(vec![client.request(id, texts)]);
        id
    }

    /// Waits for at least one receipt.
    pub fn receive(&mut self) -> Vec<Receipt> {
        let mut came: Vec<Receipt> = self.kept.drain(..).collect();
        while came.is_empty() {
            check_for_interrupts!();
            let _ = self.rung.recv_timeout(TICK);
            self.courier.drain(&mut came);
        }
        came
    }

    /// Sends one request and waits for its receipt.
    pub fn ask(&mut self, client: &Client, texts: &[&str]) -> Receipt {
        let id = self.send(client, texts);
        let mut others = VecDeque::new();
        loop {
            let (mut mine, rest): (Vec<Receipt>, Vec<Receipt>) =
                self.receive().into_iter().partition(|came| came.id == id);
            others.extend(rest);
            if let Some(receipt) = mine.pop() {
                self.kept = others;
                return receipt;
            }
        }
    }
}

fn connections(client: &Client) -> usize {
    // One more, for a question in between.
    client.settings.max_in_flight + 1
}

fn limits(client: &Client) -> (usize, usize) {
    (client.answer_bytes(), connections(client))
}
