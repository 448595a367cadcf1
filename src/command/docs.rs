//! The words for people in `docs.txt`, and the reply to COMMAND DOCS.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::spec::Spec;
use crate::resp::Writer;

/// Writes COMMAND DOCS' map for `specs`.
pub fn write_all(specs: impl Iterator<Item = &'static Spec>, writer: &mut Writer<'_>) {
    let specs: Vec<_> = specs.collect();
    writer.map(specs.len());
    specs.into_iter().for_each(|spec| write(spec, writer));
}

/// What is noted of each of the command's key specs.
pub fn notes(spec: &Spec) -> impl Iterator<Item = Option<&'static str>> {
    let notes = DOCS.get(spec.name).map_or(&[][..], |entry| &entry.notes);
    (0..spec.key_specs.len())
        .map(|index| notes.iter().find(|note| note.0 == index).map(|note| note.1))
}

/// What `docs.txt` says of one command.
#[derive(Debug, Default)]
struct Entry {
    summary: &'static str,
    complexity: Option<&'static str>,
    flags: Vec<&'static str>,
    deprecated: Option<&'static str>,
    replaced: Option<&'static str>,
    /// Versions, and what each changed.
    history: Vec<(&'static str, &'static str)>,
    /// Remarks on key specs, by their index.
    notes: Vec<(usize, &'static str)>,
    arguments: Vec<Argument>,
}

/// An argument of a command, with those it is made of.
#[derive(Debug, Default)]
struct Argument {
    name: &'static str,
    kind: &'static str,
    key_spec: Option<i64>,
    since: Option<&'static str>,
    deprecated: Option<&'static str>,
    flags: Vec<&'static str>,
    token: Option<&'static str>,
    arguments: Vec<Argument>,
}

static DOCS: LazyLock<HashMap<&'static str, Entry>> =
    LazyLock::new(|| read(include_str!("docs.txt")));

/// Blocks of a command's name and, indented, what is said of it.
fn read(text: &'static str) -> HashMap<&'static str, Entry> {
    let mut docs = HashMap::new();
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut next = lines.next();
    while let Some(name) = next {
        let mut entry = Entry::default();
        next = lines.next();
        while let Some(line) = next.filter(|line| line.starts_with(' ')) {
            entry.add(line);
            next = lines.next();
        }
        docs.insert(name, entry);
    }
    docs
}

impl Entry {
    fn add(&mut self, line: &'static str) {
        let depth = line.len() - line.trim_start().len();
        let (key, value) = line[depth..].split_once(' ').unwrap_or((&line[depth..], ""));
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        match key {
            "summary" => self.summary = value,
            "complexity" => self.complexity = Some(value),
            "flag" => self.flags.push(value),
            "deprecated" => self.deprecated = Some(value),
            "replaced" => self.replaced = Some(value),
            "history" => self.history.push((first, rest)),
            "note" => self.notes.extend(first.parse().ok().map(|index| (index, rest))),
            "arg" => self.level(depth).push(Argument::read(first, rest)),
            _ => debug_assert!(false, "docs.txt: {line}"),
        }
    }

    /// The arguments among which one indented by `depth` belongs.
    fn level(&mut self, depth: usize) -> &mut Vec<Argument> {
        (1..depth).fold(&mut self.arguments, |level, _| {
            &mut level.last_mut().expect("docs.txt indents below an argument").arguments
        })
    }
}

impl Argument {
    /// `KIND key=value … token=ANYTHING TO THE END`.
    fn read(name: &'static str, text: &'static str) -> Self {
        let (text, token) = match text.split_once(" token=") {
            Some((text, token)) => (text, Some(token)),
            None => (text, None),
        };
        let mut words = text.split(' ');
        let kind = words.next().unwrap_or_default();
        let mut argument = Self { name, kind, token, ..Self::default() };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "spec" => argument.key_spec = value.parse().ok(),
                "since" => argument.since = Some(value),
                "deprecated" => argument.deprecated = Some(value),
                "flags" => argument.flags = value.split('+').collect(),
                _ => debug_assert!(false, "docs.txt: {text}"),
            }
        }
        argument
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let words = [("token", self.token), ("since", self.since)];
        let words = words.into_iter().chain([("deprecated_since", self.deprecated)]);
        let count = 2
            + usize::from(self.key_spec.is_some())
            + words.clone().filter(|word| word.1.is_some()).count()
            + usize::from(!self.flags.is_empty())
            + usize::from(!self.arguments.is_empty());
        writer.map(count);
        bulks(writer, [("name", Some(self.name)), ("type", Some(self.kind))]);
        if let Some(index) = self.key_spec {
            writer.bulk(b"key_spec_index");
            writer.integer(index);
        }
        bulks(writer, words);
        flags(writer, "flags", &self.flags);
        arguments(writer, &self.arguments);
    }
}

fn write(spec: &Spec, writer: &mut Writer<'_>) {
    static NOTHING: LazyLock<Entry> = LazyLock::new(Entry::default);
    let entry = DOCS.get(spec.name).unwrap_or(&NOTHING);
    let told = |text: &'static str| (!text.is_empty()).then_some(text);
    let before = [("summary", told(entry.summary)), ("since", told(spec.since))];
    let before = before.into_iter().chain([("group", told(spec.group))]);
    let before = before.chain([("complexity", entry.complexity)]);
    let after = [("deprecated_since", entry.deprecated), ("replaced_by", entry.replaced)];
    let count = before.clone().chain(after).filter(|word| word.1.is_some()).count()
        + usize::from(!entry.flags.is_empty())
        + usize::from(!entry.history.is_empty())
        + usize::from(!entry.arguments.is_empty())
        + usize::from(!spec.subcommands.is_empty());
    writer.bulk(spec.name.as_bytes());
    writer.map(count);
    bulks(writer, before);
    flags(writer, "doc_flags", &entry.flags);
    bulks(writer, after);
    history(writer, &entry.history);
    arguments(writer, &entry.arguments);
    if !spec.subcommands.is_empty() {
        writer.bulk(b"subcommands");
        writer.map(spec.subcommands.len());
        spec.subcommands.iter().for_each(|subcommand| write(subcommand, writer));
    }
}

fn bulks(
    writer: &mut Writer<'_>,
    words: impl IntoIterator<Item = (&'static str, Option<&'static str>)>,
) {
    for (key, value) in words {
        let Some(value) = value else { continue };
        writer.bulk(key.as_bytes());
        writer.bulk(value.as_bytes());
    }
}

fn flags(writer: &mut Writer<'_>, key: &str, flags: &[&str]) {
    if !flags.is_empty() {
        writer.bulk(key.as_bytes());
        writer.set(flags.len());
        flags.iter().for_each(|flag| writer.simple(flag));
    }
}

fn history(writer: &mut Writer<'_>, history: &[(&str, &str)]) {
    if !history.is_empty() {
        writer.bulk(b"history");
        writer.set(history.len());
        for (version, change) in history {
            writer.array(2);
            writer.bulk(version.as_bytes());
            writer.bulk(change.as_bytes());
        }
    }
}

fn arguments(writer: &mut Writer<'_>, arguments: &[Argument]) {
    if !arguments.is_empty() {
        writer.bulk(b"arguments");
        writer.array(arguments.len());
        arguments.iter().for_each(|argument| argument.write(writer));
    }
}

/// The command's summary, empty if `docs.txt` does not know it.
pub fn summary(spec: &Spec) -> &'static str {
    DOCS.get(spec.name).map_or("", |entry| entry.summary)
}
