//! What circlet does with a command, in words for its page, where the kind of handling alone does
//! not say enough.

use super::bits::Flags;
use super::spec::{Handling, Keys, Local, Spec};

/// A command that is sent to the shard of its keys.
pub fn keyed(spec: &Spec) -> &'static str {
    let several = match spec.keys {
        Keys::None | Keys::At(_) => false,
        Keys::Range { first, last, .. } => last != first as i32,
        Keys::Search(_) => true,
    };
    match spec.name {
        _ if spec.flags.contains(Flags::NO_MANDATORY_KEYS) => "by key; without keys on any shard",
        "migrate" | "msetex" => "by key; several must live together",
        _ if several => "by key; on several shards in steps, if `cross_shard` allows",
        _ => "by key",
    }
}

/// MULTI, EXEC and their kin.
pub fn transaction(spec: &Spec) -> &'static str {
    match spec.name {
        "multi" => "session state: what follows is queued, for the shard of its first key",
        "exec" => "session state: what is queued runs as one on its shard",
        "discard" => "session state: forgets what is queued and watched",
        "watch" => "session state: watched by key, on a link of its own",
        _ => "session state: forgets what is watched",
    }
}

/// Publishing and listening.
pub fn subscription(spec: &Spec) -> &'static str {
    match spec.name {
        "publish" | "spublish" => "to the channel's shard; counts listeners of all workers",
        "subscribe" | "psubscribe" => "session state: listens on all shards",
        "ssubscribe" => "session state: listens on the channel's shard",
        "unsubscribe" | "punsubscribe" | "sunsubscribe" => "session state: listens no longer",
        _ => "all shards and workers, replies become one",
    }
}

/// What circlet answers itself.
pub fn local(spec: &Spec) -> &'static str {
    if SESSION.contains(&spec.name) {
        return "session state, kept by circlet";
    }
    if EVERYBODY.contains(&spec.name) {
        return "answered here, for the clients of all workers";
    }
    match spec.handling {
        Handling::Local(Local::AclAsk) => "one shard; answered here with `auth: users`",
        _ => "answered here",
    }
}

/// They read or change what circlet keeps of one client.
const SESSION: &[&str] = &[
    "acl|whoami",
    "auth",
    "client|caching",
    "client|capa",
    "client|getname",
    "client|getredir",
    "client|id",
    "client|info",
    "client|no-evict",
    "client|no-touch",
    "client|reply",
    "client|setinfo",
    "client|setname",
    "client|tracking",
    "client|trackinginfo",
    "hello",
    "quit",
    "reset",
    "select",
];

/// They concern every client of the pool.
const EVERYBODY: &[&str] =
    &["client|kill", "client|list", "client|pause", "client|unblock", "client|unpause", "monitor"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table;

    #[test]
    fn only_commands_of_the_table_are_named() {
        for name in SESSION.iter().chain(EVERYBODY) {
            assert!(table::all().any(|spec| spec.name == *name), "{name}");
        }
    }

    #[test]
    fn several_keys_are_told_from_one() {
        let told = |name: &str| keyed(table::lookup(name.as_bytes()).unwrap());
        assert_eq!(told("get"), "by key");
        assert!(told("rename").contains("cross_shard") && told("sunion").contains("cross_shard"));
        assert!(told("eval").contains("any shard"));
    }
}
