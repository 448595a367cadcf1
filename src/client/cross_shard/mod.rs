//! Commands whose keys live on several shards, done in several steps because the pool has
//! `cross_shard: allow`.
//!
//! ```text
//!   SUNIONSTORE d a b    d, b on shard 0, a on shard 1
//!     shard 1: DUMP a
//!     shard 0: RESTORE tmp …        a copy that expires by itself
//!     shard 0: MULTI  SUNIONSTORE d tmp b  UNLINK tmp  EXEC
//! ```
//!
//! What is only read is copied to the shard of what is written, and the command itself runs there,
//! so that the result is that shard's own ([`gather`]). What moves from one shard to another is
//! first put aside on its own shard, so that it is never lost and never taken twice ([`moves`]).
//! The steps are not atomic: others may come between them.

mod gather;
mod moves;
mod waits;

use bytes::Bytes;

use self::waits::Wait;
pub(super) use self::waits::{milliseconds, seconds};
use super::procedure::Steps;
use crate::command::bits::{Flags, KeyFlags};
use crate::command::{Spec, keys};
use crate::config::CrossShard;
use crate::reply::frame::{self, is_error, is_null};
use crate::resp::{Request, write};
use crate::worker::Worker;

/// A command that outlives the buffer it was read from.
#[derive(Debug, Clone)]
struct Command {
    args: Vec<Bytes>,
}

/// A key of a command: which argument, where it lives, and whether the command writes it.
#[derive(Debug, Clone, Copy)]
struct Key {
    position: usize,
    shard: usize,
    is_written: bool,
}

/// How a command is done over several shards.
enum Way {
    Gather,
    Rename { only_if_new: bool },
    MoveMember,
    MoveElement,
    SetIfNone,
    FirstThatHas,
    EachStream,
    Wait(Wait),
}

impl Worker {
    /// Does the command in steps if the pool allows it and there is a way; false when there is none
    /// and the client is to be refused.
    pub(super) fn across_shards(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) -> bool {
        let Some((way, keys)) = self.way_across(number, spec, request) else { return false };
        let command = Command::from(request);
        self.run_procedure(number, |steps| async move {
            match way {
                Way::Gather => gather::run(&steps, command, &keys).await,
                Way::Rename { only_if_new } => {
                    moves::rename(&steps, &command, &keys, only_if_new).await
                }
                Way::MoveMember => moves::member(&steps, &command, &keys).await,
                Way::MoveElement => moves::element(&steps, &command, &keys).await,
                Way::SetIfNone => moves::set_if_none(&steps, &command, &keys).await,
                Way::FirstThatHas => moves::first_that_has(&steps, &command, &keys).await,
                Way::EachStream => moves::each_stream(&steps, &command, &keys).await,
                Way::Wait(wait) => waits::run(&steps, wait, command, keys).await,
            }
        });
        true
    }

    /// Whether [`Self::across_shards`] would do it.
    pub(super) fn goes_across(&self, number: u32, spec: &Spec, request: &Request<'_>) -> bool {
        self.way_across(number, spec, request).is_some()
    }

    fn way_across(
        &self,
        number: u32,
        spec: &Spec,
        request: &Request<'_>,
    ) -> Option<(Way, Vec<Key>)> {
        if self.pool_of(number).config.cross_shard == CrossShard::Refuse {
            return None;
        }
        let keys = self.located(number, spec, request)?;
        Some((way(spec, request, &keys)?, keys))
    }

    /// The command's keys and their shards; `None` when no shard is in.
    fn located(&self, number: u32, spec: &Spec, request: &Request<'_>) -> Option<Vec<Key>> {
        let ring = self.ring_of(number);
        let found = keys::find_with_flags(spec, request).ok()?;
        let located = found.into_iter().map(|(position, flags)| {
            let shard = ring.shard(request.arg(position))?;
            // PFCOUNT says that it writes, for it keeps its last result in the key.
            let is_written = !flags.contains(KeyFlags::RO) && spec.name != "pfcount";
            Some(Key { position, shard, is_written })
        });
        located.collect()
    }
}

/// How `spec` is done; `None` when it cannot be.
fn way(spec: &Spec, request: &Request<'_>, keys: &[Key]) -> Option<Way> {
    Some(match spec.name {
        "rename" => Way::Rename { only_if_new: false },
        "renamenx" => Way::Rename { only_if_new: true },
        "smove" => Way::MoveMember,
        "lmove" | "rpoplpush" => Way::MoveElement,
        "msetnx" => Way::SetIfNone,
        "lmpop" | "zmpop" => Way::FirstThatHas,
        "xread" | "xreadgroup" if !keys::blocks(request) => Way::EachStream,
        name if spec.flags.contains(Flags::BLOCKING) => Way::Wait(Wait::of(name)?),
        // A script may say the names of its keys, and patterns name keys that are not copied.
        _ if spec.group == "scripting" || !keys::patterns(request).is_empty() => return None,
        _ => {
            let mut written = keys.iter().filter(|key| key.is_written).map(|key| key.shard);
            let target = written.next();
            written.all(|shard| Some(shard) == target).then_some(Way::Gather)?
        }
    })
}

impl Command {
    fn from(request: &Request<'_>) -> Self {
        Self { args: request.args().map(Bytes::copy_from_slice).collect() }
    }

    fn key(&self, key: Key) -> &Bytes {
        &self.args[key.position]
    }

    fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        write::command(&mut wire, &self.args);
        wire
    }
}

impl Steps {
    /// Asks with the arguments of one command.
    fn ask_args(&self, shard: usize, args: &[&[u8]]) -> impl Future<Output = Bytes> + use<> {
        let mut wire = Vec::new();
        write::command(&mut wire, args);
        self.ask(shard, &wire)
    }

    /// Sends commands in one piece between MULTI and EXEC; EXEC's reply. Nothing of others comes
    /// between them, on the link or on the shard.
    pub(super) fn ask_at_once(
        &self,
        shard: usize,
        commands: &[Vec<u8>],
    ) -> impl Future<Output = Bytes> + use<> {
        // Replies of a transaction's inside say nothing that EXEC's does not.
        drop(self.ask_args(shard, &[b"MULTI"]));
        for command in commands {
            drop(self.ask(shard, command));
        }
        self.ask_args(shard, &[b"EXEC"])
    }
}

/// The bytes of a bulk string.
fn bulk(reply: &Bytes) -> Option<Bytes> {
    frame::bulk(reply).map(|bytes| reply.slice_ref(bytes))
}

/// What RESTORE takes as the time to live, from what PTTL says: 0 is none.
fn time_to_live(reply: &[u8]) -> Vec<u8> {
    frame::integer(reply).unwrap_or(0).max(0).to_string().into_bytes()
}

/// A name that no client has, for a copy or for what is put aside.
fn own_name(purpose: &str, key: &[u8]) -> Bytes {
    let mut name = format!("__circlet:{purpose}:{:016x}:", fastrand::u64(..)).into_bytes();
    name.extend_from_slice(&key[..key.len().min(SHOWN_KEY)]);
    name.into()
}

/// Bytes of a key that the name of its copy shows.
const SHOWN_KEY: usize = 64;
