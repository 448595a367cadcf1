//! One command's entry in the replies of COMMAND and COMMAND INFO.

use super::docs;
use super::spec::{BeginSearch, FindKeys, KeySpec, Spec};
use crate::resp::Writer;

/// Writes the ten facts that Redis 7 tells of a command.
pub fn write(spec: &Spec, writer: &mut Writer<'_>) {
    writer.array(10);
    writer.bulk(spec.name.as_bytes());
    writer.integer(spec.arity.into());
    writer.set(spec.flags.count());
    spec.flags.names().for_each(|flag| writer.simple(flag));
    let (first, last, step) = spec.legacy_range;
    [first, last, step].into_iter().for_each(|number| writer.integer(number.into()));
    writer.set(spec.categories.count());
    spec.categories.names().for_each(|category| writer.simple(&format!("@{category}")));
    writer.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| writer.bulk(tip.as_bytes()));
    writer.set(spec.key_specs.len());
    let notes = docs::notes(spec);
    spec.key_specs.iter().zip(notes).for_each(|(keys, note)| key_spec(keys, note, writer));
    match spec.subcommands.len() {
        0 => writer.set(0),
        count => writer.array(count),
    }
    spec.subcommands.iter().for_each(|subcommand| write(subcommand, writer));
}

fn key_spec(spec: &KeySpec, note: Option<&str>, writer: &mut Writer<'_>) {
    writer.map(3 + usize::from(note.is_some()));
    if let Some(note) = note {
        text(writer, "notes", note);
    }
    writer.bulk(b"flags");
    writer.set(spec.flags.count());
    spec.flags.names().for_each(|flag| writer.simple(flag));
    writer.bulk(b"begin_search");
    begin_search(&spec.begin, writer);
    writer.bulk(b"find_keys");
    find_keys(&spec.find, writer);
}

fn begin_search(begin: &BeginSearch, writer: &mut Writer<'_>) {
    match begin {
        BeginSearch::Index(index) => {
            method(writer, "index", 1);
            number(writer, "index", *index as i64);
        }
        BeginSearch::Keyword { keyword, from } => {
            method(writer, "keyword", 2);
            text(writer, "keyword", keyword);
            number(writer, "startfrom", (*from).into());
        }
        BeginSearch::Unknown => method(writer, "unknown", 0),
    }
}

fn find_keys(find: &FindKeys, writer: &mut Writer<'_>) {
    match find {
        FindKeys::Range { last, step, limit } => {
            method(writer, "range", 3);
            number(writer, "lastkey", (*last).into());
            number(writer, "keystep", *step as i64);
            number(writer, "limit", *limit as i64);
        }
        FindKeys::Count { at, first, step } => {
            method(writer, "keynum", 3);
            number(writer, "keynumidx", *at as i64);
            number(writer, "firstkey", *first as i64);
            number(writer, "keystep", *step as i64);
        }
        FindKeys::Unknown => method(writer, "unknown", 0),
    }
}

/// The head of a search method: its type, and the map of its `count` facts, which follow.
fn method(writer: &mut Writer<'_>, name: &str, count: usize) {
    writer.map(2);
    text(writer, "type", name);
    writer.bulk(b"spec");
    writer.map(count);
}

fn text(writer: &mut Writer<'_>, key: &str, value: &str) {
    writer.bulk(key.as_bytes());
    writer.bulk(value.as_bytes());
}

fn number(writer: &mut Writer<'_>, key: &str, value: i64) {
    writer.bulk(key.as_bytes());
    writer.integer(value);
}
