//! Messages: those of a channel come in order, and never twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Client, Stage};
use super::connection::{Broken, Connection};
use super::record::{Rule, shown};
use super::value::{self, Chunk};
use super::verdict::Wrong;
use crate::harness::{Reply, encode};

/// What was heard so far, by channel.
#[derive(Debug, Default)]
pub struct Heard {
    last: HashMap<String, u64>,
    all: HashMap<String, HashSet<u64>>,
}

impl Heard {
    /// Takes a message; what is wrong with it.
    ///
    /// Where shards are ejected a channel moves from one to another, and what is on its way over
    /// the old one may come after what took the new one.
    pub fn take(&mut self, message: &Reply, rule: Rule) -> Result<(), Wrong> {
        let (Reply::Array(parts) | Reply::Push(parts)) = message else {
            return Err(Wrong::OtherKind(format!("message: {}", shown(message))));
        };
        let [.., Reply::Bulk(channel), Reply::Bulk(payload)] = &parts[..] else {
            return Err(Wrong::OtherKind(format!("message: {}", shown(message))));
        };
        let channel = String::from_utf8_lossy(channel).into_owned();
        let told = || format!("channel {channel}: {}", shown(message));
        let chunks = value::parse(payload).ok_or_else(|| Wrong::Damaged(told()))?;
        let [(named, Chunk { sequence, .. })] = &chunks[..] else {
            return Err(Wrong::Damaged(told()));
        };
        if *named != channel {
            return Err(Wrong::Foreign(told()));
        }
        if !self.all.entry(channel.clone()).or_default().insert(*sequence) {
            return Err(Wrong::Twice(told()));
        }
        let last = self.last.insert(channel.clone(), *sequence);
        match last.is_some_and(|last| last > *sequence) && rule == Rule::Exact {
            true => Err(Wrong::Disordered(told())),
            false => Ok(()),
        }
    }
}

/// Listens to the channels of all clients until `end`.
pub async fn listen(stage: Arc<Stage>, end: Instant) {
    while Instant::now() < end {
        if let Err(broken) = listen_once(&stage, end).await {
            let wrong = Wrong::Disconnected(format!("{broken:?}"));
            stage.book.accuse("a listener", &wrong);
        }
    }
}

async fn listen_once(stage: &Stage, end: Instant) -> Result<(), Broken> {
    let mut connection = stage.open().await?;
    let confirmed = connection.ask(&["PSUBSCRIBE", "c*-ch.*"]).await?;
    if let Reply::Error(_) = confirmed {
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(());
    }
    let mut heard = Heard::default();
    while Instant::now() < end {
        match connection.reply_within(Duration::from_millis(200)).await {
            Err(Broken::Silent) => {}
            Err(broken) => return Err(broken),
            Ok(message) => {
                stage.book.figures().messages += 1;
                if let Err(wrong) = heard.take(&message, stage.rule) {
                    stage.book.accuse("a listener", &wrong);
                }
            }
        }
    }
    Ok(())
}

impl Client {
    /// Publishes to its channel, with a subscriber of its own as a rule.
    pub async fn publish(&mut self) -> Result<(), Broken> {
        let channel = self.channel_name();
        let mut subscriber = match self.rng.u8(0..4) {
            0 => None,
            1 => self.subscribe("PSUBSCRIBE", &format!("c{}-ch*", self.number)).await?,
            _ => self.subscribe("SUBSCRIBE", &channel).await?,
        };
        let count = self.rng.usize(1..6);
        let mut bytes = Vec::new();
        for _ in 0..count {
            let payload = self.chunk(60).bytes(&channel);
            bytes.extend(encode(&[b"PUBLISH".as_slice(), channel.as_bytes(), &payload]));
        }
        self.stage.book.figures().requests += count as u64;
        // Whatever becomes of it, a message that is late must not come between later ones.
        self.channel += 1;
        self.connected().await?.send(&bytes).await?;
        let mut is_certain = true;
        for _ in 0..count {
            match self.reply().await? {
                Reply::Integer(_) => self.stage.book.figures().checked += 1,
                other => {
                    is_certain = false;
                    self.object(&other, "PUBLISH");
                }
            }
        }
        if is_certain {
            self.channel -= 1;
        }
        match subscriber.as_mut() {
            Some(subscriber) => self.hear(subscriber, count).await,
            None => Ok(()),
        }
    }

    /// A connection that listens; none when the shards refuse.
    async fn subscribe(&mut self, how: &str, what: &str) -> Result<Option<Connection>, Broken> {
        let mut subscriber = self.stage.open().await?;
        let reply = subscriber.ask(&[how, what]).await?;
        Ok(match reply {
            Reply::Array(_) => Some(subscriber),
            other => {
                self.object(&other, how);
                None
            }
        })
    }

    async fn hear(&mut self, subscriber: &mut Connection, count: usize) -> Result<(), Broken> {
        let mut heard = Heard::default();
        for number in 0..=count {
            // One more than was published must not come.
            let patience = Duration::from_millis(if number < count { 300 } else { 20 });
            match subscriber.reply_within(patience).await {
                Err(Broken::Silent) => break,
                Err(broken) => return Err(broken),
                Ok(_) if number == count => {
                    self.accuse(&Wrong::Twice("a message more than was published".into()));
                }
                Ok(message) => {
                    self.stage.book.figures().messages += 1;
                    if let Err(wrong) = heard.take(&message, self.stage.rule) {
                        self.accuse(&wrong);
                    }
                }
            }
        }
        Ok(())
    }

    fn channel_name(&self) -> String {
        format!("c{}-ch.{}", self.number, self.channel)
    }
}
