//! PROXY EXPLAIN: a key's way, or a command's.

use std::sync::Arc;

use super::Subcommand;
use super::command::Considered;
use crate::client::procedure::Steps;
use crate::command::answer::inner;
use crate::config::Pool;
use crate::explain::{self, Fields, Standing, Value};
use crate::resp::Request;
use crate::route::Ring;
use crate::shard::health::ShardHealth;
use crate::worker::Worker;

pub(super) const EXPLAIN: Subcommand = Subcommand {
    name: "explain",
    help: &[
        "EXPLAIN <key>",
        "    Tell where a key lives: its hash tag, hash, point and shard, whether it is at",
        "    home, and where it would go if that shard were ejected.",
        "EXPLAIN <command> <arg> [<arg> ...]",
        "    Tell what would be done with a command, without doing it, and where its keys live.",
    ],
    answer: explain,
};

/// A pool as it stood at one moment.
pub(super) struct Snapshot {
    pool: Arc<Pool>,
    ring: Arc<Ring>,
    health: Vec<ShardHealth>,
}

impl Snapshot {
    /// The pool of the session that asks.
    pub(super) fn of(worker: &Worker, number: u32) -> Self {
        let pool = worker.pool_of(number);
        let (config, ring) = (Arc::clone(&pool.config), Arc::clone(&pool.ring));
        Self { pool: config, ring, health: pool.health.clone() }
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        Standing { pool: &self.pool, ring: &self.ring, health: Some(&self.health) }
    }

    /// Has something told of it that takes a while (rings without one shard are built): elsewhere,
    /// lest other sessions wait.
    pub(super) async fn tell<T: Send + 'static>(
        self,
        told: impl FnOnce(Standing<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        tokio::task::spawn_blocking(move || told(self.standing())).await.ok()
    }
}

/// The one key, or the command with its keys.
enum Asked {
    Key(Vec<u8>),
    Command(Considered),
}

fn explain(worker: &mut Worker, number: u32, request: &Request<'_>) {
    let asked = match request.len() {
        3 => Asked::Key(request.arg(2).to_vec()),
        _ => {
            let (bytes, spans) = inner(request, 2);
            Asked::Command(worker.consider(number, &Request::new(&bytes, &spans)))
        }
    };
    let snapshot = Snapshot::of(worker, number);
    worker.run_procedure(number, move |steps| answer(steps, snapshot, asked));
}

async fn answer(steps: Steps, snapshot: Snapshot, asked: Asked) -> Vec<u8> {
    let told = snapshot.tell(move |standing| match asked {
        Asked::Key(key) => explain::keys(standing, &[&key]).pop().unwrap_or_default(),
        Asked::Command(considered) => with_keys(standing, considered),
    });
    // The runtime goes: so does the client.
    let fields = told.await.unwrap_or_default();
    steps.reply(|writer| explain::write(&fields, writer))
}

fn with_keys(standing: Standing<'_>, considered: Considered) -> Fields {
    let Considered { mut fields, keys } = considered;
    let count = keys.len();
    let shown: Vec<&[u8]> = keys.iter().take(KEYS_SHOWN).map(Vec::as_slice).collect();
    fields.push(("keys", Value::maps(explain::keys(standing, &shown))));
    if count > KEYS_SHOWN {
        fields.push(("more_keys", Value::Number((count - KEYS_SHOWN) as u64)));
    }
    fields
}

/// Of a command with thousands of keys nobody reads more.
const KEYS_SHOWN: usize = 100;
