//! Commands that ask all shards, where making one reply of theirs takes code of its own.

use bytes::Bytes;

use super::procedure::Steps;
use super::{info, iteration};
use crate::command::Gather;
use crate::reply::administration::{self as merges, TextOf};
use crate::reply::slots::Frame;
use crate::resp::{Request, Writer};
use crate::worker::Worker;

impl Worker {
    /// Asks all shards and answers with what their replies come to.
    pub(crate) fn gather(&mut self, number: u32, gather: Gather, request: &Request<'_>) {
        let is_alone = self.pool_of(number).config.is_alone();
        if is_alone && !matches!(gather, Gather::Info | Gather::Role | Gather::ConfigGet) {
            let shard = self.pool_of(number).any_shard();
            return self.forward(number, shard, Frame::Small(request.wire()));
        }
        let question = Question {
            wire: request.wire().to_vec(),
            arguments: request.args().skip(1).map(<[u8]>::to_vec).collect(),
        };
        self.run_procedure(number, move |steps| answer(steps, gather, question));
    }
}

/// The command, kept while shards are asked.
pub(super) struct Question {
    /// As it came.
    pub(super) wire: Vec<u8>,
    /// What follows its name.
    pub(super) arguments: Vec<Vec<u8>>,
}

async fn answer(steps: Steps, gather: Gather, question: Question) -> Vec<u8> {
    match gather {
        Gather::Info => return info::answer(&steps, question).await,
        Gather::RandomKey => return iteration::random_key(&steps).await,
        _ => {}
    }
    let replies = steps.ask_all(&question.wire).await;
    if replies.is_empty() {
        return nobody_in(&steps);
    }
    if let Gather::MemoryDoctor
    | Gather::MemoryMallocStats
    | Gather::LatencyDoctor
    | Gather::LatencyGraph = gather
    {
        return texts(&steps, &replies);
    }
    let frames: Vec<&[u8]> = replies.iter().map(|(_, reply)| &reply[..]).collect();
    let count = question.arguments.get(1).map(|count| String::from_utf8_lossy(count).into_owned());
    merges::merged(&frames, steps.protocol(), |replies, writer| {
        merge(gather, count.as_deref(), replies, writer)
    })
}

/// `count` is the argument of SLOWLOG GET; the shards have seen that it is a good one.
fn merge(
    gather: Gather,
    count: Option<&str>,
    replies: &[&[u8]],
    writer: &mut Writer<'_>,
) -> Option<()> {
    match gather {
        Gather::ConfigGet => merges::config_get(replies, writer),
        Gather::MemoryStats => merges::memory_stats(replies, writer),
        Gather::LatencyLatest => merges::latency_latest(replies, writer),
        Gather::LatencyHistory => merges::latency_history(replies, writer),
        Gather::LatencyHistogram => merges::latency_histogram(replies, writer),
        Gather::SlowlogGet => {
            let limit = count.map_or(SLOWLOG_GET, |count| count.parse().unwrap_or(-1));
            merges::slowlog_get(limit, replies, writer)
        }
        Gather::ModuleList => merges::module_list(replies, writer),
        Gather::Role => merges::role(replies, writer),
        Gather::Info
        | Gather::RandomKey
        | Gather::MemoryDoctor
        | Gather::MemoryMallocStats
        | Gather::LatencyDoctor
        | Gather::LatencyGraph => None,
    }
}

fn texts(steps: &Steps, replies: &[(usize, Bytes)]) -> Vec<u8> {
    let pool = steps.with(|worker, number| worker.pool_of(number).config.clone());
    let parts: Vec<TextOf<'_>> = replies
        .iter()
        .map(|(shard, reply)| TextOf { shard: &pool.servers[*shard].name, reply })
        .collect();
    merges::texts(&parts, steps.protocol())
}

/// The reply when all shards are ejected.
pub(super) fn nobody_in(steps: &Steps) -> Vec<u8> {
    let text = steps.with(|worker, number| worker.pool_of(number).nobody_in());
    steps.reply(|writer| writer.error(&text))
}

/// Entries of SLOWLOG GET without a count, as in Redis.
const SLOWLOG_GET: i64 = 10;
