//! Copies what a command reads to the shard of what it writes, and runs it there.

use bytes::Bytes;

use super::{Command, Key, bulk, is_error, own_name, time_to_live};
use crate::client::procedure::Steps;
use crate::resp::reply::elements;
use crate::resp::write;

/// A key's value on its way.
struct Copy {
    name: Bytes,
    dump: Bytes,
    /// Milliseconds that it has left to live.
    expires_in: Vec<u8>,
}

/// The reply to `command`, whose written keys are all on one shard.
pub(super) async fn run(steps: &Steps, mut command: Command, keys: &[Key]) -> Vec<u8> {
    let written = keys.iter().find(|key| key.is_written);
    let target = written.or(keys.first()).map_or(0, |key| key.shard);
    let copies = match fetch(steps, &mut command, keys, target).await {
        Ok(copies) => copies,
        Err(error) => return error.into(),
    };
    let restores: Vec<Vec<u8>> = copies.iter().map(restore).collect();
    let mut at_once = Vec::new();
    match written {
        // A copy that cannot be restored must not look like a missing key to what is written.
        Some(_) => {
            let restored: Vec<_> = restores.iter().map(|copy| steps.ask(target, copy)).collect();
            for reply in restored {
                let reply = reply.await;
                if is_error(&reply) {
                    return reply.into();
                }
            }
        }
        None => at_once.extend(restores),
    }
    let place = at_once.len();
    at_once.push(command.wire());
    if !copies.is_empty() {
        let mut remove = vec![Bytes::from_static(b"UNLINK")];
        remove.extend(copies.iter().map(|copy| copy.name.clone()));
        at_once.push(Command { args: remove }.wire());
    }
    result(&steps.ask_at_once(target, &at_once).await, place)
}

/// Reads the keys that are not on `target`, and names their copies in the command instead.
async fn fetch(
    steps: &Steps,
    command: &mut Command,
    keys: &[Key],
    target: usize,
) -> Result<Vec<Copy>, Bytes> {
    let strays: Vec<Key> = keys.iter().copied().filter(|key| key.shard != target).collect();
    let keeps_expiry = command.args[0].eq_ignore_ascii_case(b"COPY");
    let mut asked = Vec::new();
    for &key in &strays {
        let value = steps.ask_args(key.shard, &[b"DUMP", command.key(key)]);
        let expiry = keeps_expiry.then(|| steps.ask_args(key.shard, &[b"PTTL", command.key(key)]));
        asked.push((key, value, expiry));
    }
    let mut copies = Vec::new();
    for (key, value, expiry) in asked {
        let value = value.await;
        let expires_in = match expiry {
            Some(expiry) => time_to_live(&expiry.await),
            None => COPY_LIVES.to_vec(),
        };
        if is_error(&value) {
            return Err(value);
        }
        let name = own_name("copy", command.key(key));
        if let Some(dump) = bulk(&value) {
            copies.push(Copy { name: name.clone(), dump, expires_in });
        }
        // A missing key is missing under any name.
        command.args[key.position] = name;
    }
    Ok(copies)
}

fn restore(copy: &Copy) -> Vec<u8> {
    let mut wire = Vec::new();
    write::command(&mut wire, &[b"RESTORE", &copy.name[..], &copy.expires_in, &copy.dump]);
    wire
}

/// What the command at `place` said, or the first error before it.
fn result(executed: &[u8], place: usize) -> Vec<u8> {
    let Some(replies) = elements(executed) else { return executed.to_vec() };
    let mut replies = replies.take(place + 1);
    let mut last = executed;
    for reply in replies.by_ref() {
        last = reply;
        if is_error(reply) {
            break;
        }
    }
    last.to_vec()
}

/// A copy that is left behind expires after so many milliseconds.
const COPY_LIVES: &[u8] = b"60000";
