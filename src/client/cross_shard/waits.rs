//! Commands that wait, on keys of several shards: each shard is looked at in turn, again and
//! again, until one has something or the time is over.
//!
//! To wait on all shards at once could take an element from two of them. Looking in turn takes one,
//! at the cost of up to [`LONGEST_PAUSE`] of delay, and of a look at each key for each pause.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{Command, Key, is_error, is_null, moves};
use crate::client::procedure::Steps;
use crate::client::session::Pause;

use crate::resp::reply::elements;

/// What is tried until it has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// BLPOP, BRPOP, BZPOPMIN, BZPOPMAX: this command on one key, the reply behind the key's name.
    Pop(&'static [u8]),
    /// BLMPOP, BZMPOP: this command.
    PopSeveral(&'static [u8]),
    /// BLMOVE, BRPOPLPUSH: this command.
    Move(&'static [u8]),
    /// XREAD, XREADGROUP: without BLOCK.
    Read,
}

impl Wait {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "blpop" => Self::Pop(b"LPOP"),
            "brpop" => Self::Pop(b"RPOP"),
            "bzpopmin" => Self::Pop(b"ZPOPMIN"),
            "bzpopmax" => Self::Pop(b"ZPOPMAX"),
            "blmpop" => Self::PopSeveral(b"LMPOP"),
            "bzmpop" => Self::PopSeveral(b"ZMPOP"),
            "blmove" => Self::Move(b"LMOVE"),
            "brpoplpush" => Self::Move(b"RPOPLPUSH"),
            "xread" | "xreadgroup" => Self::Read,
            _ => return None,
        })
    }

    /// Takes the time out of the command; what is left does not wait. `keys` move along.
    fn take_time(
        self,
        command: &mut Command,
        keys: &mut [Key],
    ) -> Result<Option<Duration>, &'static str> {
        let (at, words) = match self {
            Self::Pop(_) | Self::Move(_) => (command.args.len() - 1, 1),
            Self::PopSeveral(_) => (1, 1),
            Self::Read => {
                let is_block = |arg: &Bytes| arg.eq_ignore_ascii_case(b"BLOCK");
                (command.args.iter().position(is_block).ok_or(SYNTAX)? + 1, 2)
            }
        };
        let time = match self {
            Self::Read => milliseconds(command.args.get(at).ok_or(SYNTAX)?)?,
            _ => seconds(&command.args[at])?,
        };
        let from = at + 1 - words;
        command.args.drain(from..=at);
        for key in keys.iter_mut().filter(|key| key.position > at) {
            key.position -= words;
        }
        if let Self::Pop(name) | Self::PopSeveral(name) | Self::Move(name) = self {
            command.args[0] = Bytes::from_static(name);
        }
        Ok(time)
    }

    /// One look; `None` when there is nothing.
    async fn look(self, steps: &Steps, command: &Command, keys: &[Key]) -> Option<Vec<u8>> {
        let reply = match self {
            Self::Pop(name) => return pop(steps, name, command, keys).await,
            Self::PopSeveral(_) => moves::first_that_has(steps, command, keys).await,
            Self::Move(_) => moves::element(steps, command, keys).await,
            Self::Read => moves::each_stream(steps, command, keys).await,
        };
        (!is_null(&reply)).then_some(reply)
    }
}

/// Waits as `wait` says.
pub(super) async fn run(
    steps: &Steps,
    wait: Wait,
    mut command: Command,
    mut keys: Vec<Key>,
) -> Vec<u8> {
    let time = match wait.take_time(&mut command, &mut keys) {
        Ok(time) => time,
        Err(text) => return steps.reply(|writer| writer.error(text)),
    };
    if wait == Wait::Read
        && let Err(error) = fix_ends(steps, &mut command, &keys).await
    {
        return error.into();
    }
    // A client that leaves is noticed.
    steps.with(|worker, number| {
        let session = &mut worker.sessions[number as usize];
        session.pause = Pause::Blocked;
        session.wake();
    });
    let until = time.map(|time| Instant::now() + time);
    let mut pause = FIRST_PAUSE;
    loop {
        find_again(steps, &command, &mut keys);
        if let Some(reply) = wait.look(steps, &command, &keys).await {
            return reply;
        }
        let is_gone =
            steps.with(|worker, number| worker.sessions[number as usize].socket.is_none());
        if is_gone || until.is_some_and(|until| Instant::now() >= until) {
            return steps.reply(|writer| writer.null_array());
        }
        let left = until.map_or(pause, |until| until.saturating_duration_since(Instant::now()));
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A key may live elsewhere since the last look.
fn find_again(steps: &Steps, command: &Command, keys: &mut [Key]) {
    steps.with(|worker, number| {
        let ring = worker.ring_of(number);
        for key in keys {
            key.shard = ring.shard(command.key(*key)).unwrap_or(key.shard);
        }
    });
}

/// The first key that has something gives it.
async fn pop(
    steps: &Steps,
    name: &'static [u8],
    command: &Command,
    keys: &[Key],
) -> Option<Vec<u8>> {
    for &key in keys {
        let popped = steps.ask_args(key.shard, &[name, command.key(key)]).await;
        if is_error(&popped) {
            return Some(popped.into());
        }
        let parts: Vec<&[u8]> = match elements(&popped) {
            Some(parts) => parts.collect(),
            None if is_null(&popped) => Vec::new(),
            None => vec![&popped],
        };
        if !parts.is_empty() {
            return Some(steps.reply(|writer| {
                writer.array(1 + parts.len());
                writer.bulk(command.key(key));
                parts.iter().for_each(|part| writer.raw(part));
            }));
        }
    }
    None
}

/// `$` means what comes after the last entry that there is now, not at each look.
async fn fix_ends(steps: &Steps, command: &mut Command, keys: &[Key]) -> Result<(), Bytes> {
    for &key in keys {
        let id = key.position + keys.len();
        if command.args.get(id).is_none_or(|id| id != &b"$"[..]) {
            continue;
        }
        let last = [b"XREVRANGE", &command.key(key)[..], b"+", b"-", b"COUNT", b"1"];
        let last = steps.ask_args(key.shard, &last).await;
        if is_error(&last) {
            return Err(last);
        }
        let entry = elements(&last).and_then(|mut entries| entries.next()).and_then(elements);
        let found = entry.and_then(|mut entry| super::bulk(&Bytes::copy_from_slice(entry.next()?)));
        command.args[id] = found.unwrap_or(Bytes::from_static(b"0-0"));
    }
    Ok(())
}

/// Redis's timeout in seconds; 0 is none.
pub(in crate::client) fn seconds(text: &[u8]) -> Result<Option<Duration>, &'static str> {
    let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    match number {
        Some(0.0) => Ok(None),
        Some(number) if number < 0.0 => Err("ERR timeout is negative"),
        Some(number) => match Duration::try_from_secs_f64(number) {
            Ok(time) if time < FOR_EVER => Ok(Some(time)),
            _ => Err("ERR timeout is out of range"),
        },
        None => Err("ERR timeout is not a float or out of range"),
    }
}

/// XREAD's timeout in milliseconds; 0 is none.
pub(in crate::client) fn milliseconds(text: &[u8]) -> Result<Option<Duration>, &'static str> {
    match crate::client::local::integer(text) {
        Some(0) => Ok(None),
        Some(number) => match u64::try_from(number) {
            Ok(number) => Ok(Some(Duration::from_millis(number).min(FOR_EVER))),
            Err(_) => Err("ERR timeout is negative"),
        },
        None => Err("ERR timeout is not an integer or out of range"),
    }
}

const SYNTAX: &str = "ERR syntax error";
/// A hundred years: more than a clock can be asked for safely on every system.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest that something lies on a shard before it is seen.
const LONGEST_PAUSE: Duration = Duration::from_millis(32);
