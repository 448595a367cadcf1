//! Where scenarios are played: circlet over three shards beside one Redis, and as many
//! connections to both as a scenario asks for.

use std::collections::HashMap;

use super::compare::agree;
use super::scenario::{Action, Keys, Mode, Scenario, Step, fill};
use crate::harness::{Client, PATIENCE, Reply, Shard, encode, within};
use crate::one_redis::Pair;

/// The stage; it outlives the scenarios played on it.
pub struct Stage {
    pair: Pair,
    /// A server that is part of neither, for what leaves a store.
    elsewhere: Shard,
    keys: Keys,
    resp: u8,
}

/// What one scenario has open and has kept.
struct Play<'a> {
    stage: &'a mut Stage,
    /// Leads to the shards, one each.
    tags: &'a [String],
    /// To circlet and to the one Redis, by the number of the connection.
    connections: HashMap<usize, [Client; 2]>,
    kept: [HashMap<String, Vec<u8>>; 2],
    blocked: usize,
}

impl Stage {
    /// A pool that serves what `keys` needs; connections will speak this version of RESP.
    pub fn new(keys: Keys, resp: u8) -> Stage {
        let pair = match keys {
            Keys::Together => Pair::start(),
            Keys::Scattered => Pair::with("hash_tag: \"{}\"\ncross_shard: allow"),
        };
        Stage { pair, keys, elsewhere: Shard::start(), resp }
    }

    /// Hash tags that lead to each of the three shards.
    pub fn tags(&mut self) -> [String; 3] {
        self.pair.key_on_each_shard("tag")
    }

    /// Plays a scenario with keys of the first of these tags' shard; what differs, if anything.
    pub fn play(&mut self, scenario: &Scenario, tags: &[String]) -> Result<(), String> {
        let other_resp = scenario.only_resp.is_some_and(|resp| resp != self.resp);
        if other_resp || (scenario.together && self.keys == Keys::Scattered) {
            return Ok(());
        }
        self.empty();
        let resp = self.resp;
        let elsewhere = self.elsewhere.address().to_string();
        let port = elsewhere.rsplit(':').next().unwrap_or_default().into();
        let kept = HashMap::from([("elsewhere".to_owned(), port)]);
        let connections = HashMap::new();
        let kept = [kept.clone(), kept];
        let mut play = Play { stage: self, tags, connections, kept, blocked: 0 };
        scenario.steps.iter().try_for_each(|step| {
            let (name, line, text) = (&scenario.name, step.line, &step.text);
            play.step(step).map_err(|error| {
                format!("{name}, line {line} (RESP{resp}, {tags:?}): {text}\n{error}")
            })
        })
    }

    /// Nothing of the last scenario is left on either side.
    fn empty(&mut self) {
        let lines =
            ["FLUSHALL", "FUNCTION FLUSH", "SCRIPT FLUSH", "SLOWLOG RESET", "ACL LOG RESET"];
        let commands = lines.map(|line| line.split(' ').collect());
        let elsewhere = self.elsewhere.client().command(&["FLUSHALL"]);
        assert_eq!(elsewhere, Reply::ok());
        self.pair.replies(&commands);
    }

    /// A new connection to each side.
    fn connect(&self) -> [Client; 2] {
        self.pair.connect().map(|mut client| {
            client.set_patience(PATIENCE / 4);
            if self.resp == 3 {
                client.command(&["HELLO", "3"]);
            }
            client
        })
    }

    /// What the shards together, and the one Redis, say in INFO of `field`.
    fn told(&mut self, field: &str) -> [usize; 2] {
        let shards = self.pair.shards.iter().map(|shard| told(&mut shard.client(), field)).sum();
        [shards, told(&mut self.pair.direct, field)]
    }
}

/// A number of INFO.
fn told(client: &mut Client, field: &str) -> usize {
    let info = client.command(&["INFO"]);
    let info = String::from_utf8_lossy(info.bytes()).into_owned();
    let value = |line: &str| line.strip_prefix(field)?.strip_prefix(':')?.parse().ok();
    info.lines().find_map(value).expect("a field of INFO")
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Command(words) => {
                self.send(step, words);
                self.compare(step)
            }
            Action::Unanswered(words) => {
                self.send(step, words);
                Ok(())
            }
            Action::Block(words) => {
                self.send(step, words);
                self.blocked += 1;
                self.wait_until_blocked()
            }
            Action::Reply => {
                self.blocked = self.blocked.saturating_sub(1);
                self.compare(step)
            }
            Action::Closed => self.closed(step),
            Action::Saved => self.wait_until_saved(),
        }
    }

    fn connection(&mut self, number: usize) -> &mut [Client; 2] {
        self.connections.entry(number).or_insert_with(|| self.stage.connect())
    }

    fn send(&mut self, step: &Step, words: &[String]) {
        let requests =
            [0, 1].map(|side| encode(&fill(words, self.stage.keys, self.tags, &self.kept[side])));
        let [ours, theirs] = self.connection(step.connection);
        ours.send(&requests[0]);
        if !matches!(step.mode, Mode::Exception { .. }) {
            theirs.send(&requests[1]);
        }
    }

    fn compare(&mut self, step: &Step) -> Result<(), String> {
        let [our_client, their_client] = self.connection(step.connection);
        let ours = our_client.try_read_reply_bytes().map_err(|e| format!("  circlet: {e}"))?;
        let theirs = match step.mode {
            Mode::Exception { .. } => Vec::new(),
            _ => their_client.try_read_reply_bytes().map_err(|e| format!("  Redis: {e}"))?,
        };
        if let Some(name) = &step.keep {
            for (kept, reply) in self.kept.iter_mut().zip([&ours, &theirs]) {
                kept.insert(name.clone(), value(reply)?);
            }
        }
        let told = || format!("  Redis   {}\n  circlet {}", shown(&theirs), shown(&ours));
        if !agree(&step.mode, &ours, &theirs) {
            return Err(told());
        }
        let is_exception = matches!(step.mode, Mode::Exception { .. });
        if !is_exception && theirs.starts_with(b"-") != step.fails {
            return Err(format!("  an error where none was expected, or none\n{}", told()));
        }
        Ok(())
    }

    fn wait_until_blocked(&mut self) -> Result<(), String> {
        let (stage, expected) = (&mut self.stage, self.blocked);
        let mut seen = [0, 0];
        let blocked = within(PATIENCE / 4, || {
            seen = stage.told("blocked_clients");
            seen == [expected; 2]
        });
        let error = || format!("  {expected} should wait; shards and Redis say {seen:?}");
        if blocked { Ok(()) } else { Err(error()) }
    }

    fn wait_until_saved(&mut self) -> Result<(), String> {
        let saves = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
        let saved = within(PATIENCE, || saves.iter().all(|field| self.stage.told(field) == [0, 0]));
        if saved { Ok(()) } else { Err("  saving does not end".into()) }
    }

    fn closed(&mut self, step: &Step) -> Result<(), String> {
        let rest = self.connection(step.connection).each_mut().map(Client::read_to_close);
        match rest {
            [ours, theirs] if ours.is_empty() && theirs.is_empty() => Ok(()),
            [ours, theirs] => Err(format!(
                "  Redis   {} and end\n  circlet {} and end",
                shown(&theirs),
                shown(&ours)
            )),
        }
    }
}

/// What a reply says, to be said again in a later command; of an array its first element.
fn value(mut reply: &[u8]) -> Result<Vec<u8>, String> {
    let parsed =
        crate::harness::read_reply(&mut reply, &mut Vec::new()).map_err(|e| e.to_string())?;
    let of = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => Ok(bytes.clone()),
        Reply::Simple(text) => Ok(text.clone().into_bytes()),
        Reply::Integer(number) => Ok(number.to_string().into_bytes()),
        other => Err(format!("  {other} cannot be kept")),
    };
    match &parsed {
        Reply::Array(elements) if !elements.is_empty() => of(&elements[0]),
        other => of(other),
    }
}

fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(1500)];
    let rest = if cut.len() < bytes.len() { "…" } else { "" };
    format!("\"{}{rest}\"", cut.escape_ascii())
}
