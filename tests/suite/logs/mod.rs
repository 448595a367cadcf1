//! What circlet writes down: its log, slow requests, the last errors, sampled requests.

mod access;
mod errors;
mod log;
mod slow;
#[cfg(feature = "otel")]
mod spans;

use crate::harness::{Circlet, Proxy, Reply, pool_yaml};

/// circlet with one worker over these lines of `servers`.
fn circlet(servers: &[String], arguments: &[&str]) -> Proxy {
    let text = pool_yaml("alpha", servers, "");
    Circlet::with_arguments(&text, &[&["--threads", "1"][..], arguments].concat())
}

/// A script that keeps its shard busy for so many milliseconds on end.
fn busy(key: &str, milliseconds: u32) -> Vec<String> {
    let code = format!(
        "local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end \
         local start = now() for _ = 1, 10000000 do if now() - start > {milliseconds} then break end end"
    );
    vec!["EVAL".into(), code, "1".into(), key.into()]
}

/// The texts of an array of bulk strings.
fn texts(reply: &Reply) -> Vec<String> {
    reply.elements().iter().map(|one| String::from_utf8_lossy(one.bytes()).into_owned()).collect()
}

/// A field of a map that came as an array of names and values.
#[track_caller]
fn field<'a>(entry: &'a Reply, name: &str) -> &'a Reply {
    let pairs = entry.elements().chunks(2);
    let mut found = pairs.filter(|pair| pair[0].bytes() == name.as_bytes());
    found.next().map(|pair| &pair[1]).unwrap_or_else(|| panic!("no {name} in {entry}"))
}
