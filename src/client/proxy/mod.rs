//! PROXY: what circlet tells of itself over RESP.
//!
//! A subcommand is a file of its own here, with a [`Subcommand`] that [`SUBCOMMANDS`] lists, and a
//! line in the command table.

mod command;
mod explain;
mod hotkeys;
mod shards;

use crate::resp::Request;
use crate::worker::Worker;

/// One subcommand of PROXY.
struct Subcommand {
    /// In lower case.
    name: &'static str,
    /// What PROXY HELP says of it: its name and arguments, then lines that explain.
    help: &'static [&'static str],
    /// Answers it. The number of arguments is what the command table asks for.
    answer: fn(&mut Worker, u32, &Request<'_>),
}

/// In the order of PROXY HELP.
const SUBCOMMANDS: &[Subcommand] =
    &[hotkeys::BIGKEYS, explain::EXPLAIN, hotkeys::HOTKEYS, shards::RING, shards::SHARDS, HELP];

impl Worker {
    /// Answers a subcommand of PROXY.
    pub(super) fn proxy(&mut self, number: u32, request: &Request<'_>) {
        let asked = request.arg(1);
        let is_asked = |known: &&Subcommand| asked.eq_ignore_ascii_case(known.name.as_bytes());
        match SUBCOMMANDS.iter().find(is_asked) {
            Some(subcommand) => (subcommand.answer)(self, number, request),
            None => self.say(number, |writer| {
                writer.error("ERR circlet has no answer to this command");
            }),
        }
    }
}

const HELP: Subcommand =
    Subcommand { name: "help", help: &["HELP", "    Prints this help."], answer: help };

/// In the form of Redis's own HELP.
fn help(worker: &mut Worker, number: u32, _request: &Request<'_>) {
    let lines = SUBCOMMANDS.iter().flat_map(|subcommand| subcommand.help);
    let lines: Vec<&str> = [HEAD].into_iter().chain(lines.copied()).collect();
    worker.say(number, |writer| {
        writer.array(lines.len());
        lines.iter().for_each(|line| writer.simple(line));
    });
}

const HEAD: &str = "PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Handling, Local, lookup};

    #[test]
    fn the_table_and_the_answers_know_the_same_subcommands() {
        let table = lookup(b"proxy").expect("PROXY is in the table");
        for spec in &table.subcommands {
            assert_eq!(spec.handling, Handling::Local(Local::Proxy), "{}", spec.name);
            let name = spec.name.trim_start_matches("proxy|");
            assert!(SUBCOMMANDS.iter().any(|known| known.name == name), "{name}");
        }
        for known in SUBCOMMANDS {
            assert!(table.subcommand(known.name.as_bytes()).is_some(), "{}", known.name);
            let usage = known.help[0].to_ascii_lowercase();
            assert!(usage.starts_with(known.name), "{usage}");
        }
    }
}
