//! PROXY: what circlet tells of itself over RESP.
//!
//! A subcommand is a file of its own here, with a [`Subcommand`] that [`SUBCOMMANDS`] lists, and a
//! line in the command table.

mod command;
mod errors;
mod explain;
mod hotkeys;
mod log;
mod reload;
mod shards;
mod slowlog;

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
const SUBCOMMANDS: &[Subcommand] = &[
    hotkeys::BIGKEYS,
    errors::ERRORS,
    explain::EXPLAIN,
    hotkeys::HOTKEYS,
    log::LOG,
    reload::RELOAD,
    shards::RING,
    shards::SHARDS,
    slowlog::SLOWLOG,
    HELP,
];

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

/// How many entries a client wants, in Redis's words if it is no number of any.
fn count(argument: &[u8]) -> Result<usize, &'static str> {
    let count =
        super::local::integer(argument).ok_or("ERR value is not an integer or out of range")?;
    match count {
        -1 => Ok(usize::MAX),
        _ => usize::try_from(count).map_err(|_| "ERR count should be greater than or equal to -1"),
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
