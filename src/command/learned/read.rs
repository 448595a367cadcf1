//! Reads a shard's reply to COMMAND, in RESP2. The reply is delimited, and its nesting checked.

use bytes::Bytes;
use redis_protocol::resp2::decode::decode_bytes;
use redis_protocol::resp2::types::BytesFrame;

use super::{keep, rules};
use crate::command::bits::{Categories, Flags, KeyFlags};
use crate::command::family::Family;
use crate::command::parse::{policy, request_policy, response_policy};
use crate::command::spec::{BeginSearch, FindKeys, Handling, KeySpec, Keys, Spec};
use crate::command::table;

/// The most commands and subcommands that are learned from one shard; Redis with all of its own
/// modules has some 300 beyond the table.
pub const MAX_COMMANDS: usize = 4096;

/// What a shard told.
#[derive(Debug, Default, Clone)]
pub struct Lesson {
    /// The commands that the table lacks, and subcommands that its commands lack.
    pub specs: Vec<&'static Spec>,
    /// Entries that are no command's, and those beyond a limit.
    pub passed_over: usize,
}

/// A reply that is no list of commands; the text says what it is instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// Reads the reply of a shard to COMMAND. `alone`: it is its pool's only shard.
pub fn read(reply: &Bytes, alone: bool) -> Result<Lesson, ReadError> {
    let commands = match decode_bytes(reply) {
        Ok(Some((BytesFrame::Array(commands), used))) if used == reply.len() => commands,
        Ok(Some((BytesFrame::Error(text), _))) => return Err(ReadError(text.to_string())),
        _ => return Err(ReadError("its reply is no list of commands".into())),
    };
    let mut lesson = Lesson::default();
    for command in &commands {
        match beyond_table(command) {
            Some(unknown) => unknown.into_iter().for_each(|entry| lesson.take(entry, alone)),
            None => lesson.passed_over += 1,
        }
    }
    Ok(lesson)
}

/// A command's entry if the table lacks it, or those of its subcommands that the table lacks;
/// `None` when it is no entry.
fn beyond_table(command: &BytesFrame) -> Option<Vec<&BytesFrame>> {
    let facts = array(command)?;
    let name = text(facts.first()?)?;
    let Some(known) = table::lookup(name.as_bytes()) else { return Some(vec![command]) };
    let subcommands = facts.get(9).and_then(array).unwrap_or_default();
    let is_new = |subcommand: &&BytesFrame| {
        let name = array(subcommand).and_then(|facts| text(facts.first()?));
        let own = name.and_then(|name| name.split_once('|'));
        own.is_some_and(|(_, own)| known.subcommand(own.as_bytes()).is_none())
    };
    // A subcommand where the table has none would change what the command itself means.
    match known.subcommands.is_empty() {
        true => Some(Vec::new()),
        false => Some(subcommands.iter().filter(is_new).collect()),
    }
}

impl Lesson {
    fn take(&mut self, entry: &BytesFrame, alone: bool) {
        let room = MAX_COMMANDS.saturating_sub(self.specs.len());
        match (room > 0).then(|| spec(entry, alone, true)).flatten().and_then(keep::spec) {
            Some(spec) => self.specs.push(spec),
            None => self.passed_over += 1,
        }
    }
}

/// One command's entry: name, arity, flags, first key, last key, step; from 6.2 on ACL categories,
/// from 7.0 on tips, key specs and subcommands.
fn spec(entry: &BytesFrame, alone: bool, is_outer: bool) -> Option<Spec> {
    let facts = array(entry)?;
    let name = text(facts.first()?).filter(|name| is_name(name))?;
    let flags = words(facts.get(2)?, Flags::from_name, Flags::with);
    let at = |index: usize| number(facts.get(index)?).and_then(|n| i32::try_from(n).ok());
    let legacy_range = (at(3)?, at(4)?, at(5)?);
    let category = |name: &str| Categories::from_name(name.trim_start_matches('@'));
    let tips = facts.get(7).and_then(array).unwrap_or_default();
    let tips = tips.iter().take(MAX_TIPS).map(|tip| keep::text(text(tip)?));
    let tips = tips.collect::<Option<Vec<_>>>()?;
    let subcommands = facts.get(9).and_then(array).filter(|_| is_outer).unwrap_or_default();
    if subcommands.len() > MAX_SUBCOMMANDS {
        return None;
    }
    let mut spec = Spec {
        name: keep::text(name)?,
        id: Spec::LEARNED,
        arity: at(1)?,
        keys: Keys::None,
        handling: Handling::AnyShard,
        request_policy: policy(&tips, "request_policy:", request_policy).ok()?,
        response_policy: policy(&tips, "response_policy:", response_policy).ok()?,
        flags,
        categories: facts
            .get(6)
            .map_or_else(Default::default, |words_of| words(words_of, category, Categories::with)),
        group: if flags.contains(Flags::MODULE) { "module" } else { "" },
        family: Family::Other,
        since: "",
        tips,
        key_specs: key_specs(facts.get(8), legacy_range)?,
        legacy_range,
        subcommands: subcommands.iter().filter_map(|entry| spec_of(entry, name, alone)).collect(),
    };
    rules::decide(&mut spec, alone);
    Some(spec)
}

/// A subcommand of `container`.
fn spec_of(entry: &BytesFrame, container: &str, alone: bool) -> Option<Spec> {
    let spec = spec(entry, alone, false)?;
    let own = spec.name.strip_prefix(container)?.strip_prefix('|')?;
    (!own.is_empty()).then_some(spec)
}

/// The key specs, or before Redis 7 the one that first key, last key and step amount to.
fn key_specs(told: Option<&BytesFrame>, range: (i32, i32, i32)) -> Option<Vec<KeySpec>> {
    match told.and_then(array) {
        Some(specs) if !specs.is_empty() => {
            specs.iter().take(MAX_KEY_SPECS + 1).map(key_spec).collect::<Option<Vec<_>>>()
        }
        _ if range.0 > 0 => {
            let (first, last, step) = range;
            let last = if last < 0 { last } else { last.checked_sub(first)? };
            let find = match usize::try_from(step) {
                Ok(step @ 1..=MAX_INDEX) if last >= 0 || range.1 < 0 => {
                    FindKeys::Range { last, step, limit: 0 }
                }
                _ => FindKeys::Unknown,
            };
            Some(vec![KeySpec {
                flags: KeyFlags::default(),
                begin: BeginSearch::Index(first as usize),
                find,
            }])
        }
        _ => Some(Vec::new()),
    }
    .filter(|specs| specs.len() <= MAX_KEY_SPECS)
}

fn key_spec(frame: &BytesFrame) -> Option<KeySpec> {
    let begin = fact(frame, "begin_search")?;
    let find = fact(frame, "find_keys")?;
    Some(KeySpec {
        flags: words(fact(frame, "flags")?, KeyFlags::from_name, KeyFlags::with),
        begin: begin_search(begin).unwrap_or(BeginSearch::Unknown),
        find: find_keys(find).unwrap_or(FindKeys::Unknown),
    })
}

fn begin_search(frame: &BytesFrame) -> Option<BeginSearch> {
    let spec = fact(frame, "spec")?;
    match text(fact(frame, "type")?)? {
        "index" => index(spec, "index").filter(|at| *at > 0).map(BeginSearch::Index),
        "keyword" => Some(BeginSearch::Keyword {
            keyword: keep::text(text(fact(spec, "keyword")?)?)?,
            from: i32::try_from(number(fact(spec, "startfrom")?)?).ok().filter(|at| *at != 0)?,
        }),
        _ => None,
    }
}

fn find_keys(frame: &BytesFrame) -> Option<FindKeys> {
    let spec = fact(frame, "spec")?;
    match text(fact(frame, "type")?)? {
        "range" => Some(FindKeys::Range {
            last: i32::try_from(number(fact(spec, "lastkey")?)?).ok()?,
            step: index(spec, "keystep").filter(|step| *step > 0)?,
            limit: index(spec, "limit")?,
        }),
        "keynum" => Some(FindKeys::Count {
            at: index(spec, "keynumidx")?,
            first: index(spec, "firstkey")?,
            step: index(spec, "keystep").filter(|step| *step > 0)?,
        }),
        _ => None,
    }
}

/// The value of `key` in a map, which RESP2 writes as an array.
fn fact<'a>(map: &'a BytesFrame, key: &str) -> Option<&'a BytesFrame> {
    let pairs = array(map)?;
    pairs.chunks_exact(2).find(|pair| text(&pair[0]) == Some(key)).map(|pair| &pair[1])
}

fn array(frame: &BytesFrame) -> Option<&[BytesFrame]> {
    match frame {
        BytesFrame::Array(elements) => Some(elements),
        _ => None,
    }
}

fn text(frame: &BytesFrame) -> Option<&str> {
    match frame {
        BytesFrame::BulkString(bytes) | BytesFrame::SimpleString(bytes) => {
            std::str::from_utf8(bytes).ok()
        }
        _ => None,
    }
}

fn number(frame: &BytesFrame) -> Option<i64> {
    match frame {
        BytesFrame::Integer(number) => Some(*number),
        _ => None,
    }
}

/// A number that is a place among arguments.
fn index(map: &BytesFrame, key: &str) -> Option<usize> {
    usize::try_from(number(fact(map, key)?)?).ok().filter(|index| *index <= MAX_INDEX)
}

/// A set of words; those that circlet does not know are left out.
fn words<T: Default>(frame: &BytesFrame, named: fn(&str) -> Option<T>, with: fn(T, T) -> T) -> T {
    let words = array(frame).unwrap_or_default().iter().filter_map(text).filter_map(named);
    words.fold(T::default(), with)
}

/// Whether a client can call it, and an error can show it.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The longest name: Redis has none above 30.
const MAX_NAME: usize = 128;
/// Redis's XREADGROUP and its like have up to 4.
const MAX_KEY_SPECS: usize = 16;
/// Redis has 5 kinds of tips.
const MAX_TIPS: usize = 16;
/// CLUSTER has 35.
const MAX_SUBCOMMANDS: usize = 512;
/// No command has more arguments by default.
const MAX_INDEX: usize = 1024 * 1024;
