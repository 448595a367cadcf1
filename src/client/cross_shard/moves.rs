//! What leaves one shard for another, and what several shards do in turn.
//!
//! A value that moves is first put aside on its own shard, under a name of circlet's: from then on
//! nobody else can take it. Only when the other shard has it is it removed there. If that shard
//! refuses it, it goes back; if nobody knows whether that shard has it, it stays where it is, and
//! the error names the place.

use bytes::Bytes;

use super::{Command, Key, bulk, is_error, is_null, own_name, time_to_live};
use crate::client::procedure::Steps;
use crate::resp::reply::elements;
use crate::resp::write;

/// RENAME and RENAMENX.
pub(super) async fn rename(
    steps: &Steps,
    command: &Command,
    keys: &[Key],
    only_if_new: bool,
) -> Vec<u8> {
    let &[from, to] = keys else { return syntax_error() };
    let (source, target) = (command.key(from), command.key(to));
    if only_if_new && steps.ask_args(to.shard, &[b"EXISTS", target]).await == b":1\r\n"[..] {
        let exists = steps.ask_args(from.shard, &[b"EXISTS", source]).await;
        return if exists == b":0\r\n"[..] { NO_SUCH_KEY.to_vec() } else { b":0\r\n".to_vec() };
    }
    let aside = own_name("moving", source);
    let taken = steps.ask_args(from.shard, &[b"RENAME", source, &aside]).await;
    if is_error(&taken) {
        return taken.into();
    }
    let expiry = steps.ask_args(from.shard, &[b"PTTL", &aside]);
    let value = steps.ask_args(from.shard, &[b"DUMP", &aside]).await;
    let expiry = expiry.await;
    let put_back = async || {
        steps.ask_args(from.shard, &[b"RENAMENX", &aside, source]).await;
    };
    let Some(dump) = bulk(&value) else {
        // It expired on the way, or cannot be read: then it is where it was.
        put_back().await;
        return if is_null(&value) { NO_SUCH_KEY.to_vec() } else { value.into() };
    };
    let left = time_to_live(&expiry);
    let mut restore: Vec<&[u8]> = vec![b"RESTORE", target, &left, &dump];
    if !only_if_new {
        restore.push(b"REPLACE");
    }
    let restored = steps.ask_args(to.shard, &restore).await;
    if !is_error(&restored) {
        steps.ask_args(from.shard, &[b"UNLINK", &aside]).await;
        return if only_if_new { b":1\r\n".to_vec() } else { restored.into() };
    }
    if is_unknown(&restored) {
        return stays_aside(&restored, &aside);
    }
    put_back().await;
    if restored.starts_with(b"-BUSYKEY") { b":0\r\n".to_vec() } else { restored.into() }
}

/// SMOVE: the member is in both sets for a moment, never in none.
pub(super) async fn member(steps: &Steps, command: &Command, keys: &[Key]) -> Vec<u8> {
    let &[from, to] = keys else { return syntax_error() };
    let member = &command.args[3];
    let held = steps.ask_args(from.shard, &[b"SISMEMBER", command.key(from), member]).await;
    if held != b":1\r\n"[..] {
        return held.into();
    }
    let added = steps.ask_args(to.shard, &[b"SADD", command.key(to), member]).await;
    if is_error(&added) {
        return added.into();
    }
    let removed = steps.ask_args(from.shard, &[b"SREM", command.key(from), member]).await;
    if is_error(&removed) { removed.into() } else { b":1\r\n".to_vec() }
}

/// LMOVE and RPOPLPUSH.
pub(super) async fn element(steps: &Steps, command: &Command, keys: &[Key]) -> Vec<u8> {
    let &[from, to] = keys else { return syntax_error() };
    // Without directions, RPOPLPUSH.
    let direction = |index: usize| command.args.get(index).map(|arg| arg.to_ascii_uppercase());
    let leaves_left = direction(3).is_some_and(|at| at == b"LEFT");
    let enters_left = direction(4).is_none_or(|at| at == b"LEFT");
    let push = |left: bool| if left { &b"LPUSH"[..] } else { b"RPUSH" };
    let aside = own_name("moving", command.key(from));
    let mut take = command.clone();
    take.args[to.position] = aside.clone();
    let taken = steps.ask(from.shard, &take.wire()).await;
    let Some(element) = bulk(&taken) else { return taken.into() };
    let entered = steps.ask_args(to.shard, &[push(enters_left), command.key(to), &element]).await;
    if !is_error(&entered) {
        steps.ask_args(from.shard, &[b"DEL", &aside]).await;
        return taken.into();
    }
    if is_unknown(&entered) {
        return stays_aside(&entered, &aside);
    }
    let (mut back, mut remove) = (Vec::new(), Vec::new());
    write::command(&mut back, &[push(leaves_left), command.key(from), &element]);
    write::command(&mut remove, &[b"DEL", &aside[..]]);
    steps.ask_at_once(from.shard, &[back, remove]).await;
    entered.into()
}

/// MSETNX: looks for the keys, and sets them when there are none.
pub(super) async fn set_if_none(steps: &Steps, command: &Command, keys: &[Key]) -> Vec<u8> {
    let mut looks = Vec::new();
    for (shard, keys) in by_shard(keys) {
        let mut look: Vec<&[u8]> = vec![b"EXISTS"];
        look.extend(keys.iter().map(|&key| &command.key(key)[..]));
        looks.push(steps.ask_args(shard, &look));
    }
    for look in looks {
        match look.await {
            none if none == b":0\r\n"[..] => {}
            error if is_error(&error) => return error.into(),
            _ => return b":0\r\n".to_vec(),
        }
    }
    let mut sets = Vec::new();
    for (shard, keys) in by_shard(keys) {
        let mut set: Vec<&[u8]> = vec![b"MSET"];
        for key in keys {
            set.extend([&command.args[key.position][..], &command.args[key.position + 1]]);
        }
        sets.push(steps.ask_args(shard, &set));
    }
    let mut reply = b":1\r\n".to_vec();
    for set in sets {
        let set = set.await;
        if is_error(&set) {
            reply = set.into();
        }
    }
    reply
}

/// LMPOP and ZMPOP: key after key, until one has something.
pub(super) async fn first_that_has(steps: &Steps, command: &Command, keys: &[Key]) -> Vec<u8> {
    let Some(last) = keys.last() else { return syntax_error() };
    let mut reply = Bytes::new();
    for &key in keys {
        let mut pop = vec![command.args[0].clone(), Bytes::from_static(b"1")];
        pop.push(command.key(key).clone());
        pop.extend_from_slice(&command.args[last.position + 1..]);
        reply = steps.ask(key.shard, &Command { args: pop }.wire()).await;
        if !is_null(&reply) {
            break;
        }
    }
    reply.into()
}

/// XREAD and XREADGROUP without BLOCK: stream after stream, one reply.
pub(super) async fn each_stream(steps: &Steps, command: &Command, keys: &[Key]) -> Vec<u8> {
    let Some(first) = keys.first() else { return syntax_error() };
    let asked: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut read = command.args[..first.position].to_vec();
            read.push(command.args[key.position].clone());
            read.push(command.args[key.position + keys.len()].clone());
            steps.ask(key.shard, &Command { args: read }.wire())
        })
        .collect();
    let (mut streams, mut found, mut nothing) = (Vec::new(), 0, Bytes::new());
    let mut kind = b'*';
    for reply in asked {
        let reply = reply.await;
        match elements(&reply) {
            _ if is_null(&reply) => nothing = reply,
            Some(elements) => {
                kind = reply[0];
                found += 1;
                elements.for_each(|element| streams.extend_from_slice(element));
            }
            None => return reply.into(),
        }
    }
    if found == 0 {
        return nothing.into();
    }
    let mut reply = Vec::with_capacity(streams.len() + 16);
    write::head(&mut reply, kind, found);
    reply.extend_from_slice(&streams);
    reply
}

fn by_shard(keys: &[Key]) -> Vec<(usize, Vec<Key>)> {
    let mut groups: Vec<(usize, Vec<Key>)> = Vec::new();
    for &key in keys {
        match groups.iter_mut().find(|(shard, _)| *shard == key.shard) {
            Some((_, group)) => group.push(key),
            None => groups.push((key.shard, vec![key])),
        }
    }
    groups
}

/// Whether an error leaves open whether the command ran: the link failed under it.
fn is_unknown(error: &[u8]) -> bool {
    memchr::memmem::find(error, b"whether the command ran is unknown").is_some()
}

fn stays_aside(error: &[u8], aside: &[u8]) -> Vec<u8> {
    let mut text = error.strip_suffix(b"\r\n").unwrap_or(error).to_vec();
    text.extend_from_slice(b"; what was to be moved is kept in '");
    text.extend(aside.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    text.extend_from_slice(b"' on the shard it came from\r\n");
    text
}

fn syntax_error() -> Vec<u8> {
    b"-ERR syntax error\r\n".to_vec()
}

/// Redis's own words.
const NO_SUCH_KEY: &[u8] = b"-ERR no such key\r\n";
