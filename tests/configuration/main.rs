//! Configuration files, good and bad: what circlet makes of them.
#![allow(clippy::unwrap_used)]

mod faults;
mod meaning;
mod users;

use std::path::{Path, PathBuf};

use circlet::config::{self, Format, Pool};

fn parse(text: &str, format: Format) -> Result<config::Config, Vec<String>> {
    config::parse(text, format, "x")
        .map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
}

fn yaml(text: &str) -> Result<config::Config, Vec<String>> {
    parse(text, Format::Yaml)
}

/// The faults of a YAML text that must be refused, one string each.
fn faults(text: &str) -> Vec<String> {
    yaml(text).expect_err("the text should be refused")
}

/// A pool on line 1 with one more line, number 4, in it.
fn with(line: &str) -> String {
    format!("alpha:\n  listen: 127.0.0.1:22121\n  redis: true\n  {line}\n  servers:\n   - a:1:1\n")
}

fn with_servers(servers: &[&str]) -> String {
    let lines: String = servers.iter().map(|server| format!("   - {server}\n")).collect();
    format!("alpha:\n  listen: 127.0.0.1:22121\n  redis: true\n  servers:\n{lines}")
}

fn only_pool(text: &str) -> Pool {
    let mut pools = yaml(text).unwrap_or_else(|faults| panic!("{faults:#?}")).pools;
    assert_eq!(pools.len(), 1);
    pools.remove(0)
}

fn names(pool: &Pool) -> Vec<&str> {
    pool.servers.iter().map(|server| server.name.as_str()).collect()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
