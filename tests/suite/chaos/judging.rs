//! What a client makes of a reply.

use super::answer::{Answer, leaves};
use super::client::{Client, Command, Shape};
use super::record::{Outcome, Rule, shown};
use super::value;
use super::verdict::{Ran, Wrong, classify};
use crate::harness::Reply;

impl Client {
    /// Compares a reply with what its command did; without one the outcome is unknown.
    pub fn settle(&mut self, command: &Command, reply: Option<&Reply>) {
        if let Shape::Count(counter) = command.shape {
            return self.count(counter, reply);
        }
        let Some(reply) = reply else {
            return self.settle_all(command, |_| Outcome::Unknown);
        };
        if let Reply::Error(text) = reply {
            let outcome = match self.known(text) {
                // Of a command that was split, one part may have run.
                Some(Ran::Never) if command.steps.len() < 2 || text.starts_with("EXECABORT") => {
                    Outcome::NotRun
                }
                _ => Outcome::Unknown,
            };
            return self.settle_all(command, |_| outcome);
        }
        self.stage.book.figures().checked += 1;
        let parts = match (command.shape, reply) {
            (Shape::One, reply) => vec![reply],
            (Shape::Each | Shape::EachOrNil, Reply::Array(parts))
                if parts.len() == command.steps.len() =>
            {
                parts.iter().collect()
            }
            (Shape::EachOrNil | Shape::Refused, Reply::Nil) => return,
            (Shape::AllOk, reply) if *reply == Reply::ok() => vec![reply; command.steps.len()],
            (Shape::Sum, Reply::Integer(_)) => return self.settle_sum(command, reply),
            (Shape::Queued, Reply::Simple(text)) if text == "QUEUED" => return,
            (Shape::Both, Reply::Array(parts)) if parts[..] == [Reply::ok(), Reply::ok()] => {
                vec![&parts[0]]
            }
            (Shape::Anything, _) | (Shape::Nil, Reply::Nil) => return,
            _ => {
                self.settle_all(command, |_| Outcome::Unknown);
                return self.object(reply, &command.told());
            }
        };
        // The errors among the replies to EXEC are those of commands that ran.
        self.settle_all(command, |step| Outcome::Reply(parts[step]));
    }

    fn settle_all<'a>(&mut self, command: &Command, outcome: impl Fn(usize) -> Outcome<'a>) {
        for (step, (key, op)) in command.steps.iter().enumerate() {
            let outcome = outcome(step);
            if op.writes() {
                let mut figures = self.stage.book.figures();
                match outcome {
                    Outcome::Reply(_) => figures.acknowledged += 1,
                    Outcome::Unknown => figures.unknown += 1,
                    Outcome::NotRun => {}
                }
            }
            if let Err(wrong) = self.keys[*key].settle(op, outcome) {
                self.accuse(&wrong);
            }
        }
    }

    /// A sum is compared where each of its parts is known.
    fn settle_sum(&mut self, command: &Command, reply: &Reply) {
        let mut due = 0;
        let is_exact = self.stage.rule == Rule::Exact
            && command.steps.iter().all(|(key, _)| self.keys[*key].is_certain());
        for (key, op) in &command.steps {
            let record = &self.keys[*key];
            let answer = op.apply(&mut record.state().clone(), &record.name);
            due += match answer {
                Answer::Integer(number) => number,
                _ => 0,
            };
        }
        if is_exact && *reply != Reply::Integer(due) {
            self.object(reply, &format!("{}, expected {due}", command.told()));
        }
        for (key, op) in &command.steps {
            let (name, state) = (self.keys[*key].name.clone(), self.keys[*key].state().clone());
            let Answer::Integer(number) = op.apply(&mut state.clone(), &name) else {
                continue;
            };
            match is_exact {
                true => {
                    let own = Reply::Integer(number);
                    let _ = self.keys[*key].settle(op, Outcome::Reply(&own));
                }
                false => {
                    let _ = self.keys[*key].settle(op, Outcome::Unknown);
                }
            }
        }
    }

    fn count(&mut self, counter: usize, reply: Option<&Reply>) {
        let outcome = match reply {
            Some(Reply::Error(text)) => match self.known(text) {
                Some(Ran::Never) => return,
                _ => None,
            },
            Some(Reply::Integer(number)) => Some(*number),
            Some(other) => return self.object(other, "INCR of a shared counter"),
            None => None,
        };
        if let Err(wrong) = self.stage.shared.note(counter, outcome) {
            self.accuse(&wrong);
        }
    }

    /// What is known of an error; the unknown is held against the proxy.
    pub fn known(&self, text: &str) -> Option<Ran> {
        match classify(text, self.stage.is_circlet) {
            Some((kind, ran)) => {
                *self.stage.book.figures().errors.entry(kind).or_default() += 1;
                Some(ran)
            }
            None => {
                self.accuse(&Wrong::UnknownError(text.to_owned()));
                None
            }
        }
    }

    /// A reply that cannot be the one to this command.
    pub fn object(&self, reply: &Reply, command: &str) {
        if let Reply::Error(text) = reply {
            self.known(text);
            return;
        }
        let foreign = leaves(reply).iter().find_map(|leaf| {
            let chunks = value::parse(leaf)?;
            chunks.into_iter().map(|(key, _)| key).find(|key| !key.starts_with(&self.prefix()))
        });
        let text = format!("{command}: {}", shown(reply));
        self.accuse(&match foreign {
            Some(_) => Wrong::Foreign(text),
            None => Wrong::OtherKind(text),
        });
    }

    pub fn accuse(&self, wrong: &Wrong) {
        self.stage.book.accuse(&format!("client {}", self.number), wrong);
    }
}
