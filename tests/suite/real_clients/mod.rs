//! Client libraries and programs that people use, with their defaults, through circlet over three
//! shards. The stories in other languages are programs beside this file: `PROGRAM PORT [NAME...]`
//! runs their scenarios, all or those named, against circlet or any Redis.

mod cluster;
mod libraries;
mod redis_benchmark;
mod redis_cli;
mod redis_rs;

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{Address, Circlet, Proxy, Shard, pool_yaml};

/// What the clients talk to: circlet over three shards.
struct Fleet {
    shards: Vec<Shard>,
    proxy: Option<Proxy>,
}

impl Fleet {
    /// Starts circlet over three shards, or one plain Redis where the environment says
    /// `CLIENTS_AGAINST=redis`: a story that fails there is wrong itself.
    fn start() -> Fleet {
        // People who share a Redis keep keys together so.
        Fleet::with_hash_tag("{}")
    }

    fn with_hash_tag(tag: &str) -> Fleet {
        if env::var("CLIENTS_AGAINST").is_ok_and(|against| against == "redis") {
            return Fleet { shards: Shard::several(1), proxy: None };
        }
        let shards = Shard::several(3);
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let settings = format!("hash_tag: \"{tag}\"");
        let proxy = Circlet::with_config(&pool_yaml("pool", &servers, &settings));
        Fleet { shards, proxy: Some(proxy) }
    }

    fn address(&self) -> Address {
        match &self.proxy {
            Some(proxy) => proxy.address(),
            None => self.shards[0].address().clone(),
        }
    }

    fn port(&self) -> String {
        match self.address() {
            Address::Tcp(port) => port.to_string(),
            Address::Unix(path) => panic!("{} is no port", path.display()),
        }
    }

    fn url(&self, rest: &str) -> String {
        format!("redis://127.0.0.1:{}/{rest}", self.port())
    }
}

/// What the program prints to stdout; it succeeds and prints nothing to stderr.
#[track_caller]
pub fn output(command: &mut Command, input: &str) -> String {
    let Output { status, stdout, stderr } = finished(command, input);
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert!(status.success() && stderr.is_empty(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout
}

/// How the program ended and what it printed.
#[track_caller]
pub fn finished(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that ends before it has read everything says why itself.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it was started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program beside this file.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/real_clients").join(name)
}

/// Where `make test` puts what it installs.
pub fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name)
}
