//! Commands that the table lacks and the shards have: those of modules and of newer servers.
//!
//! ```text
//!   shard's COMMAND ─► read ─► rules ─► keep ─► Learned of the pool ─► every worker
//!                     frames   Spec    &'static   union over shards     on a miss in the table
//! ```
//! A learned [`Spec`] lives as long as the process, as the table's do, so that all who handle
//! commands handle both alike. What is told again is kept once, and there is a limit; see `keep`.

mod keep;
mod read;
mod rules;

use std::collections::BTreeMap;

use super::resolve::CommandError;
use super::spec::Spec;
use super::table;
use crate::resp::Request;

pub use read::{Lesson, MAX_COMMANDS, ReadError, read};

/// What the shards of a pool have beyond the table.
#[derive(Debug, Default)]
pub struct Learned {
    /// By name in lower case; `client|new` for a new subcommand of a command of the table.
    specs: BTreeMap<Box<[u8]>, &'static Spec>,
}

impl Learned {
    /// All that any of the shards told. Where two tell different things of one command, the first
    /// is believed.
    pub fn union<'a>(shards: impl IntoIterator<Item = &'a [&'static Spec]>) -> Self {
        let mut specs = BTreeMap::new();
        for spec in shards.into_iter().flatten() {
            specs.entry(spec.name.to_ascii_lowercase().into_bytes().into()).or_insert(*spec);
        }
        Self { specs }
    }

    /// What was learned for `request`, that the table does not know; `None` if nothing was.
    pub fn resolve(&self, request: &Request<'_>) -> Option<Result<&'static Spec, CommandError>> {
        let spec = match table::lookup(request.arg(0)) {
            Some(_) if request.len() == 1 => return None,
            Some(known) => self.subcommand(known, request.arg(1))?,
            None => self.get(request.arg(0))?,
        };
        Some(resolve(spec, request))
    }

    /// The command or subcommand called `name` in COMMAND INFO's way: `mod.get`, `mod.on|list`.
    pub fn lookup_full(&self, name: &[u8]) -> Option<&'static Spec> {
        self.get(name).or_else(|| {
            let bar = name.iter().position(|&byte| byte == b'|')?;
            self.get(&name[..bar])?.subcommand(&name[bar + 1..])
        })
    }

    /// The commands, containers included, without subcommands; in alphabetical order.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = &'static Spec> + Clone {
        let commands: Vec<_> =
            self.specs.values().copied().filter(|spec| !spec.name.contains('|')).collect();
        commands.into_iter()
    }

    /// Every command and subcommand.
    pub fn all(&self) -> impl Iterator<Item = &'static Spec> {
        self.specs.values().flat_map(|&spec| std::iter::once(spec).chain(&spec.subcommands))
    }

    /// A subcommand called `name` that the table lacks of its command `container`.
    pub fn subcommand(&self, container: &Spec, name: &[u8]) -> Option<&'static Spec> {
        self.get(&[container.name.as_bytes(), b"|", name].concat())
    }

    fn get(&self, name: &[u8]) -> Option<&'static Spec> {
        if self.specs.is_empty() {
            return None;
        }
        self.specs.get(&name.to_ascii_lowercase()[..]).copied()
    }
}

fn resolve(mut spec: &'static Spec, request: &Request<'_>) -> Result<&'static Spec, CommandError> {
    if !spec.subcommands.is_empty() && request.len() > 1 {
        spec = spec.subcommand(request.arg(1)).ok_or(CommandError::UnknownSubcommand)?;
    }
    match spec.accepts(request.len()) {
        true => Ok(spec),
        false => Err(CommandError::WrongArity(spec)),
    }
}

#[cfg(test)]
mod tests;
