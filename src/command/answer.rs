//! What circlet answers itself and needs no session for: COMMAND and its subcommands, PING, ECHO.
//! COMMAND tells of the table and of what the shards told.

use super::bits::Categories;
use super::docs;
use super::glob;
use super::info;
use super::keys::find_with_flags;
use super::learned::Learned;
use super::spec::{Keys, Local, Spec};
use super::table;
use crate::resp::{Request, Span, Writer};

/// Writes the reply to `request`, a command that [`super::resolve`] accepted and found to be
/// `local`. `false`, and nothing written, for those that only a session can answer.
#[must_use]
pub fn reply(local: Local, request: &Request<'_>, writer: &mut Writer<'_>) -> bool {
    match local {
        Local::Ping => ping(request, writer),
        Local::Echo => writer.bulk(request.arg(1)),
        Local::ClientHelp => help(CLIENT_HELP, writer),
        Local::ClientCapa => writer.simple("OK"),
        _ => return about_commands(local, request, &Learned::default(), writer),
    }
    true
}

/// As [`reply`], for COMMAND and its subcommands, where `learned` counts as well.
#[must_use]
pub fn about_commands(
    local: Local,
    request: &Request<'_>,
    learned: &Learned,
    writer: &mut Writer<'_>,
) -> bool {
    let all = || table::commands().iter().chain(learned.commands());
    match local {
        Local::Command => infos(all().map(Some).collect(), writer),
        Local::CommandCount => writer.integer(all().count() as i64),
        Local::CommandList => list(request, learned, writer),
        Local::CommandInfo if request.len() == 2 => infos(all().map(Some).collect(), writer),
        Local::CommandInfo => infos(named(request, learned).collect(), writer),
        Local::CommandDocs if request.len() == 2 => docs::write_all(all(), writer),
        Local::CommandDocs => docs::write_all(named(request, learned).flatten(), writer),
        Local::CommandGetKeys => keys(request, learned, false, writer),
        Local::CommandGetKeysAndFlags => keys(request, learned, true, writer),
        Local::CommandHelp => help(COMMAND_HELP, writer),
        _ => return false,
    }
    true
}

fn ping(request: &Request<'_>, writer: &mut Writer<'_>) {
    match request.len() {
        1 => writer.simple("PONG"),
        2 => writer.bulk(request.arg(1)),
        _ => writer.error("ERR wrong number of arguments for 'ping' command"),
    }
}

/// The commands that COMMAND INFO and COMMAND DOCS are asked for by name.
fn named(request: &Request<'_>, learned: &Learned) -> impl Iterator<Item = Option<&'static Spec>> {
    let names = (2..request.len()).map(|index| request.arg(index));
    names.map(|name| table::lookup_full(name).or_else(|| learned.lookup_full(name)))
}

fn infos(specs: Vec<Option<&'static Spec>>, writer: &mut Writer<'_>) {
    writer.array(specs.len());
    for spec in specs {
        match spec {
            Some(spec) => info::write(spec, writer),
            None => writer.null(),
        }
    }
}

fn list(request: &Request<'_>, learned: &Learned, writer: &mut Writer<'_>) {
    let all = || table::all().chain(learned.all());
    let is = |index: usize, word: &[u8]| request.arg(index).eq_ignore_ascii_case(word);
    let names: Vec<&str> = match request.len() {
        2 => all().map(|spec| spec.name).collect(),
        5 if is(2, b"filterby") && is(3, b"module") => Vec::new(),
        5 if is(2, b"filterby") && is(3, b"aclcat") => in_category(request.arg(4), all()),
        5 if is(2, b"filterby") && is(3, b"pattern") => like(request.arg(4), all()),
        _ => return writer.error("ERR syntax error"),
    };
    writer.array(names.len());
    names.iter().for_each(|name| writer.bulk(name.as_bytes()));
}

fn in_category(name: &[u8], all: impl Iterator<Item = &'static Spec>) -> Vec<&'static str> {
    let Some(category) = std::str::from_utf8(name).ok().and_then(Categories::from_name) else {
        return Vec::new();
    };
    let of_category = all.filter(|spec| spec.categories.contains(category));
    of_category.map(|spec| spec.name).collect()
}

fn like(pattern: &[u8], all: impl Iterator<Item = &'static Spec>) -> Vec<&'static str> {
    let names = all.map(|spec| spec.name);
    names.filter(|name| glob::matches(pattern, name.as_bytes())).collect()
}

/// COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS.
fn keys(request: &Request<'_>, learned: &Learned, with_flags: bool, writer: &mut Writer<'_>) {
    let (bytes, spans) = inner(request, 2);
    let request = Request::new(&bytes, &spans);
    let keys = match keys_of(&request, learned) {
        Ok(keys) => keys,
        Err(text) => return writer.error(text),
    };
    writer.array(keys.len());
    for (position, flags) in keys {
        if with_flags {
            writer.array(2);
        }
        writer.bulk(request.arg(position));
        if with_flags {
            writer.set(flags.count());
            flags.names().for_each(|flag| writer.simple(flag));
        }
    }
}

fn keys_of(
    request: &Request<'_>,
    learned: &Learned,
) -> Result<Vec<(usize, super::KeyFlags)>, &'static str> {
    let container = table::lookup(request.arg(0)).or_else(|| learned.lookup_full(request.arg(0)));
    let known = container.and_then(|spec| {
        if spec.subcommands.is_empty() || request.len() == 1 {
            return Some(spec);
        }
        let unlisted = || learned.subcommand(spec, request.arg(1));
        spec.subcommand(request.arg(1)).or_else(unlisted)
    });
    let spec = known.ok_or("ERR Invalid command specified")?;
    if spec.keys == Keys::None {
        return Err("ERR The command has no key arguments");
    }
    if !spec.accepts(request.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    match find_with_flags(spec, request) {
        Ok(keys) if !keys.is_empty() => Ok(keys),
        _ if spec.flags.contains(super::Flags::NO_MANDATORY_KEYS) => Ok(Vec::new()),
        _ => Err("ERR Invalid arguments specified for command"),
    }
}

/// The command that another is asked about: what follows its first arguments.
pub(crate) fn inner(request: &Request<'_>, skipped: usize) -> (Vec<u8>, Vec<Span>) {
    let mut bytes = Vec::new();
    let mut spans = Vec::new();
    for arg in request.args().skip(skipped) {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(arg);
        spans.push(Span { start, end: bytes.len() as u32 });
    }
    (bytes, spans)
}

fn help(lines: &[&str], writer: &mut Writer<'_>) {
    writer.array(lines.len());
    lines.iter().for_each(|line| writer.simple(line));
}

/// As redis-server 7.0 says it.
const COMMAND_HELP: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Prints this help.",
];

/// As redis-server 7.0 says it.
const CLIENT_HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "HELP",
    "    Prints this help.",
];
