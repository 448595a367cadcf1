//! What the command line explains without serving: `circlet explain`, `ring`, `diff` and `top`.

mod diff;
mod explain;
mod ring;
mod svg;
mod table;
mod top;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::config::{self, Config, Pool};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Tool {
    /// tell where keys live: hash tag, hash, point, shard, and the shard after that one
    #[command(disable_help_flag = true)]
    Explain(Explain),
    /// tell how keys are shared out among the shards, as a table or as a drawing
    #[command(disable_help_flag = true)]
    Ring(RingOf),
    /// tell which part of all keys moves from one configuration to another, and whereto
    #[command(disable_help_flag = true)]
    Diff(Diff),
    /// show what a circlet that runs is doing, each second
    #[command(disable_help_flag = true)]
    Top(Top),
}

/// What `circlet explain` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Explain {
    #[command(flatten)]
    pools: Pools,
    /// the keys
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<OsString>,
}

/// What `circlet ring` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RingOf {
    #[command(flatten)]
    pools: Pools,
    /// draw it as SVG, to standard output or into the file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    svg: Option<PathBuf>,
}

/// What `circlet diff` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Diff {
    /// the configuration that serves now
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// the configuration that is to serve
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// the one pool to compare (default: all)
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// look at so many keys of each pool too, by SCAN on the shards of OLD (default: 10000)
    #[arg(long, visible_alias = "sample", value_name = "N", num_args = 0..=1, default_missing_value = "10000")]
    scan: Option<usize>,
    /// with --scan, ask for the memory of these keys
    #[arg(long, requires = "scan")]
    bytes: bool,
}

/// What `circlet top` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Top {
    /// the admin address, or that of the statistics (default: 127.0.0.1:22223, else :22222)
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
    /// print one table and end, as it is done where there is no terminal
    #[arg(long)]
    once: bool,
}

/// Which pools of which file.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Pools {
    /// the configuration file
    #[arg(short, long, value_name = "FILE", default_value = "conf/nutcracker.yml")]
    conf_file: PathBuf,
    /// the one pool (default: all)
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
}

/// Does it; what is told goes to standard output.
///
/// # Errors
/// Why it cannot be done, for the person who asked.
pub fn run(tool: &Tool) -> Result<(), String> {
    match tool {
        Tool::Explain(asked) => print(&explain::text(&asked.pools.load()?, &asked.keys)),
        Tool::Ring(asked) => {
            let config = asked.pools.load()?;
            match &asked.svg {
                None => print(&ring::text(&config)),
                Some(file) => write(file, &svg::drawing(&config.pools)),
            }
        }
        Tool::Diff(asked) => print(&diff::text(asked)?),
        Tool::Top(asked) => top::run(asked.address.as_deref(), asked.once),
    }
}

impl Pools {
    fn load(&self) -> Result<Config, String> {
        load(&self.conf_file, self.pool.as_deref())
    }
}

/// A file's pools, or the one that is named.
fn load(file: &Path, pool: Option<&str>) -> Result<Config, String> {
    let config = config::load(file).map_err(|faults| faults.to_string())?;
    let Some(name) = pool else { return Ok(config) };
    let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
    let unknown =
        || format!("{} has no pool '{name}'; --pool takes {}", file.display(), names.join(", "));
    let found: Option<&Pool> = config.pools.iter().find(|pool| pool.name == name);
    let found = found.ok_or_else(unknown)?;
    Ok(Config { pools: vec![found.clone()] })
}

/// A reader that goes away early, such as `head`, is no fault.
fn print(text: &str) -> Result<(), String> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    if file == Path::new("-") {
        return print(text);
    }
    std::fs::write(file, text).map_err(|error| {
        format!("cannot write {}: {error}; name another file after --svg", file.display())
    })
}
