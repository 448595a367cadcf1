//! PROXY RING and PROXY SHARDS: a pool as it stands.

use std::sync::Arc;

use super::Subcommand;
use super::explain::Snapshot;
use crate::client::procedure::Steps;
use crate::explain::{self, Load};
use crate::resp::Request;
use crate::worker::Worker;

pub(super) const RING: Subcommand = Subcommand {
    name: "ring",
    help: &[
        "RING",
        "    Tell how keys are shared out among the shards, as configured and at present.",
    ],
    answer: |worker, number, _| {
        let snapshot = Snapshot::of(worker, number);
        worker.run_procedure(number, move |steps| ring(steps, snapshot));
    },
};

pub(super) const SHARDS: Subcommand = Subcommand {
    name: "shards",
    help: &[
        "SHARDS",
        "    Tell of each shard whether it is in, since when and why not, what is in flight,",
        "    and where its displaced keys are.",
    ],
    answer: shards,
};

async fn ring(steps: Steps, snapshot: Snapshot) -> Vec<u8> {
    let fields = snapshot.tell(explain::ring).await.unwrap_or_default();
    steps.reply(|writer| explain::write(&fields, writer))
}

fn shards(worker: &mut Worker, number: u32, _request: &Request<'_>) {
    let snapshot = Snapshot::of(worker, number);
    let pool = usize::from(worker.sessions[number as usize].pool);
    let shared = Arc::clone(&worker.shared);
    worker.run_procedure(number, move |steps| async move {
        let asked = shared.ask_all(move |worker| worker.loads(pool)).await;
        let mut loads: Vec<Load> = Vec::new();
        for (index, load) in asked.iter().flat_map(|loads| loads.iter().enumerate()) {
            match loads.get_mut(index) {
                Some(sum) => *sum = sum.and(*load),
                None => loads.push(*load),
            }
        }
        let told = snapshot.tell(move |standing| explain::shards(standing, &loads)).await;
        let shards = told.unwrap_or_default();
        steps.reply(|writer| {
            writer.array(shards.len());
            shards.iter().for_each(|fields| explain::write(fields, writer));
        })
    });
}

impl Worker {
    /// What this worker has to do with each shard of a pool.
    pub(crate) fn loads(&self, pool: usize) -> Vec<Load> {
        let Some(state) = self.pools.get(pool) else { return Vec::new() };
        let mut loads: Vec<Load> = (0..state.config.servers.len())
            .map(|shard| Load { round_trip: state.guard.usual(shard), ..Load::default() })
            .collect();
        for (_, link) in self.links.iter().filter(|(_, link)| link.pool == pool) {
            if let Some(load) = loads.get_mut(link.shard) {
                load.links += u64::from(link.socket.is_some());
                load.in_flight += link.in_flight.len() as u64;
            }
        }
        loads
    }
}
