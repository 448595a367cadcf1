//! INFO of several shards and of circlet as one text.
//!
//! ```text
//!   shard 0: used_memory:5 … ─┐
//!   shard 1: used_memory:7 … ─┼─ rule of the field ─► used_memory:12 …
//!   circlet: process_id:99 … ─┘
//! ```
//!
//! Pure: texts in, a text out. [`rules`] says what becomes of each field, [`values`] does the
//! arithmetic. Clients cannot tell the merged text from a Redis's but for its last section.

pub mod rules;
pub mod values;

use std::borrow::Cow;
use std::collections::HashMap;

use rules::{Rule, SECTIONS, rule};

/// What circlet says of itself: section, field, value.
pub type Own = Vec<(&'static str, Cow<'static, str>, String)>;

/// One section: its title as the shards write it, and all values of each field in the order that
/// they appeared in.
#[derive(Debug, Default)]
struct Section<'a> {
    title: String,
    fields: Vec<(&'a str, Vec<&'a str>)>,
    places: HashMap<&'a str, usize>,
}

/// Which sections INFO was asked for.
#[derive(Debug, Clone)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// The sections that these arguments name; none means the usual ones.
    pub fn new<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Self {
        Self(arguments.map(|name| String::from_utf8_lossy(name).to_lowercase()).collect())
    }

    /// Whether a section of the usual ones is wanted.
    pub fn has(&self, section: &str) -> bool {
        let all = ["all", "default", "everything"];
        self.0.is_empty()
            || self.0.iter().any(|wanted| wanted == section || all.contains(&&wanted[..]))
    }

    /// Whether `section`, which is not among the usual ones, is wanted.
    pub fn names(&self, section: &str) -> bool {
        self.0.iter().any(|wanted| [section, "all", "everything"].contains(&&wanted[..]))
    }

    /// Whether none but these sections is wanted.
    pub fn is_within(&self, sections: &[&str]) -> bool {
        !self.0.is_empty() && self.0.iter().all(|wanted| sections.contains(&&wanted[..]))
    }
}

/// The texts of the shards that answered, and circlet's own fields, as one text.
pub fn merge(texts: &[&str], own: &Own, wanted: &Wanted) -> String {
    let mut sections = gather(texts);
    for (name, _, _) in own.iter().filter(|(name, _, _)| wanted.has(name)) {
        section_of(&mut sections, name);
    }
    sections.sort_by_key(|section| {
        let name = section.title.to_lowercase();
        SECTIONS.iter().position(|known| *known == name).unwrap_or(SECTIONS.len())
    });
    let texts: Vec<String> =
        sections.iter().map(|section| section.merged(own, texts.len())).collect();
    texts.join("\r\n")
}

/// The title of a section: Redis's own have a large first letter.
fn title(name: &str) -> String {
    let mut title = name.to_owned();
    if SECTIONS.contains(&name)
        && let Some(first) = title.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    title
}

fn gather<'a>(texts: &[&'a str]) -> Vec<Section<'a>> {
    let mut sections = Vec::new();
    for text in texts {
        let mut at = None;
        for line in text.lines() {
            match (line.strip_prefix("# "), line.split_once(':')) {
                (Some(title), _) => at = Some(section_of(&mut sections, title)),
                (None, Some((field, value))) => {
                    // A field before any title is none of Redis's; it must not be lost.
                    let at = *at.get_or_insert_with(|| section_of(&mut sections, "Server"));
                    sections[at].add(field, value);
                }
                (None, None) => {}
            }
        }
    }
    sections
}

/// The index of the section with this title in any case, entered when it is new.
fn section_of(sections: &mut Vec<Section<'_>>, name: &str) -> usize {
    let known = sections.iter().position(|known| known.title.eq_ignore_ascii_case(name));
    known.unwrap_or_else(|| {
        sections.push(Section { title: title(name), ..Section::default() });
        sections.len() - 1
    })
}

impl<'a> Section<'a> {
    fn add(&mut self, field: &'a str, value: &'a str) {
        let place = *self.places.entry(field).or_insert_with(|| {
            self.fields.push((field, Vec::new()));
            self.fields.len() - 1
        });
        self.fields[place].1.push(value);
    }

    fn merged(&self, own: &Own, shards: usize) -> String {
        let name = self.title.to_lowercase();
        let mut own: Vec<(&str, &str)> = own
            .iter()
            .filter(|(section, _, _)| *section == name)
            .map(|(_, field, value)| (&**field, value.as_str()))
            .collect();
        let mut lines = Vec::new();
        for (field, values) in self.sorted(&name) {
            let rule = rule(&name, field);
            let said = own.iter().position(|(known, _)| *known == field);
            match said.map(|at| own.remove(at)) {
                Some((field, value)) => lines.push((field, Some(value.to_owned()))),
                None if rule == Rule::Modules => {
                    lines.extend(modules(values, shards).map(|line| (field, Some(line))));
                }
                None => lines.push((field, merged_value(rule, values))),
            }
        }
        lines.extend(own.iter().map(|(field, value)| (*field, Some((*value).to_owned()))));
        self.derive(&name, &mut lines);
        let lines = lines.iter().filter_map(|(field, value)| Some((field, value.as_deref()?)));
        let lines: String = lines.map(|(field, value)| format!("{field}:{value}\r\n")).collect();
        format!("# {}\r\n{lines}", self.title)
    }

    /// The fields; databases in the order of their numbers, whichever shard has them.
    fn sorted(&self, name: &str) -> Vec<(&'a str, &[&'a str])> {
        let mut fields: Vec<_> =
            self.fields.iter().map(|(field, values)| (*field, &values[..])).collect();
        if name == "keyspace" {
            let number = |field: &str| field.trim_start_matches("db").parse().unwrap_or(u32::MAX);
            fields.sort_by_key(|(field, _)| number(field));
        }
        fields
    }

    /// Fills in the fields that follow from other merged ones.
    fn derive(&self, name: &str, lines: &mut [(&'a str, Option<String>)]) {
        let known: HashMap<&str, String> =
            lines.iter().filter_map(|(field, value)| Some((*field, value.clone()?))).collect();
        let of = |field: &str| known.get(field).map_or("", String::as_str);
        for (field, value) in lines.iter_mut().filter(|(_, value)| value.is_none()) {
            let derived = match rule(name, field) {
                Rule::Human => values::human(of(field.trim_end_matches("_human"))),
                Rule::Ratio(part, whole) => {
                    values::quotient(of(part), of(whole), "").map(|ratio| format!("{ratio:.2}"))
                }
                Rule::Share(part, whole, less) => values::quotient(of(part), of(whole), of(less))
                    .map(|share| format!("{:.2}%", share * 100.0)),
                _ => continue,
            };
            // A version that lacks the other fields: the shards' own words are the next best.
            *value = derived.or_else(|| Some(values::max(&self.fields[self.places[field]].1)));
        }
    }
}

/// The value that follows from the shards' values alone, if it does.
fn merged_value(rule: Rule, values: &[&str]) -> Option<String> {
    Some(match rule {
        Rule::ByShape => values::by_shape(values),
        Rule::Max => values::max(values),
        Rule::Min => values::min(values),
        Rule::Text => values::text(values),
        Rule::Version => values::version(values),
        Rule::Worst => values::worst(values),
        Rule::Limit => values::limit(values),
        Rule::Calls => values::calls(values),
        Rule::Keyspace => values::keyspace(values),
        Rule::Percentiles => values::percentiles(values),
        Rule::Own | Rule::Drop | Rule::Modules => return None,
        Rule::Human | Rule::Ratio(..) | Rule::Share(..) => return None,
    })
}

/// The lines of the modules that all shards have.
fn modules(lines: &[&str], shards: usize) -> impl Iterator<Item = String> {
    let mut found: Vec<(&str, &str, usize)> = Vec::new();
    for line in lines {
        let name = values::pair(line, "name").unwrap_or(line);
        match found.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, count)) => *count += 1,
            None => found.push((name, line, 1)),
        }
    }
    let everywhere = found.into_iter().filter(move |(_, _, count)| *count == shards);
    everywhere.map(|(_, line, _)| line.to_owned()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests;
