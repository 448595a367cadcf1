//! A reader of Prometheus's text that trusts nothing: names, order, types, labels, buckets.

use std::collections::{BTreeMap, HashSet};

/// The series of one scrape, each with its labels as they came: `name{a="b"}`.
#[derive(Debug)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text and holds it against the format's grammar.
    #[track_caller]
    pub fn read(text: &str) -> Metrics {
        assert!(text.ends_with('\n'), "the last line ends too");
        let (mut series, mut heads) = (BTreeMap::new(), HashSet::new());
        let (mut name, mut kind) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (of, help) = rest.split_once(' ').expect("a name and a help");
                assert!(is_name(of) && !help.is_empty() && !help.ends_with('.'), "{line}");
                assert!(heads.insert(of.to_owned()), "{of} comes twice");
                name = of.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (of, is) = rest.split_once(' ').expect("a name and a type");
                assert_eq!(of, name, "the type follows the help");
                assert!(["counter", "gauge", "histogram"].contains(&is), "{line}");
                assert_eq!(is == "counter", of.ends_with("_total"), "{line}");
                kind = is.to_owned();
            } else {
                let (what, value) = line.rsplit_once(' ').expect("a series and a value");
                let own = what.split('{').next().expect("a name");
                let suffix = own.strip_prefix(&name).unwrap_or_else(|| panic!("{line}: no {name}"));
                let may_be: &[&str] = match &kind[..] {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(may_be.contains(&suffix) && labels_are_well_formed(what), "{line}");
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}: no number"));
                assert!(value.is_finite() && value >= 0.0, "{line}");
                assert!(series.insert(what.to_owned(), value).is_none(), "{what} comes twice");
            }
        }
        let metrics = Metrics(series);
        metrics.histograms_add_up();
        metrics
    }

    /// The value of a series; the order of its labels matters.
    #[track_caller]
    pub fn of(&self, series: &str) -> f64 {
        self.known(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.0))
    }

    /// The value of a series that need not be there yet.
    pub fn known(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The sum of all series whose names and labels begin so.
    pub fn sum(&self, beginning: &str) -> f64 {
        self.0.iter().filter(|(name, _)| name.starts_with(beginning)).map(|(_, value)| value).sum()
    }

    /// The series and their values.
    pub fn all(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, &value)| (&name[..], value))
    }

    /// Each bucket holds those before it, and the last one all.
    #[track_caller]
    fn histograms_add_up(&self) {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, &value) in &self.0 {
            if let Some((before, rest)) = series.split_once("le=\"") {
                let (bound, _) = rest.split_once('"').expect("a closing quote");
                let bound = bound.parse().expect("a number, or +Inf");
                let of = before.trim_end_matches([',', '{']).replacen("_bucket", "", 1);
                buckets.entry(of).or_default().push((bound, value));
            }
        }
        for (of, mut found) in buckets {
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(found.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{of}: {found:?}");
            let close = if of.contains('{') { "}" } else { "" };
            let count = of.replacen('{', "_count{", 1) + close;
            let count = if close.is_empty() { of.clone() + "_count" } else { count };
            assert_eq!(found.last(), Some(&(f64::INFINITY, self.of(&count))), "{of}");
        }
    }
}

fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}

/// `name` or `name{a="…",b="…"}`, backslashes and quotes within values escaped.
fn labels_are_well_formed(series: &str) -> bool {
    let Some((name, rest)) = series.split_once('{') else { return is_name(series) };
    let Some(mut rest) = rest.strip_suffix('}') else { return false };
    let mut names = HashSet::new();
    while !rest.is_empty() {
        let Some((label, after)) = rest.split_once("=\"") else { return false };
        let mut escaped = false;
        let end = after.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { return false };
        if !is_name(label) || !names.insert(label) {
            return false;
        }
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    is_name(name)
}

#[test]
fn what_is_no_such_text_is_not_read() {
    assert!(labels_are_well_formed("a{b=\"\\\"\\\\\",c=\"x,y\"}"));
    for wrong in ["a{b=\"}", "a{b=\"\"", "a{B=\"\"}", "a{b=\"\",b=\"\"}", "A", "a{b}"] {
        assert!(!labels_are_well_formed(wrong), "{wrong}");
    }
}
