//! `circlet compare`: whether a proxy that runs, nutcracker for one, looks for keys where circlet
//! will.
//!
//! ```text
//! shards ── SCAN ──▶ keys ─┬─▶ the file's ring ───────────────▶ a shard ┐
//!         made-up keys ────┤                                            ├─▶ tally ─▶ cause ─▶ report
//!                          └─▶ the proxy, asked where it looks ▶ a shard ┘
//! ```
//! How the proxy is asked is in [`ask`]. Nothing is written unless that is wanted.

mod ask;
mod cause;
mod keys;
mod places;
mod pool;
mod report;
mod setup;
mod tally;

use std::fmt::Write;
use std::path::PathBuf;

use tokio::runtime::Builder;

use crate::config::{self, Config, Listen, Pool};
use crate::tls::keeper::Certificates;

/// What `circlet compare` was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file that circlet is to serve with.
    pub conf_file: PathBuf,
    /// Where the proxy is that serves now; without it, where the file's pools listen.
    pub with: Option<String>,
    /// Where a circlet runs that is to be compared too.
    pub circlet: Option<String>,
    /// The one pool to compare.
    pub pool: Option<String>,
    /// How many keys of each pool.
    pub keys: usize,
    /// Whether made-up keys are written through the proxy, and removed.
    pub write: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For people to read.
    pub report: String,
    /// Whether every key that was compared is looked for on the same shard.
    pub agrees: bool,
}

/// How many keys of a pool are compared if nobody says.
pub const DEFAULT_KEYS: usize = 10_000;

/// Compares pool by pool.
///
/// # Errors
/// Why nothing could be compared, for the person who asked.
pub fn run(options: &Options) -> Result<Outcome, String> {
    let config = config::load(&options.conf_file).map_err(|faults| faults.to_string())?;
    let certificates = Certificates::load(&config).map_err(|error| error.to_string())?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let mut outcome = Outcome { report: String::new(), agrees: true };
    for (index, pool) in chosen(&config, options)? {
        let connector = certificates.of_pool(index).connector();
        let proxy = proxy(pool, options.with.as_deref())?;
        let circlet = options.circlet.as_deref().map(address).transpose()?;
        let asked = pool::Asked { pool, connector, proxy, circlet, options };
        let compared = runtime.block_on(asked.compare());
        let compared = compared.map_err(|error| format!("pool {}: {error}", pool.name))?;
        outcome.agrees &= compared.agrees();
        let _ = write!(outcome.report, "{compared}");
    }
    Ok(outcome)
}

/// The pools to compare, with their places in the file.
fn chosen<'a>(config: &'a Config, options: &Options) -> Result<Vec<(usize, &'a Pool)>, String> {
    let all = config.pools.iter().enumerate();
    let named = |pool: &Pool| options.pool.as_ref().is_none_or(|name| *name == pool.name);
    let chosen: Vec<(usize, &Pool)> = all.filter(|(_, pool)| named(pool)).collect();
    let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
    let file = options.conf_file.display();
    match chosen.len() {
        0 => Err(format!("{file} has no such pool: name one of {}", names.join(", "))),
        1 => Ok(chosen),
        _ if options.with.is_some() || options.circlet.is_some() => Err(format!(
            "{file} has several pools, and an address is that of one: name it with --pool ({})",
            names.join(", ")
        )),
        _ => Ok(chosen),
    }
}

/// Where the proxy serves this pool.
fn proxy(pool: &Pool, with: Option<&str>) -> Result<Listen, String> {
    match (with, &pool.listen) {
        (Some(text), _) => address(text),
        (None, Some(listen)) => Ok(listen.clone()),
        (None, None) => Err(format!(
            "pool {} has no listen, where the proxy that runs would be: name it with --with",
            pool.name
        )),
    }
}

fn address(text: &str) -> Result<Listen, String> {
    config::listen(text)
}
