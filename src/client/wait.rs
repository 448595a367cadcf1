//! WAIT and WAITAOF: the replicas of every shard have what the client wrote, wherever it went.
//!
//! A shard counts from the last command of the connection that WAIT comes on. The client's writes
//! went over a shared link; on a link of its own a command of the same effect is sent first, and
//! since the session was drained its place in the replication stream is behind those writes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::procedure::Steps;
use super::session::Pause;
use crate::reply::slots::Frame;
use crate::reply::{Merge, MergeKind};
use crate::resp::{Request, write};
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    /// WAIT numreplicas timeout, WAITAOF numlocal numreplicas timeout: the least of what the
    /// shards say.
    pub(crate) fn wait(&mut self, number: u32, request: &Request<'_>) {
        let request = request.wire().to_vec();
        self.run_procedure(number, async move |steps| wait(&steps, &request).await);
        // A client that leaves takes the waiting with it.
        self.sessions[number as usize].pause = Pause::Blocked;
    }

    /// Sends `request` on a link of its own to `shard`, behind something that moves the
    /// connection's place in the replication stream to where it is now.
    fn ask_replicas(
        &mut self,
        number: u32,
        shard: usize,
        request: &[u8],
    ) -> Result<oneshot::Receiver<Bytes>, String> {
        let link = self.lend_to_wait(number, shard, Vec::new(), None)?;
        for mover in movers() {
            self.send_on(link, number, 0, Part::Unclaimed, Frame::Small(&mover));
        }
        let (asker, answer) = oneshot::channel();
        let place = self.askers.insert(asker) as u32;
        self.send_on(link, number, place, Part::Asked, Frame::Small(request));
        Ok(answer)
    }
}

async fn wait(steps: &Steps, request: &[u8]) -> Vec<u8> {
    let asked = steps.with(|worker, number| {
        let members: Vec<usize> = worker.pool_of(number).members().collect();
        if members.is_empty() {
            return Err(worker.pool_of(number).nobody_in());
        }
        let ask = |shard| worker.ask_replicas(number, shard, request);
        members.into_iter().map(ask).collect::<Result<Vec<_>, _>>()
    });
    let reply = match asked {
        Ok(asked) => least(asked).await,
        Err(text) => steps.reply(|writer| writer.error(&text)),
    };
    // Links on which a shard still waits are closed by that.
    steps.with(|worker, number| worker.return_loans(number));
    reply
}

/// The least of all answers, or the first error, which is not made to wait for the others.
async fn least(mut asked: Vec<oneshot::Receiver<Bytes>>) -> Vec<u8> {
    let mut merge = Merge::new(MergeKind::Min, asked.len());
    let mut answered = vec![false; asked.len()];
    poll_fn(|cx| {
        for (part, answer) in asked.iter_mut().enumerate() {
            if answered[part] {
                continue;
            }
            if let Poll::Ready(answer) = Pin::new(answer).poll(cx) {
                let reply = answer.unwrap_or(Bytes::from_static(super::procedure::GONE));
                if reply.starts_with(b"-") {
                    return Poll::Ready(reply.to_vec());
                }
                answered[part] = true;
                merge.fill(part, &reply);
            }
        }
        if !merge.is_complete() {
            return Poll::Pending;
        }
        let mut reply = Vec::new();
        merge.write(&mut reply);
        Poll::Ready(reply)
    })
    .await
}

/// A write that nobody notices: an empty message to a sharded channel that nobody has a reason to
/// listen to; patterns do not hear those. Servers before 7.0 do not know it: they count from the
/// last command of any kind, and PING is one.
fn movers() -> [Vec<u8>; 2] {
    let (mut message, mut ping) = (Vec::new(), Vec::new());
    write::command(&mut message, &[b"SPUBLISH", CHANNEL, b""]);
    write::command(&mut ping, &[b"PING"]);
    [message, ping]
}

/// Where the messages go that only move the replication stream.
const CHANNEL: &[u8] = b"__circlet__:wait";
