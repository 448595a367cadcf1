//! `docs/commands.md`: what circlet does with every command, told from the table.

use std::fmt::Write;

use super::docs;
use super::spec::{Handling, Keys, Local, ResponsePolicy, Spec};
use super::table;
use super::treatment;

/// The page, whole.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for group in GROUPS {
        let specs = table::all().filter(|spec| spec.group == *group && spec.subcommands.is_empty());
        let mut title = group.replace('-', " ");
        title[..1].make_ascii_uppercase();
        let _ =
            write!(page, "\n## {title}\n\n| command | what it is for | circlet |\n|---|---|---|\n");
        specs.for_each(|spec| row(spec, &mut page));
    }
    page
}

fn row(spec: &Spec, page: &mut String) {
    let name = spec.name.to_uppercase().replace('|', " ");
    let summary = docs::summary(spec).trim_end_matches('.').replace('|', "\\|");
    let _ = writeln!(page, "| {name} | {summary} | {} |", treatment(spec));
}

/// What circlet does with a command, in a sentence.
pub fn treatment(spec: &Spec) -> String {
    let words = match spec.handling {
        Handling::Keyed => treatment::keyed(spec),
        Handling::KeyedUnlessBlocking => {
            "by key; with BLOCK on a link of its own; streams of several shards in steps, if `cross_shard` allows"
        }
        Handling::Sort => "by key, if BY and GET stay on its shard",
        Handling::Split => return format!("split by key, {}", merged(spec.response_policy)),
        Handling::FanOut => return format!("all shards, {}", merged(spec.response_policy)),
        Handling::Gather(gather) => return format!("all shards, {}", gather.describe()),
        Handling::Script(script) => script.describe(),
        Handling::AnyShard => "any shard",
        Handling::Local(Local::Cluster | Local::ClusterMode) => {
            "with `cluster_emulation`: answered here, as the one node; otherwise refused"
        }
        Handling::Local(_) => treatment::local(spec),
        Handling::Transaction => treatment::transaction(spec),
        Handling::Blocking if spec.keys == Keys::None => {
            "all shards, each on a link of its own; least"
        }
        Handling::Blocking => "by key, on a link of its own",
        Handling::Scan => "one shard after the other, by a cursor over all",
        Handling::Subscription => treatment::subscription(spec),
        Handling::Refused(reason) => return format!("refused: {reason}"),
    };
    words.to_owned()
}

fn merged(policy: ResponsePolicy) -> &'static str {
    match policy {
        ResponsePolicy::Default => "replies in the order of the keys",
        ResponsePolicy::OneSucceeded => "the first success",
        ResponsePolicy::AllSucceeded => "success if all succeed",
        ResponsePolicy::AggSum => "sum",
        ResponsePolicy::AggMin => "least",
        ResponsePolicy::AggMax => "greatest",
        ResponsePolicy::AggLogicalAnd => "true where all say so",
        ResponsePolicy::AggLogicalOr => "true where one says so",
        ResponsePolicy::Concat => "replies one after the other",
        ResponsePolicy::Special => "one that has something to say",
    }
}

/// The groups in the order of the table's file.
const GROUPS: &[&str] = &[
    "string",
    "generic",
    "hash",
    "list",
    "set",
    "sorted-set",
    "stream",
    "bitmap",
    "hyperloglog",
    "geo",
    "scripting",
    "pubsub",
    "transactions",
    "connection",
    "server",
    "cluster",
];

const HEAD: &str = "\
# What circlet does with each command

This page is written from the table that circlet itself uses (`src/command/table.txt`); a test keeps
it so. `CIRCLET_WRITE_DOCS=1 cargo test --test command_table` writes it anew.

- **by key**: sent to the shard its keys live on. Keys on several shards are refused with
  `-CROSSSLOT`, which names two of them; a hash tag (`hash_tag`) keeps keys together, and
  `cross_shard: allow` lets many commands be done [in steps](cross-shard.md).
- **split by key**: keys may live anywhere; each shard gets its part, and the replies become one.
- **all shards**: sent to every shard, and the replies become one.
- **any shard**: every shard gives the same answer, and one is asked.
- **on a link of its own**: the command may wait, or leaves state on a connection; no other client's
  commands [wait behind it](blocking.md).
- **session state**: it concerns this client alone, as on a connection to one Redis.
- **answered here**: no shard is asked.
- **refused**: circlet answers with an error that says why, and the connection lives on.

A command that is not on this page is learned from the shards' own COMMAND and goes by its keys; one
that no shard knows gets Redis's own `-ERR unknown command`.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_on_the_page_once() {
        let rows = markdown().lines().filter(|line| line.starts_with("| ")).count();
        let specs = table::all().filter(|spec| spec.subcommands.is_empty()).count();
        assert_eq!(rows - GROUPS.len(), specs);
    }
}
