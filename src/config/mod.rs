//! Configuration: nutcracker.yml and more, read once, validated whole.
//!
//! ```text
//! YAML ─ yaml ─┐
//!              ├─▶ tree ── pools ──▶ model::Config      (what was typed ─▶ what it means)
//! TOML ─ toml ─┘             ▲
//!                        reference ──▶ docs, `circlet config-reference`
//! ```
//!
//! All faults of a file are told at once, each with its place and the remedy.

mod address;
mod assign;
mod document;
mod fault;
pub mod flags;
mod keys;
mod model;
mod networks;
mod pools;
pub mod reference;
pub mod settings;
pub(crate) mod spelling;
mod tls;
mod toml;
mod tree;
mod users;
mod value;
mod warnings;
mod words;
mod yaml;

use std::fs;
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

pub use document::{markdown, plain};
use fault::Wrong;
pub use fault::{ConfigFault, Faults};
pub use model::{
    Address, Auth, Config, CrossShard, DisplacedLimit, Distribution, Ejection, Hash, KeyBytes,
    Listen, Pool, Rejoin, Server, UserScripts,
};
pub use networks::Networks;
pub use settings::Settings;
pub use tls::{AuthClients, CertificateUser, Protocols, Tls, VerifyShard};
pub use warnings::warnings;

/// The language of a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As nutcracker.yml.
    Yaml,
    /// The same pools and keys, a table a pool.
    Toml,
}

impl Format {
    /// TOML for the extension `.toml`, YAML for everything else.
    pub fn of_path(path: &Path) -> Self {
        if path.extension().is_some_and(|extension| extension == "toml") {
            Self::Toml
        } else {
            Self::Yaml
        }
    }
}

/// Reads and validates a configuration file; the extension decides between YAML and TOML.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let file = path.display().to_string();
    let text = read(path).map_err(|wrong| ConfigFault::of_file(&file, wrong))?;
    let text = Zeroizing::new(text);
    parse(&text, Format::of_path(path), &file)
}

/// Validates the text of a configuration; `file` is the name that faults give.
pub fn parse(text: &str, format: Format, file: &str) -> Result<Config, Faults> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = match format {
        Format::Yaml => yaml::read(text, file)?,
        Format::Toml => toml::read(text, file)?,
    };
    let Some(mut root) = root else {
        let wrong = Wrong::new("the file holds no pool", "see examples/smallest.yml for one");
        return Err(ConfigFault::of_file(file, wrong).into());
    };
    let config = pools::config(file, &root);
    root.wipe();
    config
}

/// The address on which a pool from the command line listens.
pub const DEFAULT_LISTEN: (&str, u16) = ("127.0.0.1", 22121);

/// A pool named `default` of servers given on the command line as `HOST:PORT[:WEIGHT] [NAME]`.
///
/// It is a new pool, so it takes what serves best rather than what twemproxy defaults to: the hash
/// is md5, hash tags are `{}` as in Redis Cluster, and dead shards are ejected.
pub fn from_servers(servers: &[String]) -> Result<Config, Faults> {
    let mut pool = assign::default_pool("default");
    let (host, port) = DEFAULT_LISTEN;
    pool.listen = Some(Listen::Tcp { host: host.to_owned(), port });
    pool.hash = Hash::Md5;
    pool.hash_tag = Some(*b"{}");
    pool.auto_eject_hosts = true;
    let mut faults = Vec::new();
    for text in servers {
        match address::command_line_server(text) {
            Ok(server) if pool.servers.iter().any(|other| other.name == server.name) => {
                let wrong = format!("the server {:?} is given twice", server.name);
                faults.push(Wrong::new(wrong, "remove one"));
            }
            Ok(server) => pool.servers.push(server),
            Err(wrong) => faults.push(wrong),
        }
    }
    if pool.servers.is_empty() && faults.is_empty() {
        faults.push(Wrong::new("no server is given", "write at least one HOST:PORT"));
    }
    pools::sort(&mut pool.servers);
    if faults.is_empty() {
        return Ok(Config { pools: vec![pool] });
    }
    let file = "command line";
    Err(Faults(faults.into_iter().map(|wrong| ConfigFault::of_file(file, wrong)).collect()))
}

/// An address as a pool's `listen` has it: `host:port` or the path of a unix socket.
///
/// # Errors
/// What is wrong with it, and the remedy.
pub fn listen(text: &str) -> Result<Listen, String> {
    address::listen(text).map_err(|wrong| format!("{}; {}", wrong.wrong, wrong.right))
}

/// The words that a key of a pool takes, each with what it sets.
pub(crate) fn words(key: &str) -> &'static [reference::Word] {
    match reference::key(key).map(|key| &key.takes) {
        Some(reference::Takes::Word(words)) => words,
        _ => &[],
    }
}

/// The largest file read: ten thousand servers need half a megabyte.
const MAX_FILE: u64 = 64 << 20;

fn read(path: &Path) -> Result<String, Wrong> {
    let unreadable = |error: io::Error| {
        let right = "name a readable file with -c, or servers as HOST:PORT";
        Wrong::new(format!("the file cannot be read: {error}"), right)
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Wrong::new("this is a directory", "name a file in it"));
    }
    if metadata.len() > MAX_FILE {
        return Err(Wrong::new("the file is larger than 64 MiB", "name a configuration file"));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        Wrong::new(format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })
}
