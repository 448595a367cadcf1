//! Replies of PROXY EXPLAIN, RING and SHARDS as fields by name, in either version of RESP.

use std::fmt;

use crate::harness::{Client, Reply};

/// One map of a reply.
#[derive(Clone)]
pub struct Told(pub Vec<(String, Reply)>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| write!(f, "{name}={value} "))
    }
}

impl Told {
    /// A map, or RESP2's array of names and values.
    #[track_caller]
    pub fn of(reply: Reply) -> Told {
        let text = |name: &Reply| String::from_utf8_lossy(name.bytes()).into_owned();
        match reply {
            Reply::Map(pairs) => {
                Told(pairs.into_iter().map(|(name, value)| (text(&name), value)).collect())
            }
            Reply::Array(items) => {
                Told(items.chunks(2).map(|pair| (text(&pair[0]), pair[1].clone())).collect())
            }
            other => panic!("neither a map nor an array: {other}"),
        }
    }

    /// The value of a field.
    #[track_caller]
    pub fn field(&self, name: &str) -> &Reply {
        let found = self.0.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    /// The value of a field that is text; empty if there is nothing to say.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        match self.field(name) {
            Reply::Nil => String::new(),
            value => String::from_utf8_lossy(value.bytes()).into_owned(),
        }
    }

    /// The maps that a field lists.
    #[track_caller]
    pub fn maps(&self, name: &str) -> Vec<Told> {
        Told::list(self.field(name).clone())
    }

    /// The texts that a field lists.
    #[track_caller]
    pub fn texts(&self, name: &str) -> Vec<String> {
        let Reply::Array(items) = self.field(name) else { panic!("{name} is no list") };
        items.iter().map(|item| String::from_utf8_lossy(item.bytes()).into_owned()).collect()
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Of an array of maps the one of this shard.
    #[track_caller]
    pub fn shard(reply: Reply, name: &str) -> Told {
        let all = Told::list(reply);
        all.into_iter().find(|told| told.text("shard") == name).expect(name)
    }

    /// An array of maps.
    #[track_caller]
    pub fn list(reply: Reply) -> Vec<Told> {
        let Reply::Array(items) = reply else { panic!("no list: {reply}") };
        items.into_iter().map(Told::of).collect()
    }
}

/// What is told of a key or a command.
#[track_caller]
pub fn explain(client: &mut Client, words: &[&str]) -> Told {
    Told::of(client.command(&[&["PROXY", "EXPLAIN"], words].concat()))
}
