//! The redis crate: its plain connection, its multiplexed one and its connection manager.

mod connection;
mod manager;
mod multiplexed;

use redis::{Client, Connection};

use super::Fleet;

/// What follows the address: the crate's default, and RESP3 as its documents ask for it.
const PROTOCOLS: [&str; 2] = ["", "?protocol=resp3"];

/// Runs a story once for each protocol, over no keys.
fn each_protocol(story: impl Fn(&Client)) {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let client = Client::open(fleet.url(protocol)).expect("the address is sound");
        let _: () = redis::cmd("FLUSHALL").query(&mut connect(&client)).expect("FLUSHALL");
        story(&client);
    }
}

#[track_caller]
fn connect(client: &Client) -> Connection {
    client.get_connection().expect("connects")
}
