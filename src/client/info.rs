//! INFO: what circlet says of itself in the form that Redis's clients read.

use std::fmt::Write as _;

use super::greeting::REDIS_VERSION;
use crate::shard::health::State;
use crate::worker::PoolState;

/// The sections named in `wanted` (lower case), or all.
pub(crate) fn text(pool: &PoolState, wanted: &[String]) -> String {
    let all = ["all", "default", "everything"];
    let wants = |section: &str| {
        wanted.is_empty()
            || wanted.iter().any(|wanted| wanted == section || all.contains(&&wanted[..]))
    };
    let mut text = String::new();
    for (section, write) in SECTIONS {
        if wants(section) {
            let mut title = (*section).to_owned();
            title[..1].make_ascii_uppercase();
            let separator = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{separator}# {title}\r\n");
            write(pool, &mut text);
        }
    }
    text
}

type Section = (&'static str, fn(&PoolState, &mut String));

const SECTIONS: &[Section] = &[
    ("server", server),
    ("persistence", |_, text| text.push_str("loading:0\r\nasync_loading:0\r\n")),
    ("replication", |_, text| text.push_str("role:master\r\nconnected_slaves:0\r\n")),
    ("cluster", |_, text| text.push_str("cluster_enabled:0\r\n")),
    ("shards", shards),
];

fn server(pool: &PoolState, text: &mut String) {
    let _ = write!(
        text,
        "redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nos:{}\r\narch_bits:{}\r\n\
         process_id:{}\r\ncirclet_version:{}\r\ncirclet_pool:{}\r\n",
        std::env::consts::OS,
        usize::BITS,
        std::process::id(),
        env!("CARGO_PKG_VERSION"),
        pool.config.name,
    );
}

fn shards(pool: &PoolState, text: &mut String) {
    for (index, (server, health)) in pool.config.servers.iter().zip(&pool.health).enumerate() {
        let state = match health.state {
            State::Live => "live",
            State::Down => "down",
            State::Ejected => "ejected",
        };
        let _ = write!(
            text,
            "shard{index}:name={},weight={},state={state}\r\n",
            server.name, server.weight
        );
    }
}
