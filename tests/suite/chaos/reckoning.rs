//! What is looked at when all is mended: every key that was written, and what stayed behind.

use std::time::Duration;

use super::client::{Client, Command};
use super::connection::Broken;
use super::record::Outcome;
use super::run::{Pool, Run};
use super::state::Op;
use super::verdict::Wrong;
use crate::harness::{Reply, encode};

impl Client {
    /// Reads all of its keys again, those included that it turned away from.
    pub async fn reread(&mut self) {
        let mut all = std::mem::take(&mut self.retired);
        all.extend(std::mem::take(&mut self.keys));
        self.keys = all;
        let commands: Vec<Command> = (0..self.keys.len())
            .filter(|key| !self.keys[*key].is_anyones_guess() && !self.is_unserved(*key))
            .flat_map(|key| self.reads(key))
            .collect();
        for some in commands.chunks(AT_ONCE) {
            let mut left: Vec<&Command> = some.iter().collect();
            for _ in 0..ATTEMPTS {
                left = match self.read(&left).await {
                    Ok(failed) => failed,
                    Err(_) => left,
                };
                if left.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            for command in left {
                self.accuse(&Wrong::Missing(format!("{} at the end", command.told())));
            }
        }
    }

    /// Reads; those that failed with an error.
    async fn read<'a>(&mut self, commands: &[&'a Command]) -> Result<Vec<&'a Command>, Broken> {
        let mut connection = self.stage.open().await?;
        let bytes: Vec<u8> = commands.iter().flat_map(|one| encode(&one.words)).collect();
        connection.send(&bytes).await?;
        let (mut failed, mut replies) = (Vec::new(), Vec::new());
        for _ in commands {
            replies.push(connection.reply().await?);
        }
        for (command, reply) in commands.iter().zip(&replies) {
            if matches!(reply, Reply::Error(_)) {
                failed.push(*command);
                continue;
            }
            let (key, op) = command.steps[0];
            self.stage.book.figures().reread += 1;
            if let Err(wrong) = self.keys[key].settle(&op, Outcome::Reply(reply)) {
                self.accuse(&wrong);
            }
        }
        Ok(failed)
    }

    /// nutcracker 0.5.0 knows no streams, and ends the connection.
    fn is_unserved(&self, key: usize) -> bool {
        self.keys[key].kind == 'x' && !self.stage.is_circlet
    }

    fn reads(&self, key: usize) -> Vec<Command> {
        let ops: &[Op] = match self.keys[key].kind {
            's' => &[Op::Get],
            'n' => &[Op::Number],
            'l' => &[Op::List],
            'h' => &[Op::HashAll],
            'z' => &[Op::Scores],
            'e' => &[Op::Members],
            'x' => &[Op::Stream],
            'p' => &[Op::Pair],
            _ => &[Op::BeltFirst, Op::BeltSecond],
        };
        ops.iter().map(|op| self.command(key, *op)).collect()
    }
}

/// What a proxy at rest has.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    pub files: usize,
    pub threads: usize,
    pub memory: u64,
    /// Connections to the shard that has most.
    pub links: usize,
}

impl Run {
    /// Waits until the proxy has forgotten all clients, and looks at what it has.
    pub async fn rest(&self) -> Rest {
        if self.plan.is_circlet {
            for pool in &self.pools {
                pool.forgets(self).await;
            }
        }
        let links = async {
            let mut most = 0;
            for member in self.pools.iter().flat_map(|pool| &pool.members) {
                if let Ok(Reply::Bulk(list)) = member.ask(&["CLIENT", "LIST"]).await {
                    most = most.max(list.split(|byte| *byte == b'\n').count());
                }
            }
            most
        };
        let links = links.await;
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", self.proxy.pid());
            std::fs::read_dir(path).map_or(0, Iterator::count)
        };
        Rest { files: count("fd"), threads: count("task"), memory: self.proxy.memory(), links }
    }

    /// Compares with how it was before.
    pub async fn expect_rest(&self, before: Rest) -> Rest {
        let mut after = self.rest().await;
        for _ in 0..50 {
            if after.files <= before.files + MORE_FILES && after.links <= before.links + MORE_LINKS
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            after = self.rest().await;
        }
        let text = format!("{before:?}, then {after:?}");
        let is_more = after.files > before.files + MORE_FILES
            || after.threads > before.threads + MORE_THREADS
            || after.links > before.links + MORE_LINKS
            || after.memory > before.memory + MORE_MEMORY;
        if is_more && self.plan.is_circlet {
            self.book.accuse("the proxy", &Wrong::Leak(text));
        } else {
            println!("chaos: at rest {text}");
        }
        after
    }
}

impl Pool {
    async fn forgets(&self, run: &Run) {
        let sessions = async || {
            let mut connection = self.stage.open().await?;
            let reply = connection.ask(&["CLIENT", "LIST"]).await?;
            let text = match &reply {
                Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => other.to_string(),
            };
            Ok::<usize, Broken>(text.lines().count())
        };
        let mut last = String::new();
        let mut is_quiet = false;
        for _ in 0..100 {
            match (sessions().await, self.waiters().await) {
                (Ok(1), Ok(0)) => is_quiet = true,
                other => last = format!("{other:?}"),
            }
            if is_quiet {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let text = format!("sessions, and waiters and channels at shards: {last}");
        run.book.accuse("the proxy", &Wrong::Leak(text));
    }

    /// Clients that wait at shards, channels and patterns that are listened to.
    async fn waiters(&self) -> Result<usize, Broken> {
        let mut all = 0;
        for member in &self.members {
            let info = member.ask(&["INFO", "clients"]).await?;
            all += usize::from(!info.to_string().contains("blocked_clients:0\\r"));
            for what in ["CHANNELS", "SHARDCHANNELS"] {
                if let Reply::Array(channels) = member.ask(&["PUBSUB", what]).await? {
                    all += channels.len();
                }
            }
            if let Reply::Integer(patterns) = member.ask(&["PUBSUB", "NUMPAT"]).await? {
                all += patterns as usize;
            }
        }
        Ok(all)
    }
}

/// Keys read in one piece at the end.
const AT_ONCE: usize = 40;
const ATTEMPTS: usize = 50;
/// Links kept for the next differ from time to time: two workers to three shards of two pools, each as
/// several identities.
const MORE_FILES: usize = 60;
const MORE_LINKS: usize = 20;
/// Threads for what blocks end only after ten idle seconds.
const MORE_THREADS: usize = 6;
/// What buffers and the allocator keep of large values.
const MORE_MEMORY: u64 = 48 * 1024 * 1024;
