//! Which keys clients ask for most, and which are big, told by circlet while it forwards.

mod big;
mod hot;
mod told;

use std::collections::HashMap;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, pool_yaml};

/// circlet with two workers over these shards.
pub fn over(shards: &[Shard], settings: &str, arguments: &[&str]) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let text = pool_yaml("pool", &servers, settings);
    Circlet::with_arguments(&text, &[&["--threads", "2"], arguments].concat())
}

/// What a PROXY command tells of keys: a map for each.
pub fn ask(client: &mut Client, command: &[&str]) -> Vec<HashMap<String, String>> {
    let reply = client.command(command);
    reply.elements().iter().map(row).collect()
}

fn row(reply: &Reply) -> HashMap<String, String> {
    let text = |reply: &Reply| match reply {
        Reply::Integer(number) => number.to_string(),
        other => String::from_utf8_lossy(other.bytes()).into_owned(),
    };
    reply.elements().chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

/// The number that a field of a row is.
pub fn number(row: &HashMap<String, String>, field: &str) -> f64 {
    row[field].parse().unwrap_or_else(|_| panic!("{field} of {row:?}"))
}

/// The row of a key.
pub fn row_of<'a>(
    rows: &'a [HashMap<String, String>],
    key: &str,
) -> Option<&'a HashMap<String, String>> {
    rows.iter().find(|row| row["key"] == key)
}
