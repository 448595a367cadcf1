//! What each statistic means: the text of `-D`, the stats port and the docs.

use std::fmt::Write;

/// A statistic: its name in the JSON, and what it counts.
pub type Description = (&'static str, &'static str);

/// Statistics of a pool; the names are twemproxy's.
pub const POOL_STATS: &[Description] = &[
    ("client_eof", "# connections that clients closed"),
    ("client_err", "# client connections lost to an error"),
    ("client_connections", "# clients connected now"),
    ("server_ejects", "# times a shard was ejected"),
    ("forward_error", "# requests that could not be forwarded"),
    ("fragments", "# requests that a request of several keys was split into"),
    ("shed_clients", "# clients disconnected because max_memory was near"),
    ("displaced_requests", "# requests with keys whose own shard was out or on its way back"),
    ("displaced_refused", "# of these, answered with -TRYAGAIN: the stand-in had enough to do"),
];

/// Statistics of a shard; the names are twemproxy's.
pub const SERVER_STATS: &[Description] = &[
    ("server_eof", "# links that the shard closed"),
    ("server_err", "# links lost to an error"),
    ("server_timedout", "# links lost to a timeout"),
    ("server_connections", "# links open now"),
    ("server_ejected_at", "when the shard was ejected, in microseconds since 1970"),
    ("requests", "# requests sent"),
    ("request_bytes", "bytes of requests sent"),
    ("responses", "# replies received"),
    ("response_bytes", "bytes of replies received"),
    ("in_queue", "# requests that wait to be sent now"),
    ("in_queue_bytes", "bytes of requests that wait to be sent now"),
    ("out_queue", "# requests sent that wait for their reply now"),
    ("out_queue_bytes", "bytes of requests sent that wait for their reply now"),
];

/// All statistics in two columns, as `-D` prints them.
pub fn describe_stats() -> String {
    let mut text = String::new();
    for (title, stats) in [("pool stats", POOL_STATS), ("server stats", SERVER_STATS)] {
        writeln!(text, "{title}:").expect("a String takes all text");
        for (name, meaning) in stats {
            writeln!(text, "  {name:<19} \"{meaning}\"").expect("a String takes all text");
        }
        text.push('\n');
    }
    text
}
