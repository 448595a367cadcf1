//! What is done whole or not at all: transactions, watched ones, scripts.

use super::client::{Client, Command, Shape};
use super::connection::Broken;
use super::state::Op;
use crate::harness::Reply;

impl Client {
    /// MULTI … EXEC upon one key or a pair, in one piece or command by command.
    pub async fn transaction(&mut self) -> Result<(), Broken> {
        let commands = match self.rng.u8(0..3) {
            0 => self.pair_transaction(),
            1 => {
                let kind = *self.rng.choice(&['n', 'l', 's']).expect("kinds are listed");
                let key = self.place(kind);
                let count = self.rng.usize(1..5);
                let ops: Vec<Op> = (0..count).map(|_| self.any_op(kind, key)).collect();
                self.queued(key, &ops)
            }
            _ => {
                let key = self.place('p');
                let op = Op::PairSet(self.chunk(60));
                let command = self.command(key, op);
                let load =
                    Command::plain(&["SCRIPT", "LOAD", super::wording::SET_BOTH], Shape::Anything);
                vec![load, self.by_sha(command), self.command(key, Op::Pair)]
            }
        };
        if self.rng.bool() {
            return self.exchange(&commands).await;
        }
        for command in &commands {
            self.exchange(std::slice::from_ref(command)).await?;
        }
        Ok(())
    }

    /// What MULTI, these commands and EXEC are.
    fn queued(&mut self, key: usize, ops: &[Op]) -> Vec<Command> {
        let mut commands = vec![Command::plain(&["MULTI"], Shape::AllOk)];
        let name = self.keys[key].name.clone();
        for op in ops {
            commands.push(Command {
                words: op.words(&name),
                steps: Vec::new(),
                shape: Shape::Queued,
            });
        }
        let steps = ops.iter().map(|op| (key, *op)).collect();
        commands.push(Command { words: vec![b"EXEC".to_vec()], steps, shape: Shape::Each });
        commands
    }

    /// Both of a pair are set by commands of their own.
    fn pair_transaction(&mut self) -> Vec<Command> {
        let key = self.place('p');
        let chunk = self.chunk(60);
        let name = self.keys[key].name.clone();
        let set = |half: &str| Command {
            words: vec![
                b"SET".to_vec(),
                format!("{{{name}}}{half}").into_bytes(),
                chunk.bytes(&name),
            ],
            steps: Vec::new(),
            shape: Shape::Queued,
        };
        vec![
            Command::plain(&["MULTI"], Shape::AllOk),
            set("a"),
            set("b"),
            Command {
                words: vec![b"EXEC".to_vec()],
                steps: vec![(key, Op::PairSet(chunk))],
                shape: Shape::Both,
            },
            self.command(key, Op::Pair),
        ]
    }

    /// WATCH, read, MULTI, write, EXEC; somebody else writes in between, or nobody.
    pub async fn watch(&mut self) -> Result<(), Broken> {
        let key = self.place('s');
        let name = self.keys[key].name.clone();
        let watched = self.say(&["WATCH", &name]).await?;
        if let Reply::Error(text) = &watched {
            self.known(text);
            // What was watched may be lost, and a transaction be refused for it.
            self.say(&["UNWATCH"]).await?;
            return Ok(());
        }
        let read = self.command(key, Op::Get);
        self.exchange(&[read]).await?;
        let shape = match self.rng.bool() {
            true => self.disturb(key).await?,
            false => Shape::Each,
        };
        let op = Op::Set(self.chunk(100));
        let mut commands = self.queued(key, &[op]);
        if let Some(exec) = commands.last_mut() {
            exec.shape = shape;
        }
        // A failed one is UNWATCHed by EXEC like any other.
        self.exchange(&commands).await
    }

    /// Another connection writes; what EXEC must answer then.
    async fn disturb(&mut self, key: usize) -> Result<Shape, Broken> {
        let mut other = self.stage.open().await?;
        let op = Op::Set(self.chunk(20));
        let command = self.command(key, op);
        other.send(&crate::harness::encode(&command.words)).await?;
        let reply = other.reply().await?;
        self.settle(&command, Some(&reply));
        Ok(if reply == Reply::ok() { Shape::Refused } else { Shape::EachOrNil })
    }

    /// A command of which the client itself judges the reply.
    pub async fn say(&mut self, words: &[&str]) -> Result<Reply, Broken> {
        self.stage.book.figures().requests += 1;
        self.connected().await?.ask(words).await
    }
}
