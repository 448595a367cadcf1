//! A connection of the control thread to one shard: commands out, their replies back.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::Trouble;
use crate::config::Pool;
use crate::reply::frame;
use crate::resp::reply::elements;
use crate::resp::{Protocol, ReplyLimits, ReplyScanner, Scan, write};
use crate::shard::connect::{self, Identity, Target};
use crate::socket::Socket;
use crate::tls::keeper::InForce;

/// See the module.
pub(super) struct Wire {
    socket: Socket,
    received: BytesMut,
    db: u32,
    limits: ReplyLimits,
    label: String,
}

/// Commands that travel together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    count: usize,
}

impl Batch {
    /// A batch of one command.
    pub(super) fn of(args: &[&[u8]]) -> Self {
        let mut batch = Self::default();
        batch.add(args);
        batch
    }

    /// Adds a command.
    pub(super) fn add(&mut self, args: &[impl AsRef<[u8]>]) {
        write::command(&mut self.bytes, args);
        self.count += 1;
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Wire {
    /// Connects to a shard and says the pool's password, as heartbeats do.
    pub(super) async fn open(
        pool: &Pool,
        shard: usize,
        tls: &Arc<InForce>,
    ) -> Result<Self, Trouble> {
        let label = pool.servers[shard].name.clone();
        let identity = Identity { db: pool.redis_db, protocol: Protocol::Resp2, user: None };
        let mut target = Target::new(pool, shard, identity, tls.connector());
        target.password = pool.redis_auth.clone();
        let socket = connect::open(&target).await;
        let socket = socket.map_err(|fault| Trouble(format!("{label}: {}", fault.cause())))?;
        let limits = ReplyLimits { reply: pool.max_reply, nesting: pool.max_nesting };
        Ok(Self { socket, received: BytesMut::new(), db: pool.redis_db, limits, label })
    }

    /// Chooses the database of what follows.
    pub(super) async fn select(&mut self, db: u32) -> Result<(), Trouble> {
        if self.db != db {
            self.demand(Batch::of(&[b"SELECT", db.to_string().as_bytes()])).await?;
            self.db = db;
        }
        Ok(())
    }

    /// The replies to a batch, errors among them.
    pub(super) async fn ask(&mut self, batch: Batch) -> Result<Vec<Bytes>, Trouble> {
        let label = self.label.clone();
        let talk = timeout(PATIENCE, self.talk(&batch));
        let late = || Trouble(format!("{label}: no reply within {} s", PATIENCE.as_secs()));
        talk.await.map_err(|_| late())?
    }

    /// The replies to a batch; an error among them is trouble.
    pub(super) async fn demand(&mut self, batch: Batch) -> Result<Vec<Bytes>, Trouble> {
        let replies = self.ask(batch).await?;
        match replies.iter().find(|reply| frame::is_error(reply)) {
            Some(error) => Err(self.trouble(error)),
            None => Ok(replies),
        }
    }

    /// The reply to one command, which must be no error.
    pub(super) async fn demand_one(&mut self, args: &[&[u8]]) -> Result<Bytes, Trouble> {
        let mut replies = self.demand(Batch::of(args)).await?;
        replies.pop().ok_or_else(|| Trouble(format!("{}: no reply", self.label)))
    }

    /// The shard's clock, in milliseconds since 1970.
    pub(super) async fn milliseconds(&mut self) -> Result<i64, Trouble> {
        let time = self.demand_one(&[b"TIME"]).await?;
        let part = |part: &[u8]| frame::number(part).map(|number| number as i64);
        let mut parts = elements(&time).into_iter().flatten().map(part);
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(seconds), Some(micros)) => Ok(seconds * 1000 + micros / 1000),
            _ => Err(self.trouble(&time)),
        }
    }

    /// A page of a set or of the keyspace: where to go on (empty at the end), and its members.
    pub(super) async fn page(
        &mut self,
        command: &[&[u8]],
    ) -> Result<(Option<Bytes>, Vec<Bytes>), Trouble> {
        let reply = self.demand_one(command).await?;
        let bulk = |element: &[u8]| frame::bulk(element).map(|bytes| reply.slice_ref(bytes));
        let page = || {
            let mut parts = elements(&reply)?;
            let cursor = bulk(parts.next()?)?;
            let members = elements(parts.next()?)?.filter_map(bulk).collect();
            Some(((cursor != "0").then_some(cursor), members))
        };
        page().ok_or_else(|| self.trouble(&reply))
    }

    /// What a reply that cannot be used means.
    pub(super) fn trouble(&self, reply: &[u8]) -> Trouble {
        let shown = String::from_utf8_lossy(&reply[..reply.len().min(200)]);
        Trouble(format!("{} said {:?}", self.label, shown.trim_end()))
    }

    async fn talk(&mut self, batch: &Batch) -> Result<Vec<Bytes>, Trouble> {
        let failed = |label: &str, error: std::io::Error| Trouble(format!("{label}: {error}"));
        let mut rest = &batch.bytes[..];
        while !rest.is_empty() {
            match self.socket.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.socket.poll_write_ready(cx))
                        .await
                        .map_err(|error| failed(&self.label, error))?;
                }
                Err(error) => return Err(failed(&self.label, error)),
            }
        }
        while !self.socket.try_flush().map_err(|error| failed(&self.label, error))? {
            poll_fn(|cx| self.socket.poll_write_ready(cx))
                .await
                .map_err(|error| failed(&self.label, error))?;
        }
        let mut replies = Vec::with_capacity(batch.count);
        while replies.len() < batch.count {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    async fn reply(&mut self) -> Result<Bytes, Trouble> {
        let mut scanner = ReplyScanner::default();
        loop {
            if !self.received.is_empty() {
                match scanner.scan(&self.received, &self.limits) {
                    Ok(Scan::Done(len)) => return Ok(self.received.split_to(len).freeze()),
                    Ok(Scan::More(_)) => {}
                    Err(error) => return Err(Trouble(format!("{}: {error}", self.label))),
                }
            }
            self.received.reserve(READ);
            let read = poll_fn(|cx| self.socket.poll_read_onto(cx, &mut self.received, READ)).await;
            match read {
                Ok(0) => return Err(Trouble(format!("{} closed the connection", self.label))),
                Ok(_) => {}
                Err(error) => return Err(Trouble(format!("{}: {error}", self.label))),
            }
        }
    }
}

/// For one exchange: a batch of large values takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(10);
const READ: usize = 64 * 1024;
