//! PUBSUB: what is listened to, by circlet's clients and by those of the shards themselves.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::procedure::Steps;
use super::publish::integer;
use crate::command::{Spec, glob};
use crate::reply::frame::{bulk, is_error};
use crate::resp::Request;
use crate::resp::reply::elements;
use crate::subscription::{Audience, Kind, Registry};
use crate::worker::Worker;

impl Worker {
    /// A subcommand of PUBSUB.
    pub(super) fn pubsub(&mut self, number: u32, spec: &Spec, request: &Request<'_>) {
        let wire = request.wire().to_vec();
        let names: Vec<Vec<u8>> = request.args().skip(2).map(<[u8]>::to_vec).collect();
        match spec.name {
            "pubsub|channels" | "pubsub|shardchannels" if names.len() > 1 => {
                let text = format!(
                    "ERR unknown subcommand or wrong number of arguments for '{}'. Try PUBSUB HELP.",
                    String::from_utf8_lossy(&request.arg(1)[..request.arg(1).len().min(SHOWN)])
                );
                self.say(number, |writer| writer.error(&text));
            }
            "pubsub|channels" => {
                self.run_procedure(number, |steps| channels(steps, Kind::Channel, wire, names))
            }
            "pubsub|shardchannels" => {
                self.run_procedure(number, |steps| channels(steps, Kind::Shard, wire, names));
            }
            "pubsub|numsub" => {
                self.run_procedure(number, |steps| numsub(steps, Kind::Channel, wire, names));
            }
            "pubsub|shardnumsub" => {
                self.run_procedure(number, |steps| numsub(steps, Kind::Shard, wire, names));
            }
            _ => self.run_procedure(number, |steps| numpat(steps, wire)),
        }
    }
}

/// The names that somebody listens to: those of the registry, and those that a shard knows and
/// not from circlet alone.
async fn channels(steps: Steps, kind: Kind, wire: Vec<u8>, pattern: Vec<Vec<u8>>) -> Vec<u8> {
    let replies = match ask(&steps, &wire).await {
        Ok(replies) => replies,
        Err(error) => return error,
    };
    let mut found: BTreeSet<Vec<u8>> = BTreeSet::new();
    with_registry(&steps, |registry| {
        for (shard, reply) in &replies {
            let names = elements(reply).into_iter().flatten().filter_map(bulk);
            let others = names.filter(|name| registry.listeners(kind, name, *shard).links == 0);
            found.extend(others.map(<[u8]>::to_vec));
        }
        let matching = |name: &[u8]| {
            pattern.first().is_none_or(|pattern| glob::matches_exactly(pattern, name))
        };
        let ours = registry.names(kind).into_iter().filter(|name| matching(name));
        found.extend(ours.map(|name| name.to_vec()));
    });
    steps.reply(|writer| {
        writer.array(found.len());
        found.iter().for_each(|name| writer.bulk(name));
    })
}

/// How many clients listen to each name, patterns aside.
async fn numsub(steps: Steps, kind: Kind, wire: Vec<u8>, names: Vec<Vec<u8>>) -> Vec<u8> {
    let replies = match ask(&steps, &wire).await {
        Ok(replies) => replies,
        Err(error) => return error,
    };
    let mut counts = vec![0; names.len()];
    with_registry(&steps, |registry| {
        for (count, name) in counts.iter_mut().zip(&names) {
            *count = registry.listeners(kind, name, 0).clients;
        }
        for (shard, reply) in &replies {
            let said = elements(reply).into_iter().flatten().skip(1).step_by(2);
            for ((said, count), name) in said.zip(&mut counts).zip(&names) {
                let links = registry.listeners(kind, name, *shard).links;
                *count +=
                    Audience { links, ..Audience::default() }.correct(integer(said).unwrap_or(0));
            }
        }
    });
    steps.reply(|writer| {
        writer.array(names.len() * 2);
        for (name, count) in names.iter().zip(counts) {
            writer.bulk(name);
            writer.integer(count as i64);
        }
    })
}

/// How many patterns are listened to. The shards tell the number of theirs, not which: clients
/// that are connected to shards count as on the shard that has most of them, for they listen on
/// all shards to hear everything.
async fn numpat(steps: Steps, wire: Vec<u8>) -> Vec<u8> {
    let replies = match ask(&steps, &wire).await {
        Ok(replies) => replies,
        Err(error) => return error,
    };
    let mut count = 0;
    with_registry(&steps, |registry| {
        let others = replies.iter().map(|(shard, reply)| {
            let links = registry.linked(Kind::Pattern, *shard);
            Audience { links, ..Audience::default() }.correct(integer(reply).unwrap_or(0))
        });
        count = registry.names(Kind::Pattern).len() + others.max().unwrap_or(0);
    });
    steps.reply(|writer| writer.integer(count as i64))
}

/// What all shards that are in reply, or the error that is the reply.
async fn ask(steps: &Steps, wire: &[u8]) -> Result<Vec<(usize, Bytes)>, Vec<u8>> {
    let replies = steps.ask_all(wire).await;
    if replies.is_empty() {
        let text = steps.with(|worker, number| worker.pool_of(number).nobody_in());
        return Err(steps.reply(|writer| writer.error(&text)));
    }
    match replies.iter().find(|(_, reply)| is_error(reply)) {
        Some((_, error)) => Err(error.to_vec()),
        None => Ok(replies),
    }
}

fn with_registry(steps: &Steps, look: impl FnOnce(&Registry)) {
    let registry = steps.with(|worker, number| worker.pool_of(number).hubs.registry().clone());
    look(&registry);
}

/// Bytes of a subcommand that Redis shows.
const SHOWN: usize = 128;
