//! A transaction whose keys live on several shards, where the pool has `cross_shard: allow`.
//!
//! ```text
//!   MULTI  SET a 1  SET b 2  INCR a  EXEC      a on shard 0, b on shard 1
//!     shard 0: MULTI  SET a 1  INCR a  EXEC  ─► [OK, 2]  ┐
//!     shard 1: MULTI  SET b 2  EXEC          ─► [OK]     ┴─► [OK, OK, 2]
//! ```
//!
//! Each shard executes its part at once; between the parts of several shards others may come.

use crate::client::procedure::Steps;
use crate::client::split::{self, positions};
use crate::command::{self, Handling};
use crate::reply::Merge;
use crate::resp::reply::elements;
use crate::resp::write::error_frame;
use crate::resp::{Request, RequestScanner, Scan, write};
use crate::worker::Worker;

/// What each shard is to execute, and where the replies go.
#[derive(Debug, Default)]
struct Plan {
    /// The commands for each shard that has any.
    parts: Vec<(usize, Vec<Vec<u8>>)>,
    /// For each command of the transaction, whose replies it takes in turn.
    replies: Vec<Reply>,
}

#[derive(Debug)]
enum Reply {
    /// Of this part of the plan.
    Whole(usize),
    /// Of these parts of the plan, merged.
    Merged(Vec<usize>, Merge),
}

impl Worker {
    /// Executes what was collected, each shard its part.
    pub(super) fn exec_scattered(&mut self, number: u32) {
        self.answer_collected(number);
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        let bytes = std::mem::take(&mut transaction.bytes);
        let own = std::mem::take(&mut transaction.own);
        let home = transaction.home.as_ref().map_or(0, |home| home.shard);
        let plan = self.plan(number, &bytes, home);
        self.forget_transaction(number);
        self.run_procedure(number, |steps| async move {
            let reply = plan.execute(&steps).await;
            steps.with(|worker, number| worker.complete(number, &own, &reply)).unwrap_or(reply)
        });
    }

    /// Which shard executes what; commands without keys go to `home`.
    fn plan(&self, number: u32, bytes: &[u8], home: usize) -> Plan {
        let limits = self.pool_of(number).request_limits;
        let mut plan = Plan::default();
        let (mut rest, mut scanner) = (bytes, RequestScanner::default());
        // The first is MULTI.
        let mut is_first = true;
        while let Ok(Scan::Done(length)) = scanner.scan(rest, &limits) {
            if !is_first {
                self.plan_one(
                    number,
                    &Request::new(&rest[..length], scanner.args()),
                    home,
                    &mut plan,
                );
            }
            is_first = false;
            rest = &rest[length..];
            scanner.reset();
        }
        plan
    }

    fn plan_one(&self, number: u32, request: &Request<'_>, home: usize, plan: &mut Plan) {
        let pool = self.pool_of(number);
        let spec = command::resolve(request)
            .or_else(|error| pool.learned.resolve(request).unwrap_or(Err(error)));
        let keys = spec.ok().and_then(|spec| Some((spec, positions(spec, request).ok()?)));
        let Some((spec, keys)) = keys.filter(|(_, keys)| !keys.is_empty()) else {
            return plan.whole(home, request);
        };
        let ring = self.ring_of_transaction(number);
        let shard_of = |&key: &u32| ring.shard(request.arg(key as usize)).unwrap_or(home);
        let shards: Vec<u16> = keys.iter().map(|key| shard_of(key) as u16).collect();
        let first = shards[0];
        if spec.handling != Handling::Split || shards.iter().all(|&shard| shard == first) {
            return plan.whole(usize::from(first), request);
        }
        let servers = pool.config.servers.len();
        let (parts, merge) = split::parts(spec, request, &keys, shards, servers);
        let places = parts.into_iter().map(|(shard, part)| plan.add(shard, part)).collect();
        plan.replies.push(Reply::Merged(places, merge));
    }
}

impl Plan {
    fn whole(&mut self, shard: usize, request: &Request<'_>) {
        let place = self.add(shard, request.wire().to_vec());
        self.replies.push(Reply::Whole(place));
    }

    /// Adds a command for `shard`; which part that is.
    fn add(&mut self, shard: usize, command: Vec<u8>) -> usize {
        let known = self.parts.iter().position(|part| part.0 == shard);
        let place = known.unwrap_or_else(|| {
            self.parts.push((shard, Vec::new()));
            self.parts.len() - 1
        });
        self.parts[place].1.push(command);
        place
    }

    /// EXEC's reply.
    async fn execute(self, steps: &Steps) -> Vec<u8> {
        let asked: Vec<_> =
            self.parts.iter().map(|(shard, part)| steps.ask_at_once(*shard, part)).collect();
        let mut executed = Vec::with_capacity(asked.len());
        for reply in asked {
            executed.push(reply.await);
        }
        let mut sources = Vec::with_capacity(executed.len());
        for reply in &executed {
            match elements(reply) {
                Some(source) => sources.push(source),
                None => {
                    let others = executed.iter().filter(|other| elements(other).is_some()).count();
                    return partly(reply, others);
                }
            }
        }
        let mut out = Vec::new();
        write::array_head_into(&mut out, self.replies.len());
        for reply in self.replies {
            match reply {
                Reply::Whole(place) => {
                    out.extend_from_slice(sources[place].next().unwrap_or(MISSING));
                }
                Reply::Merged(places, mut merge) => {
                    for (part, place) in places.into_iter().enumerate() {
                        merge.fill(part, sources[place].next().unwrap_or(MISSING));
                    }
                    merge.write(&mut out);
                }
            }
        }
        out
    }
}

/// The error of a shard that did not execute its part, and how many others did.
fn partly(error: &[u8], others: usize) -> Vec<u8> {
    if others == 0 {
        return error.to_vec();
    }
    let error = String::from_utf8_lossy(error);
    let error = error.trim_end().trim_start_matches('-');
    error_frame(&format!(
        "EXECABORT Transaction applied in part: {others} of its shards executed theirs, and another \
         answered: {error}"
    ))
}

const MISSING: &[u8] = b"-ERR the shard's reply to EXEC has too few elements\r\n";
