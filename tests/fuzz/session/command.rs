//! What a client says: a command of every handling, on a few keys and channels.

use libfuzzer_sys::arbitrary::{self, Arbitrary};

use crate::wire;

/// A line of [`COMMANDS`], and what its words stand for.
#[derive(Debug, Arbitrary)]
pub struct Command {
    line: u8,
    choice: u8,
}

impl Command {
    /// The bytes of the command, which is client `who`'s `number`-th.
    pub fn bytes(&self, who: usize, number: u32) -> Vec<u8> {
        let mut place = 0;
        let choice = usize::from(self.choice);
        let line = COMMANDS[usize::from(self.line) % COMMANDS.len()];
        let args: Vec<Vec<u8>> = line
            .split(' ')
            .map(|word| match word {
                // Its own key, whose value names it.
                "K" => {
                    place += 1;
                    format!("k{who}:{number}:{place}:").into_bytes()
                }
                // A key that others use as well.
                "S" => format!("shared{}", choice % 3).into_bytes(),
                "T" => format!("{{tag}}{place}").into_bytes(),
                "C" => format!("channel{}", choice % 2).into_bytes(),
                "N" => (choice % 4).to_string().into_bytes(),
                "I" => (1 + choice % 6).to_string().into_bytes(),
                "V" => vec![b'v'; [3, 300, 20_000, 70_000][choice % 4]],
                word => word.as_bytes().to_vec(),
            })
            .collect();
        wire::say(&args)
    }
}

const COMMANDS: &[&str] = &[
    "GET K", "GET K", "GET K", "MGET K K K", "MGET K K K K K", "SET K V", "GET S", "SET S V",
    "MSET K V K V", "DEL K K", "EXISTS S K", "PING", "ECHO hello", "INCR S", "LPUSH S V",
    "MULTI", "MULTI", "EXEC", "EXEC", "DISCARD", "WATCH S", "WATCH T T", "UNWATCH",
    "BLPOP S N", "BLPOP K 0", "BRPOPLPUSH T T 0", "BLMOVE S K LEFT RIGHT 1", "XREAD BLOCK 0 STREAMS S $",
    "SUBSCRIBE C", "SUBSCRIBE C", "PSUBSCRIBE c*", "SSUBSCRIBE C", "UNSUBSCRIBE", "UNSUBSCRIBE C",
    "PUNSUBSCRIBE", "SUNSUBSCRIBE C", "PUBLISH C V", "SPUBLISH C V", "PUBSUB CHANNELS",
    "PUBSUB NUMSUB C", "PUBSUB NUMPAT", "HELLO 3", "HELLO 2", "HELLO 3 AUTH default secret",
    "AUTH secret", "AUTH wrong", "AUTH ann secret", "SELECT N", "RESET", "QUIT", "CLIENT REPLY ON",
    "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT LIST", "CLIENT ID", "CLIENT KILL ID I",
    "CLIENT UNBLOCK I", "CLIENT UNBLOCK I ERROR", "CLIENT PAUSE N", "CLIENT UNPAUSE",
    "CLIENT SETNAME x", "CLIENT NO-EVICT ON", "CLIENT TRACKING ON", "MONITOR", "DBSIZE", "KEYS *",
    "SCAN 0", "SCAN N COUNT 1", "RANDOMKEY", "FLUSHALL", "INFO", "CONFIG GET maxmemory", "WAIT 0 N",
    "EVAL return(1) 1 K", "EVALSHA 0000000000000000000000000000000000000000 1 S",
    "SCRIPT LOAD return(1)", "SCRIPT EXISTS 0000000000000000000000000000000000000000",
    "SCRIPT FLUSH", "FUNCTION LIST", "FCALL f 1 S", "RENAME S K", "COPY S K", "RENAMENX T T",
    "SINTERSTORE K S K", "SUNION S K K", "ZUNIONSTORE K 2 S K", "LMOVE S K LEFT RIGHT", "PFCOUNT S K",
    "MSETNX K V K V", "BITOP AND K S S", "SORT S BY nosort GET k*", "OBJECT FREQ S", "MEMORY USAGE S",
    "CLUSTER SLOTS", "CLUSTER NODES", "COMMAND COUNT", "ACL WHOAMI", "TIME", "LOLWUT", "NOSUCH S",
    "GET", "SLOWLOG GET", "LATENCY RESET", "DEBUG SLEEP 0", "SHUTDOWN", "ASKING", "READONLY",
    "CLIENT CACHING YES", "SWAPDB 0 1", "MOVE S 1", "TOUCH S K", "UNLINK K K K",
];
