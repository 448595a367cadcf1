//! What concerns a client's own connection: its name, its database, its end.

use std::time::Duration;

use super::client::{Client, Command, Shape};
use super::connection::Broken;
use super::record::{Outcome, shown};
use super::state::Op;
use super::verdict::Wrong;
use crate::harness::{Reply, encode};

impl Client {
    /// PING, ECHO, CLIENT and their like, answered with what this client said.
    pub async fn about_the_session(&mut self) -> Result<(), Broken> {
        let name = format!("c{}-name{}", self.number, self.rng.u16(..));
        let text = self.chunk(2_000).bytes(&name);
        let text = String::from_utf8(text).expect("values are ASCII");
        let commands: [(&[&str], Option<Reply>); 8] = [
            (&["CLIENT", "SETNAME", &name], Some(Reply::ok())),
            (&["ECHO", &text], Some(Reply::bulk(&text))),
            (&["PING"], Some(Reply::Simple("PONG".into()))),
            (&["CLIENT", "GETNAME"], Some(Reply::bulk(&name))),
            (&["CLIENT", "ID"], None),
            (&["WAIT", "0", "10"], None),
            (&["DBSIZE"], None),
            (&["PING", &name], Some(Reply::bulk(&name))),
        ];
        for (words, expected) in commands {
            let reply = self.say(words).await?;
            let is_right = match expected {
                Some(expected) => reply == expected,
                None => matches!(reply, Reply::Integer(_)),
            };
            match is_right {
                true => self.stage.book.figures().checked += 1,
                false => self.object(&reply, &words.join(" ")),
            }
        }
        Ok(())
    }

    /// Commands behind QUIT are not answered, nor run.
    pub async fn leave(&mut self) -> Result<(), Broken> {
        let before = self.command(0, Op::Get);
        let never = Op::Set(self.chunk(10));
        let never = self.command(1, never);
        let mut bytes = encode(&before.words);
        bytes.extend(encode(&["QUIT"]));
        bytes.extend(encode(&never.words));
        self.stage.book.figures().requests += 2;
        self.connected().await?.send(&bytes).await?;
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let reply = connection.reply().await?;
        self.settle(&before, Some(&reply));
        let farewell = connection.reply().await?;
        if farewell != Reply::ok() {
            self.object(&farewell, "QUIT");
        }
        match connection.reply().await {
            Err(Broken::Closed(_)) => {}
            Err(broken) => return Err(broken),
            Ok(more) => self.accuse(&Wrong::Surplus(format!("after QUIT: {}", shown(&more)))),
        }
        Ok(())
    }

    /// CLIENT REPLY SKIP and OFF: what is not answered may have run or not.
    pub async fn silenced(&mut self) -> Result<(), Broken> {
        let set = |client: &mut Client, key| {
            let op = Op::Set(client.chunk(50));
            Command { shape: Shape::Silence, ..client.command(key, op) }
        };
        let mut commands = vec![
            Command::plain(&["CLIENT", "REPLY", "SKIP"], Shape::Silence),
            set(self, 0),
            self.command(0, Op::Get),
        ];
        if self.rng.bool() {
            commands.extend([
                Command::plain(&["CLIENT", "REPLY", "OFF"], Shape::Silence),
                set(self, 1),
                set(self, 2),
                Command::plain(&["CLIENT", "REPLY", "ON"], Shape::AllOk),
                self.command(1, Op::Get),
            ]);
        }
        self.exchange(&commands).await
    }

    /// In another database its keys do not exist.
    pub async fn other_database(&mut self) -> Result<(), Broken> {
        let selected = self.say(&["SELECT", "1"]).await?;
        if selected != Reply::ok() {
            self.object(&selected, "SELECT");
            return Ok(());
        }
        let names: Vec<String> = self.keys.iter().take(3).map(|key| key.name.clone()).collect();
        let there: Vec<Command> =
            names.iter().map(|name| Command::plain(&["GET", name], Shape::Nil)).collect();
        self.exchange(&there).await?;
        let back = self.say(&["SELECT", "0"]).await?;
        if back != Reply::ok() {
            self.object(&back, "SELECT");
            self.connection = None;
        }
        Ok(())
    }

    /// SCAN over all shards, for its own keys.
    pub async fn scan(&mut self) -> Result<(), Broken> {
        let (mut cursor, pattern) = ("0".to_owned(), format!("{}*", self.prefix()));
        for _ in 0..MOST_TURNS {
            let reply = self.say(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "2000"]).await?;
            let Reply::Array(parts) = &reply else {
                self.object(&reply, "SCAN");
                return Ok(());
            };
            let [Reply::Bulk(next), Reply::Array(keys)] = &parts[..] else {
                self.object(&reply, "SCAN");
                return Ok(());
            };
            if let Some(key) =
                keys.iter().find(|key| !key.bytes().starts_with(self.prefix().as_bytes()))
            {
                self.accuse(&Wrong::Foreign(format!("SCAN {pattern}: {}", shown(key))));
            }
            self.stage.book.figures().checked += 1;
            cursor = String::from_utf8_lossy(next).into_owned();
            if cursor == "0" {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends some commands and part of one more, and breaks off: that one must not run.
    pub async fn break_off(&mut self) -> Result<(), Broken> {
        let mut whole: Vec<Command> =
            (0..self.rng.usize(0..6)).map(|_| self.any_command()).collect();
        // What a split command or a shared counter did could not be told.
        whole.retain(|command| command.shape == Shape::One);
        let op = Op::Set(self.chunk(5_000));
        let last = self.command(0, op);
        let mut bytes: Vec<u8> = whole.iter().flat_map(|one| encode(&one.words)).collect();
        let part = encode(&last.words);
        bytes.extend_from_slice(&part[..self.rng.usize(1..part.len())]);
        self.stage.book.figures().requests += whole.len() as u64;
        let sent = self.connected().await?.send(&bytes).await;
        let (how, pause) = (self.rng.u8(0..3), self.rng.u64(0..3_000));
        tokio::time::sleep(Duration::from_micros(pause)).await;
        match (how, self.connection.take()) {
            (2, Some(mut connection)) if sent.is_ok() => {
                return self.end_politely(&mut connection, &whole).await;
            }
            (1, Some(connection)) => connection.reset(),
            _ => {}
        }
        for command in &whole {
            self.settle(command, None);
        }
        let _ = self.keys[0].settle(&op, Outcome::NotRun);
        sent
    }

    /// Closes for writing only: what was whole is answered.
    async fn end_politely(
        &mut self,
        connection: &mut super::connection::Connection,
        whole: &[Command],
    ) -> Result<(), Broken> {
        connection.close_writing().await;
        for (number, command) in whole.iter().enumerate() {
            match connection.reply().await {
                Ok(reply) => self.settle(command, Some(&reply)),
                // nutcracker lets such a client go unanswered.
                Err(broken) => {
                    whole[number..].iter().for_each(|command| self.settle(command, None));
                    return if self.stage.is_circlet { Err(broken) } else { Ok(()) };
                }
            }
        }
        match connection.reply().await {
            Ok(more) => self.accuse(&Wrong::Surplus(format!("after its end: {}", shown(&more)))),
            Err(Broken::Closed(_)) => {}
            Err(broken) => return Err(broken),
        }
        Ok(())
    }
}

/// More than any keyspace here needs.
const MOST_TURNS: usize = 200;
