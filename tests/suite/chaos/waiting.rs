//! Commands that wait, and somebody who gives them what they wait for.

use std::time::Duration;

use super::client::{Client, Command};
use super::connection::Broken;
use super::state::{Op, State};
use crate::harness::{Reply, encode};

impl Client {
    /// BLPOP; when the list is empty another connection pushes meanwhile.
    pub async fn wait_at_a_list(&mut self) -> Result<(), Broken> {
        let key = self.place('l');
        let push = Op::Push(self.chunk(60));
        let is_empty = self.is_empty(key);
        let pop = self.command(key, Op::BlockingPop);
        self.wait(pop, is_empty.then_some(push)).await
    }

    /// BRPOPLPUSH between two lists.
    pub async fn wait_at_a_belt(&mut self) -> Result<(), Broken> {
        let key = self.place('b');
        let push = Op::BeltPush(self.chunk(60));
        let is_empty = match self.keys[key].state() {
            State::Belt(first, _) => first.is_empty(),
            _ => true,
        };
        let pop = self.command(key, Op::BlockingMove);
        self.wait(pop, is_empty.then_some(push)).await
    }

    async fn wait(&mut self, pop: Command, push: Option<Op>) -> Result<(), Broken> {
        let Some(push) = push else {
            return self.exchange(&[pop]).await;
        };
        let push = self.command(pop.steps[0].0, push);
        self.stage.book.figures().requests += 2;
        let sent = match self.connected().await {
            Ok(connection) => connection.send(&encode(&pop.words)).await,
            Err(broken) => Err(broken),
        };
        let pause = Duration::from_millis(self.rng.u64(0..150));
        tokio::time::sleep(pause).await;
        let pushed = match sent {
            Ok(()) => self.aside(&push).await,
            Err(broken) => Err(broken),
        };
        let popped = self.reply().await;
        // One that waited in vain ended before the push, however late that was.
        if matches!(popped, Ok(Reply::Nil)) {
            self.settle(&pop, popped.as_ref().ok());
            self.settle(&push, pushed.as_ref().ok());
        } else {
            self.settle(&push, pushed.as_ref().ok());
            self.settle(&pop, popped.as_ref().ok());
        }
        popped.and(pushed).map(|_| ())
    }

    /// Says it on a connection of its own.
    async fn aside(&mut self, command: &Command) -> Result<Reply, Broken> {
        let mut other = self.stage.open().await?;
        other.send(&encode(&command.words)).await?;
        other.reply().await
    }

    /// XREAD with BLOCK from a stream's beginning.
    pub async fn wait_at_a_stream(&mut self) -> Result<(), Broken> {
        let key = self.place('x');
        let name = self.keys[key].name.clone();
        let is_empty = self.is_empty(key);
        let read = self.command(key, Op::Stream);
        let words = ["XREAD", "BLOCK", "700", "STREAMS", &name, "0"];
        self.stage.book.figures().requests += 1;
        self.connected().await?.send(&encode(&words)).await?;
        if is_empty {
            let add = Op::StreamAdd(self.chunk(40));
            let add = self.command(key, add);
            let added = self.aside(&add).await;
            self.settle(&add, added.as_ref().ok());
        }
        let reply = self.reply().await?;
        match inner(&reply) {
            // Nothing within its time; something may have been added since.
            None if reply == Reply::Nil && is_empty => {}
            None if reply == Reply::Nil => self.settle(&read, Some(&Reply::Array(Vec::new()))),
            None => self.object(&reply, "XREAD"),
            Some((stream, _)) if stream.bytes() != name.as_bytes() => {
                self.object(&reply, &format!("XREAD {name}"));
            }
            Some((_, entries)) => self.settle(&read, Some(entries)),
        }
        Ok(())
    }
}

/// The one stream in a reply to XREAD, of either protocol: its name and its entries.
fn inner(reply: &Reply) -> Option<(&Reply, &Reply)> {
    match reply {
        Reply::Map(all) => all.first().map(|(name, entries)| (name, entries)),
        Reply::Array(all) => match all.first() {
            Some(Reply::Array(two)) if two.len() == 2 => Some((&two[0], &two[1])),
            _ => None,
        },
        _ => None,
    }
}
