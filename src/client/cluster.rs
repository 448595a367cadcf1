//! CLUSTER for clients in cluster mode: one node, the address the client connected to, owns all
//! slots. With `cluster_emulation` only; without it, Redis's own error.
//!
//! What would change the cluster is refused: the shards are set in the configuration.

use std::net::SocketAddr;

use md5::{Digest, Md5};

use super::local::integer;
use crate::config::Pool;
use crate::resp::{Request, Writer};
use crate::socket::Socket;
use crate::worker::Worker;

impl Worker {
    /// CLUSTER and its subcommands.
    pub(crate) fn cluster(&mut self, number: u32, request: &Request<'_>) {
        let pool = &self.pool_of(number).config;
        if !pool.cluster_emulation {
            return self.say(number, |writer| writer.error(DISABLED));
        }
        let address = self.sessions[number as usize].socket.as_ref().and_then(own_address);
        let node = Node::new(pool, address);
        self.say(number, |writer| answer(&node, request, writer));
    }

    /// READONLY, READWRITE and ASKING, which change nothing: the one node owns all slots.
    pub(crate) fn cluster_mode(&mut self, number: u32) {
        match self.pool_of(number).config.cluster_emulation {
            true => self.say(number, |writer| writer.simple("OK")),
            false => self.say(number, |writer| writer.error(DISABLED)),
        }
    }
}

/// What HELLO's `mode` and INFO's `redis_mode` say.
pub(crate) fn mode(pool: &Pool) -> &'static str {
    if pool.cluster_emulation { "cluster" } else { "standalone" }
}

/// The slot of `key`, by Redis's rule: CRC16 of what stands between the first `{` and the next `}`,
/// or of all where there is no such pair or nothing between.
pub fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|&byte| byte == b'}').map(|length| &rest[..length])
    });
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key)) % SLOTS
}

/// CRC16 as XMODEM has it: polynomial 0x1021, from 0.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

/// The one node.
struct Node {
    /// 40 hexadecimal digits, the same as long as the pool's name and address are.
    id: String,
    shard_id: String,
    ip: String,
    port: u16,
}

impl Node {
    fn new(pool: &Pool, address: Option<SocketAddr>) -> Self {
        let identity = format!("{}\0{:?}", pool.name, pool.address());
        Self {
            id: digits("node", &identity),
            shard_id: digits("shard", &identity),
            // A client of an IPv4 address is shown that, though the socket be IPv6's. An empty one
            // means: where you connected to.
            ip: address.map_or_else(String::new, |own| own.ip().to_canonical().to_string()),
            port: address.map_or(0, |own| own.port()),
        }
    }

    fn is(&self, id: &[u8]) -> bool {
        id.eq_ignore_ascii_case(self.id.as_bytes())
    }
}

/// 40 hexadecimal digits that look like a SHA-1, as node ids do.
fn digits(kind: &str, identity: &str) -> String {
    let parts = ["1", "2"].map(|part| Md5::digest(format!("{kind}\0{part}\0{identity}")));
    let hex = parts.iter().flatten().map(|byte| format!("{byte:02x}"));
    hex.take(20).collect()
}

fn own_address(socket: &Socket) -> Option<SocketAddr> {
    socket.tcp()?.local_addr().ok()
}

fn answer(node: &Node, request: &Request<'_>, writer: &mut Writer<'_>) {
    match &request.arg(1).to_ascii_lowercase()[..] {
        b"slots" => slots(node, writer),
        b"shards" => shards(node, writer),
        b"nodes" => writer.verbatim(&line(node)),
        b"info" => writer.verbatim(INFO),
        b"myid" => writer.bulk(node.id.as_bytes()),
        b"myshardid" => writer.bulk(node.shard_id.as_bytes()),
        b"keyslot" => writer.integer(slot(request.arg(2)).into()),
        b"links" | b"getslotmigrations" => writer.array(0),
        b"replicas" | b"slaves" if node.is(request.arg(2)) => writer.array(0),
        b"count-failure-reports" if node.is(request.arg(2)) => writer.integer(0),
        b"replicas" | b"slaves" | b"count-failure-reports" => unknown_node(request, writer),
        b"countkeysinslot" | b"getkeysinslot" => keys_in_slot(request, writer),
        b"failover" => writer.error("ERR You should send CLUSTER FAILOVER to a replica"),
        b"help" => {
            writer.array(HELP.len());
            HELP.iter().for_each(|line| writer.simple(line));
        }
        _ => {
            let name = String::from_utf8_lossy(request.arg(1)).to_uppercase();
            writer.error(&format!(
                "ERR CLUSTER {name} is not served: circlet is the one node that its clients see, \
                 and its shards are set in its configuration"
            ));
        }
    }
}

fn slots(node: &Node, writer: &mut Writer<'_>) {
    writer.array(1);
    writer.array(3);
    writer.integer(0);
    writer.integer((SLOTS - 1).into());
    writer.array(4);
    writer.bulk(node.ip.as_bytes());
    writer.integer(node.port.into());
    writer.bulk(node.id.as_bytes());
    writer.map(0);
}

fn shards(node: &Node, writer: &mut Writer<'_>) {
    writer.array(1);
    writer.map(2);
    writer.bulk(b"slots");
    writer.array(2);
    writer.integer(0);
    writer.integer((SLOTS - 1).into());
    writer.bulk(b"nodes");
    writer.array(1);
    writer.map(7);
    let text = |writer: &mut Writer<'_>, key: &str, value: &str| {
        writer.bulk(key.as_bytes());
        writer.bulk(value.as_bytes());
    };
    text(writer, "id", &node.id);
    writer.bulk(b"port");
    writer.integer(node.port.into());
    text(writer, "ip", &node.ip);
    text(writer, "endpoint", &node.ip);
    text(writer, "role", "master");
    writer.bulk(b"replication-offset");
    writer.integer(0);
    text(writer, "health", "online");
}

/// The line of CLUSTER NODES. There is no cluster bus: its port is 0.
fn line(node: &Node) -> String {
    let Node { id, ip, port, .. } = node;
    format!("{id} {ip}:{port}@0 myself,master - 0 0 0 connected 0-{}\n", SLOTS - 1)
}

fn unknown_node(request: &Request<'_>, writer: &mut Writer<'_>) {
    let id = String::from_utf8_lossy(request.arg(2));
    writer.error(&format!("ERR Unknown node {}", id.replace(['\r', '\n'], " ")));
}

fn keys_in_slot(request: &Request<'_>, writer: &mut Writer<'_>) {
    // GETKEYSINSLOT says how many it wants; COUNTKEYSINSLOT counts them all.
    let lists = request.len() > 3;
    let limit = if lists { integer(request.arg(3)) } else { Some(0) };
    let is_slot = |slot| (0..i64::from(SLOTS)).contains(&slot);
    match (integer(request.arg(2)), limit) {
        (None, _) | (_, None) => writer.error("ERR value is not an integer or out of range"),
        (Some(slot), Some(limit)) if lists && (!is_slot(slot) || limit < 0) => {
            writer.error("ERR Invalid slot or number of keys");
        }
        (Some(slot), _) if !is_slot(slot) => writer.error("ERR Invalid slot"),
        _ => writer.error(
            "ERR keys are not listed by slot: circlet's shards share them out in another way; SCAN \
             and CLUSTER KEYSLOT tell the same",
        ),
    }
}

/// Slots of a cluster.
const SLOTS: u16 = 16384;

const DISABLED: &str = "ERR This instance has cluster support disabled";

const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
    cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:1\r\ncluster_size:1\r\n\
    cluster_current_epoch:0\r\ncluster_my_epoch:0\r\ncluster_stats_messages_sent:0\r\n\
    cluster_stats_messages_received:0\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n";

/// The subcommands that circlet serves, in Redis's words.
const HELP: &[&str] = &[
    "CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return number of failure reports for <node-id>.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a link",
    "MYID",
    "    Return the node id.",
    "MYSHARDID",
    "    Return the node's shard id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "HELP",
    "    Prints this help.",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A client may know the node from before circlet was started anew.
    #[test]
    fn ids_never_change() {
        assert_eq!(digits("node", "pool"), "7ac459e17cb3276279d467aaa7b95cbbd9c5e6b1");
    }

    /// The values of redis-server.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, expected) in
            [(&b""[..], 0), (b"123456789", 12739), (b"foo", 12182), (b"a{b}c", 3300), (b"b", 3300)]
        {
            assert_eq!(slot(key), expected, "{}", key.escape_ascii());
        }
        assert_eq!(slot(b"{a}x{b}"), slot(b"a"));
        assert_eq!(slot(b"x}{a}"), slot(b"a"));
        assert_eq!(slot(b"{{a}}"), slot(b"{a"));
        assert_ne!(slot(b"{}a"), slot(b""));
        assert_eq!(slot(b"{}{a}"), crc16(b"{}{a}") % SLOTS);
    }
}
