//! Values of INFO's fields, and the arithmetic on them.

use std::cmp::Ordering;

/// A number as INFO writes it: its value and its decimals.
#[derive(Debug, Clone, Copy)]
struct Number {
    value: f64,
    /// The exact value, when there are no decimals.
    integer: Option<i128>,
    decimals: usize,
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    let value: f64 = digits.parse().ok().filter(|_| is_number)?;
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some(Number { value, integer: digits.parse().ok(), decimals })
}

/// The sum of numbers or of lists of `name=number`; otherwise [`text`].
pub fn by_shape(values: &[&str]) -> String {
    sum(values).or_else(|| pairwise(values, sum)).unwrap_or_else(|| text(values))
}

/// The sum, with as many decimals as the most exact value has. `None` when one is no number.
fn sum(values: &[&str]) -> Option<String> {
    let numbers = values.iter().map(|value| number(value)).collect::<Option<Vec<_>>>()?;
    let integers: Option<Vec<i128>> = numbers.iter().map(|number| number.integer).collect();
    Some(match integers {
        Some(integers) => integers.iter().fold(0_i128, |a, b| a.saturating_add(*b)).to_string(),
        None => {
            let decimals = numbers.iter().map(|number| number.decimals).max().unwrap_or(0);
            let total: f64 = numbers.iter().map(|number| number.value).sum();
            format!("{total:.decimals$}")
        }
    })
}

/// The different values, `|` between them.
pub fn text(values: &[&str]) -> String {
    let mut different: Vec<&str> = Vec::new();
    for value in values {
        if !different.contains(value) {
            different.push(value);
        }
    }
    different.join("|")
}

/// The greatest number as its shard wrote it.
pub fn max(values: &[&str]) -> String {
    extreme(values, Ordering::Greater)
}

/// The least number as its shard wrote it.
pub fn min(values: &[&str]) -> String {
    extreme(values, Ordering::Less)
}

fn extreme(values: &[&str], wanted: Ordering) -> String {
    let Some(numbers) = values.iter().map(|value| number(value)).collect::<Option<Vec<_>>>() else {
        return text(values);
    };
    let mut best = 0;
    for index in 1..values.len() {
        if numbers[index].value.total_cmp(&numbers[best].value) == wanted {
            best = index;
        }
    }
    values.get(best).copied().unwrap_or_default().to_owned()
}

/// The least of versions like 7.0.15.
pub fn version(values: &[&str]) -> String {
    let parts = |version: &str| -> Vec<u64> {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    let least = values.iter().min_by_key(|version| parts(version));
    least.copied().unwrap_or_default().to_owned()
}

/// `ok`, or what those say that are not.
pub fn worst(values: &[&str]) -> String {
    let bad: Vec<&str> = values.iter().copied().filter(|value| *value != "ok").collect();
    if bad.is_empty() { "ok".to_owned() } else { text(&bad) }
}

/// The sum of limits, 0 when any is none.
pub fn limit(values: &[&str]) -> String {
    if values.contains(&"0") { "0".to_owned() } else { by_shape(values) }
}

/// Bytes for people, as Redis writes them.
pub fn human(bytes: &str) -> Option<String> {
    let bytes: u64 = bytes.parse().ok()?;
    let (unit, letter) = match bytes {
        0..1024 => return Some(format!("{bytes}B")),
        _ if bytes < 1 << 20 => (1_u64 << 10, 'K'),
        _ if bytes < 1 << 30 => (1 << 20, 'M'),
        _ if bytes < 1 << 40 => (1 << 30, 'G'),
        _ if bytes < 1 << 50 => (1 << 40, 'T'),
        _ => (1 << 50, 'P'),
    };
    Some(format!("{:.2}{letter}", bytes as f64 / unit as f64))
}

/// The quotient of two fields; 0 by nothing.
pub fn quotient(part: &str, whole: &str, less: &str) -> Option<f64> {
    let whole = number(whole)?.value - number(less).map_or(0.0, |less| less.value);
    let part = number(part)?.value;
    Some(if whole == 0.0 { 0.0 } else { part / whole })
}

/// The line of a command's statistics: added, `usec_per_call` anew.
pub fn calls(values: &[&str]) -> String {
    let Some(added) = pairwise(values, sum) else { return text(values) };
    let per_call = pair(&added, "usec").zip(pair(&added, "calls"));
    match per_call.and_then(|(usec, calls)| quotient(usec, calls, "")) {
        Some(per_call) => replaced(&added, "usec_per_call", per_call),
        None => added,
    }
}

/// The line of a database: added, `avg_ttl` weighted by `expires`.
pub fn keyspace(values: &[&str]) -> String {
    let Some(added) = pairwise(values, sum) else { return text(values) };
    let of = |line: &str, name: &str| pair(line, name).and_then(number).map(|found| found.value);
    let lifetime = |line: &&str| Some(of(line, "avg_ttl")? * of(line, "expires")?);
    let total: f64 = values.iter().filter_map(lifetime).sum();
    match of(&added, "expires") {
        Some(expires) if expires > 0.0 => replaced(&added, "avg_ttl", (total / expires).trunc()),
        _ => replaced(&added, "avg_ttl", 0.0),
    }
}

/// Percentiles, each the worst shard's.
pub fn percentiles(values: &[&str]) -> String {
    pairwise(values, |values| Some(max(values))).unwrap_or_else(|| text(values))
}

/// Joins lists of `name=value`, name by name; `None` when a value is no such list or a name's
/// values do not join.
fn pairwise(values: &[&str], join: impl Fn(&[&str]) -> Option<String>) -> Option<String> {
    if values.iter().any(|line| line.split(',').any(|pair| !pair.contains('='))) {
        return None;
    }
    let mut joined: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in values.iter().flat_map(|line| pairs(line)) {
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, found)) => found.push(value),
            None => joined.push((name, vec![value])),
        }
    }
    let joined = joined.iter().map(|(name, values)| Some(format!("{name}={}", join(values)?)));
    Some(joined.collect::<Option<Vec<_>>>()?.join(","))
}

/// The list with another value for `name`, of as many decimals as it has.
fn replaced(line: &str, name: &str, value: f64) -> String {
    let write = |(known, old): (&str, &str)| match known == name {
        true => {
            let decimals = number(old).map_or(0, |old| old.decimals);
            format!("{known}={value:.decimals$}")
        }
        false => format!("{known}={old}"),
    };
    pairs(line).map(write).collect::<Vec<_>>().join(",")
}

fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(',').filter_map(|pair| pair.split_once('='))
}

/// The value of `wanted` in a list of pairs.
pub fn pair<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    pairs(line).find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_add_up_in_the_decimals_they_have() {
        assert_eq!(by_shape(&["1", "2", "9007199254740993"]), "9007199254740996");
        assert_eq!(by_shape(&["0.10", "2", "0.255"]), "2.355");
        assert_eq!(by_shape(&["count=2", "count=3,more=1"]), "count=5,more=1");
        assert_eq!(by_shape(&["7.0.15", "7.0.15"]), "7.0.15");
        assert_eq!(by_shape(&["epoll", "kqueue", "epoll"]), "epoll|kqueue");
        assert_eq!(by_shape(&["", ""]), "");
        assert_eq!(by_shape(&["inf", "nan"]), "inf|nan");
    }

    #[test]
    fn extremes_keep_the_text_of_their_shard() {
        assert_eq!(max(&["9", "10", "-1"]), "10");
        assert_eq!(min(&["9", "10", "-1"]), "-1");
        assert_eq!(max(&["99.70%", "100.19%"]), "100.19%");
        assert_eq!(max(&["yes", "no"]), "yes|no");
        assert_eq!(version(&["7.0.15", "7.0.9", "10.1"]), "7.0.9");
        assert_eq!(worst(&["ok", "ok"]), "ok");
        assert_eq!(worst(&["ok", "err"]), "err");
        assert_eq!(limit(&["100", "0"]), "0");
        assert_eq!(limit(&["100", "50"]), "150");
    }

    #[test]
    fn bytes_are_written_as_redis_writes_them() {
        let shown = ["200", "966448", "11894784", "25276514304", "x"].map(human);
        let expected = ["200B", "943.80K", "11.34M", "23.54G"].map(|text| Some(text.to_owned()));
        assert_eq!(shown[..4], expected);
        assert_eq!(shown[4], None);
    }

    #[test]
    fn statistics_of_a_command_add_up() {
        let lines = [
            "calls=1,usec=10,usec_per_call=10.00,rejected_calls=1,failed_calls=0",
            "calls=3,usec=20,usec_per_call=6.67,rejected_calls=0,failed_calls=2",
        ];
        let expected = "calls=4,usec=30,usec_per_call=7.50,rejected_calls=1,failed_calls=2";
        assert_eq!(calls(&lines), expected);
        let none = "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0";
        assert_eq!(calls(&[none]), none);
    }

    #[test]
    fn a_mean_lifetime_is_weighted() {
        let lines = [
            "keys=10,expires=1,avg_ttl=1000",
            "keys=5,expires=3,avg_ttl=2000",
            "keys=1,expires=0,avg_ttl=0",
        ];
        assert_eq!(keyspace(&lines), "keys=16,expires=4,avg_ttl=1750");
        assert_eq!(
            keyspace(&["keys=1,expires=0,avg_ttl=0,subexpiry=2"]),
            "keys=1,expires=0,avg_ttl=0,subexpiry=2"
        );
    }

    #[test]
    fn percentiles_are_the_worst_shards() {
        assert_eq!(
            percentiles(&["p50=1.003,p99=9.023", "p50=2.007,p99=8.031"]),
            "p50=2.007,p99=9.023"
        );
    }
}
