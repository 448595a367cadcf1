//! Writes of every kind during an outage, and what each must read as afterwards.

use std::collections::HashSet;

use super::Found;
use super::scene::Scene;
use crate::harness::{Client, Reply, eventually};

/// How a key is written elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Set,
    Del,
    Expire,
    Passed,
    Incr,
    Rpush,
    Hset,
    Mset,
    Multi,
    Watch,
    Eval,
    SelectMulti,
    Database,
    /// EXPIRE of a key that only its home has: nothing was written.
    Touched,
    Untouched,
}

const KINDS: [Kind; 15] = [
    Kind::Set,
    Kind::Del,
    Kind::Expire,
    Kind::Passed,
    Kind::Incr,
    Kind::Rpush,
    Kind::Hset,
    Kind::Mset,
    Kind::Multi,
    Kind::Watch,
    Kind::Eval,
    Kind::SelectMulti,
    Kind::Database,
    Kind::Touched,
    Kind::Untouched,
];
const EACH: usize = 24;

pub struct Writes {
    keys: Vec<(Kind, String)>,
    at_home: HashSet<String>,
}

impl Kind {
    fn db(self) -> &'static str {
        if matches!(self, Kind::SelectMulti | Kind::Database) { "1" } else { "0" }
    }

    fn seed(self, key: &str) -> Vec<&str> {
        match self {
            Kind::Incr => vec!["SET", key, "1000"],
            Kind::Rpush => vec!["RPUSH", key, "old"],
            Kind::Hset => vec!["HSET", key, "f", "old"],
            _ => vec!["SET", key, "old"],
        }
    }

    fn read(self, key: &str) -> Vec<&str> {
        match self {
            Kind::Rpush => vec!["LINDEX", key, "0"],
            Kind::Hset => vec!["HGET", key, "f"],
            _ => vec!["GET", key],
        }
    }

    fn write(self, key: &str) -> Vec<Vec<&str>> {
        match self {
            Kind::Set | Kind::Database => vec![vec!["SET", key, "new"]],
            Kind::Del => vec![vec!["DEL", key]],
            Kind::Expire => vec![vec!["SET", key, "new"], vec!["EXPIRE", key, "1000"]],
            Kind::Passed => vec![vec!["SET", key, "new", "PX", "30"]],
            Kind::Incr => vec![vec!["INCR", key], vec!["INCR", key]],
            Kind::Rpush => vec![vec!["RPUSH", key, "new"]],
            Kind::Hset => vec![vec!["HSET", key, "f", "new"]],
            Kind::Mset => vec![vec!["MSET", key, "new"]],
            Kind::Multi => vec![vec!["MULTI"], vec!["SET", key, "new"], vec!["EXEC"]],
            Kind::Watch => {
                vec![vec!["WATCH", key], vec!["MULTI"], vec!["SET", key, "new"], vec!["EXEC"]]
            }
            Kind::Eval => {
                vec![vec!["EVAL", "return redis.call('SET', KEYS[1], 'new')", "1", key]]
            }
            Kind::SelectMulti => vec![
                vec!["MULTI"],
                vec!["SELECT", "1"],
                vec!["SET", key, "new"],
                vec!["SELECT", "0"],
                vec!["EXEC"],
            ],
            Kind::Touched => vec![vec!["EXPIRE", key, "1000"]],
            Kind::Untouched => Vec::new(),
        }
    }

    /// What clients read at the end of the outage.
    fn written(self) -> Reply {
        match self {
            Kind::Del | Kind::Passed | Kind::Touched | Kind::Untouched => Reply::Nil,
            Kind::Incr => Reply::bulk("2"),
            _ => Reply::bulk("new"),
        }
    }

    fn seeded(self) -> Reply {
        if self == Kind::Incr { Reply::bulk("1000") } else { Reply::bulk("old") }
    }
}

impl Writes {
    pub fn seed(scene: &Scene) -> Writes {
        Writes::seed_kinds(scene, &KINDS)
    }

    pub fn seed_kinds(scene: &Scene, kinds: &[Kind]) -> Writes {
        let name = |kind: Kind| (0..EACH).map(move |number| (kind, format!("{number}:{kind:?}")));
        let keys: Vec<(Kind, String)> = kinds.iter().copied().flat_map(name).collect();
        for db in ["0", "1"] {
            let mut client = scene.circlet.client();
            client.command(&["SELECT", db]);
            let seeds: Vec<Vec<&str>> = keys
                .iter()
                .filter(|(kind, _)| kind.db() == db)
                .map(|(kind, key)| kind.seed(key))
                .collect();
            let replies = client.pipeline(&seeds);
            assert!(replies.iter().all(|reply| reply.error().is_none()), "{replies:?}");
        }
        let at_home = scene.at_home();
        assert!(at_home.len() > keys.len() / 6, "the first shard has a third of them");
        Writes { keys, at_home }
    }

    /// Keys of the first shard that are written over links on which the record goes ahead. What
    /// follows WATCH has a link of its own, and its record another; a return waits for both.
    pub fn written_at_home(&self) -> impl Iterator<Item = String> {
        let written = |(kind, key): &&(Kind, String)| {
            !matches!(kind, Kind::Untouched | Kind::Watch) && self.at_home.contains(key)
        };
        self.keys.iter().filter(written).map(|(_, key)| key.clone())
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn a_key_at_home(&self, _: &Scene) -> String {
        let (_, key) = self.keys.iter().find(|(_, key)| self.at_home.contains(key)).expect("one");
        key.clone()
    }

    /// Writes all keys by circlet, each kind both in one piece and with a round trip a command.
    pub fn write_elsewhere(&self, scene: &Scene) {
        self.write_elsewhere_by(&mut scene.circlet.client());
    }

    /// The same by a client of any circlet.
    pub fn write_elsewhere_by(&self, client: &mut Client) {
        let mut db = "0";
        for (number, (kind, key)) in self.keys.iter().enumerate() {
            // What selects a database within MULTI starts from the other one.
            let from = if *kind == Kind::SelectMulti { "0" } else { kind.db() };
            select(client, &mut db, from);
            let commands = kind.write(key);
            let replies = match number % 2 {
                0 => client.pipeline(&commands),
                _ => commands.iter().map(|command| client.command(command)).collect(),
            };
            for reply in replies {
                assert!(reply.error().is_none() && reply != Reply::Nil, "{kind:?} {key}: {reply}");
            }
        }
        let passed: Vec<&String> =
            self.keys.iter().filter(|key| key.0 == Kind::Passed).map(|key| &key.1).collect();
        select(client, &mut db, "0");
        eventually("short-lived keys are gone", || {
            passed.iter().all(|key| client.command(&["GET", key]) == Reply::Nil)
        });
    }

    /// Writes all keys by another client; errors are not counted as written.
    pub fn write_by(&self, client: &mut Client, _: &Scene) {
        for (kind, key) in &self.keys {
            client.pipeline(&kind.write(key));
        }
    }

    pub fn look(&self, scene: &Scene) -> Found {
        self.look_by(&mut scene.circlet.client(), scene)
    }

    pub fn look_by(&self, client: &mut Client, _: &Scene) -> Found {
        let mut found = Found::default();
        let mut db = "0";
        for (kind, key) in self.keys.iter().filter(|(_, key)| self.at_home.contains(key)) {
            select(client, &mut db, kind.db());
            let reply = client.command(&kind.read(key));
            match kind {
                Kind::Untouched | Kind::Touched => {
                    let count = match kind {
                        Kind::Untouched => &mut found.untouched,
                        _ => &mut found.touched,
                    };
                    count.0 += 1;
                    count.1 += usize::from(reply == kind.seeded());
                    continue;
                }
                _ => found.written += 1,
            }
            if reply == kind.seeded() {
                found.stale.push(format!("{kind:?} {key}: {reply}"));
            }
            if reply != kind.written() {
                found.lost.push(format!("{kind:?} {key}: {reply}"));
            }
            if *kind == Kind::Expire && reply == kind.written() {
                let left = client.command(&["PTTL", key]).integer();
                if !(900_000..=1_000_000).contains(&left) {
                    found.lost.push(format!("{key} lives for {left} ms"));
                }
            }
        }
        found
    }
}

fn select(client: &mut Client, db: &mut &'static str, wanted: &'static str) {
    if *db != wanted {
        assert_eq!(client.command(&["SELECT", wanted]), Reply::ok());
        *db = wanted;
    }
}
