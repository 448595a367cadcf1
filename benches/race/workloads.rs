//! What is asked of every contestant.

use crate::contestants::Contestant;
use crate::harness::{Reply, Shard, encode};

/// One kind of load.
#[derive(Debug)]
pub struct Workload {
    /// How it is named in `RACE_ONLY`.
    pub name: &'static str,
    /// How it is named in the report.
    pub title: &'static str,
    /// What is sent.
    pub command: Command,
    /// Bytes of a value.
    pub value: usize,
    /// Connections of the load generator.
    pub clients: usize,
    /// Commands that each connection keeps under way.
    pub pipeline: usize,
    /// Whether circlet with two workers takes part, next to the one with one.
    pub two_workers: bool,
}

/// What a [`Workload`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `GET key`
    Get,
    /// `SET key value`
    Set,
    /// `MGET` of ten keys, which live on all three shards.
    Mget,
    /// `MSET` of ten keys, which live on all three shards.
    Mset,
}

const SMALL: Workload = Workload {
    name: "get",
    title: "GET, pipeline 1, 50 clients",
    command: Command::Get,
    value: 64,
    clients: 50,
    pipeline: 1,
    two_workers: false,
};

/// All of them, in the order of the report. Values have 64 bytes unless the title says otherwise.
pub const ALL: &[Workload] = &[
    Workload { two_workers: true, ..SMALL },
    Workload { name: "set", title: "SET, pipeline 1, 50 clients", command: Command::Set, ..SMALL },
    Workload {
        name: "get-p16",
        title: "GET, pipeline 16, 50 clients",
        pipeline: 16,
        two_workers: true,
        ..SMALL
    },
    Workload {
        name: "get-p64",
        title: "GET, pipeline 64, 16 clients",
        pipeline: 64,
        clients: 16,
        ..SMALL
    },
    Workload { name: "get-1000", title: "GET, 1,000 clients", clients: 1000, ..SMALL },
    Workload { name: "get-4k", title: "GET, 4 KiB values", value: 4096, ..SMALL },
    Workload { name: "get-64k", title: "GET, 64 KiB values", value: 65_536, ..SMALL },
    Workload {
        name: "set-64k",
        title: "SET, 64 KiB values",
        command: Command::Set,
        value: 65_536,
        ..SMALL
    },
    Workload {
        name: "mget",
        title: "MGET of 10 keys, split over 3 shards",
        command: Command::Mget,
        ..SMALL
    },
    Workload {
        name: "mset",
        title: "MSET of 10 keys, split over 3 shards",
        command: Command::Mset,
        ..SMALL
    },
];

impl Workload {
    /// How many different keys are asked for: as many as fit 32 MiB of a shard, at most 10,000.
    pub fn keys(&self) -> usize {
        ((32 << 20) / self.value).min(10_000)
    }

    /// How many requests a round has at least, lest opening the connections be what is measured.
    pub fn least_requests(&self) -> usize {
        50 * self.clients * self.pipeline
    }

    /// Whether `contestant` takes part. A command over several shards is nothing to those who
    /// know one shard only.
    pub fn is_for(&self, contestant: &Contestant) -> bool {
        let several = matches!(self.command, Command::Mget | Command::Mset);
        let fits = !several || contestant.knows_all_shards;
        fits && (self.two_workers || !contestant.two_workers)
    }

    /// The command as redis-benchmark wants it, which replaces `__rand_int__`.
    pub fn arguments(&self) -> Vec<String> {
        let (key, value) = ("key:__rand_int__", "x".repeat(self.value));
        let words: Vec<&str> = match self.command {
            Command::Get => vec!["GET", key],
            Command::Set => vec!["SET", key, &value],
            Command::Mget => [vec!["MGET"], vec![key; 10]].concat(),
            Command::Mset => [vec!["MSET"], [key, &value].repeat(10)].concat(),
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// How many bytes a right answer holds at least.
    pub fn expected_bytes(&self) -> usize {
        match self.command {
            Command::Get => self.value,
            Command::Mget => 10 * self.value,
            Command::Set | Command::Mset => 0,
        }
    }

    /// Gives every shard every key, so that each contestant's way of placing them finds it.
    pub fn fill(&self, shards: &[Shard]) {
        let value = "x".repeat(self.value);
        for shard in shards {
            let mut client = shard.client();
            client.command(&["FLUSHALL"]);
            for number in 0..self.keys() {
                client.send(&encode(&["SET", &key(number), &value]));
                // A batch at a time: neither side may wait for the other to read.
                if number % 100 == 99 || number + 1 == self.keys() {
                    (0..=number % 100).for_each(|_| client.expect("+OK\r\n"));
                }
            }
        }
    }
}

/// A key as redis-benchmark writes it.
pub fn key(number: usize) -> String {
    format!("key:{number:012}")
}

/// How many bytes of values a reply holds.
pub fn bytes_in(reply: &Reply) -> usize {
    match reply {
        Reply::Bulk(bytes) => bytes.len(),
        Reply::Array(elements) => elements.iter().map(bytes_in).sum(),
        _ => 0,
    }
}
