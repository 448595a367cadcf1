//! Why a proxy places keys otherwise than the file: what has to be changed in the file for the places
//! that were seen to come out.
//!
//! Changes are tried one by one and then several together, on the keys whose places are known. What
//! explains all of them is the cause, beyond reasonable doubt: 500 keys do not fit by chance.

use std::collections::{BTreeMap, BTreeSet};

use super::setup::{Evidence, Placing, Setup, name_without_alias};
use super::tally::{Pair, Seen, Tally};
use crate::config::{Distribution, KeyBytes, Pool, words};

/// A likely cause, for people to read.
pub fn cause(pool: &Pool, seen: &[Evidence<'_>], tally: &Tally) -> String {
    let names: Vec<&str> = pool.servers.iter().map(|server| server.name.as_str()).collect();
    let step = seen.len().div_ceil(TRIED).max(1);
    let tried: Vec<Evidence<'_>> = seen.iter().step_by(step).copied().collect();
    strangers(tally)
        .or_else(|| renamed(&names, tally))
        .or_else(|| changed(pool, &tried))
        .or_else(|| around_one(&names, tally))
        .unwrap_or_else(|| UNKNOWN.to_owned())
}

/// A way to place keys that is not the file's, and how it is told.
type Suspicion = (Placing, String);

/// The change, or changes, with which the file says what was seen.
fn changed(pool: &Pool, tried: &[Evidence<'_>]) -> Option<String> {
    let file = Setup::of(pool);
    let is_enough = |(placing, told): Suspicion| {
        let explained = placing.explains(tried);
        (explained * 100 >= tried.len() * ENOUGH).then(|| {
            format!("the proxy places keys {told}: then {explained} of {} keys agree", tried.len())
        })
    };
    let mut of_servers = of_servers(pool, &file).into_iter();
    of_keys(pool, &file)
        .into_iter()
        .find_map(is_enough)
        .or_else(|| of_servers.find_map(|(setup, told)| is_enough((setup.place(), told))))
}

/// Other values of hash, hash_tag, distribution and key_bytes, fewer changes first.
fn of_keys(pool: &Pool, file: &Setup) -> Vec<Suspicion> {
    let mut all = Vec::new();
    for (distribution, told_distribution) in distributions(pool) {
        let placing = Setup { distribution, ..file.clone() }.place();
        for (hash, told_hash) in hashes(pool) {
            for (hash_tag, told_tag) in tags(pool) {
                for (key_bytes, told_bytes) in signs(pool) {
                    let told = [&told_hash, &told_tag, &told_distribution, &told_bytes];
                    let told: Vec<&str> = told.into_iter().flatten().map(String::as_str).collect();
                    let placing = placing.rehashed(hash, key_bytes, hash_tag);
                    all.push((told.len(), (placing, told.join(" and "))));
                }
            }
        }
    }
    all.sort_by_key(|(changes, _)| *changes);
    all.into_iter().skip(1).map(|(_, suspicion)| suspicion).collect()
}

/// Every value a key may have, the file's first and with nothing to tell.
type Values<T> = Vec<(T, Option<String>)>;

fn values<T: PartialEq + Copy>(pool: &Pool, key: &str, field: fn(&Pool) -> T) -> Values<T> {
    let value = |(word, set): &crate::config::reference::Word| {
        let mut changed = pool.clone();
        set(&mut changed);
        (field(&changed), *word)
    };
    let all: Vec<(T, &str)> = words(key).iter().map(value).collect();
    let own = all.iter().find(|(value, _)| *value == field(pool)).map_or("", |(_, word)| word);
    let others = all.iter().filter(|(_, word)| *word != own).map(|(value, word)| {
        (*value, Some(format!("as with `{key}: {word}` (the file has {own})")))
    });
    std::iter::once((field(pool), None)).chain(others).collect()
}

fn hashes(pool: &Pool) -> Values<crate::config::Hash> {
    values(pool, "hash", |pool| pool.hash)
}

fn signs(pool: &Pool) -> Values<KeyBytes> {
    values(pool, "key_bytes", |pool| pool.key_bytes)
}

/// twemproxy's, and the file's own. With random keys tell nothing: any place may come out.
fn distributions(pool: &Pool) -> Values<Distribution> {
    let mut all = values(pool, "distribution", |pool| pool.distribution);
    let of_twemproxy = [Distribution::Ketama, Distribution::Modula];
    all.retain(|(other, _)| of_twemproxy.contains(other) || *other == pool.distribution);
    all
}

fn tags(pool: &Pool) -> Values<Option<[u8; 2]>> {
    let shown = |tag: Option<[u8; 2]>| match tag {
        Some(tag) => format!("`hash_tag: \"{}\"`", tag.escape_ascii()),
        None => "no `hash_tag`".to_owned(),
    };
    let usual = [None].into_iter().chain(USUAL_TAGS.iter().map(|tag| Some(**tag)));
    let other = usual.filter(|tag| *tag != pool.hash_tag).map(|tag| {
        (tag, Some(format!("as with {} (the file has {})", shown(tag), shown(pool.hash_tag))))
    });
    std::iter::once((pool.hash_tag, None)).chain(other).collect()
}

/// Other names, weights and lists of servers.
fn of_servers(pool: &Pool, file: &Setup) -> Vec<(Setup, String)> {
    let plain: Vec<String> =
        pool.servers.iter().map(|server| name_without_alias(&server.address)).collect();
    let mut all = Vec::new();
    let mut suspect = |told: String, change: &dyn Fn(&mut Setup)| {
        let mut setup = file.clone();
        change(&mut setup);
        all.push((setup, told));
    };
    let several = pool.servers.len() <= FEW;
    for (shard, server) in pool.servers.iter().enumerate().filter(|_| several) {
        let name = &server.name;
        if *name != plain[shard] {
            let told = format!("as with the name {name} left out of its server's line");
            suspect(told, &|setup| setup.servers[shard].name.clone_from(&plain[shard]));
        }
        if pool.servers.len() > 1 {
            let told = format!(
                "as without the server {name} (ejected there, not in its file, or elsewhere)"
            );
            suspect(told, &|setup| drop(setup.servers.remove(shard)));
        }
        for weight in USUAL_WEIGHTS.into_iter().filter(|weight| *weight != server.weight) {
            let told =
                format!("as with the weight {weight} for {name} (the file has {})", server.weight);
            suspect(told, &|setup| setup.servers[shard].weight = weight);
        }
    }
    suspect("as with all names left out of the servers' lines".into(), &|setup| {
        for server in &mut setup.servers {
            server.name.clone_from(&plain[server.shard]);
        }
    });
    suspect("as if all weights were equal".into(), &|setup| {
        for server in &mut setup.servers {
            server.weight = 1;
        }
    });
    all
}

/// All keys of one shard are on one other each: the shards have each other's names, or, with
/// modula, an order that other names give.
fn renamed(names: &[&str], tally: &Tally) -> Option<String> {
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for Pair { seen, expected } in tally.disagree.keys() {
        let Seen::At(shard) = seen else { return None };
        if places.insert(*expected, *shard).is_some() {
            return None;
        }
    }
    let taken: BTreeSet<usize> = places.values().copied().collect();
    // Every key that is not on its shard is on that of the next: a ring of changed names.
    let is_circle = taken.len() == places.len() && places.keys().all(|shard| taken.contains(shard));
    if !is_circle || taken.iter().any(|shard| tally.agree.contains_key(shard)) {
        return None;
    }
    let swaps: Vec<String> = places
        .iter()
        .map(|(expected, shard)| format!("{} at {}", names[*expected], names[*shard]))
        .collect();
    Some(format!(
        "the servers have each other's places ({}): compare the names in the servers' lines, by \
         which twemproxy sorts and places them",
        swaps.join(", ")
    ))
}

fn strangers(tally: &Tally) -> Option<String> {
    let is_stranger = |pair: &&Pair| matches!(pair.seen, Seen::Stranger(_));
    tally.disagree.keys().find(is_stranger)?;
    Some(
        "the proxy reaches a server that the file does not name: compare the addresses in the \
         servers' lines, and whether a name leads elsewhere there"
            .into(),
    )
}

/// Every key that disagrees comes from, or goes to, one and the same shard.
fn around_one(names: &[&str], tally: &Tally) -> Option<String> {
    let takes_part = |shard: usize| {
        let part = |pair: &Pair| pair.expected == shard || pair.seen == Seen::At(shard);
        !tally.disagree.is_empty() && tally.disagree.keys().all(part)
    };
    let named: Vec<&str> =
        (0..names.len()).filter(|&shard| takes_part(shard)).map(|shard| names[shard]).collect();
    match named[..] {
        [] => None,
        [name] => Some(format!(
            "all that disagree are keys to or from {name}: its name or its weight differs, or it \
             is in one file only"
        )),
        _ => Some(format!(
            "all that disagree are keys between {}: their names or weights differ",
            named.join(" and ")
        )),
    }
}

const UNKNOWN: &str = "no single change of hash, hash_tag, distribution, names or weights explains \
     it: compare the pool with the file that the proxy was started with, line by line";

/// Keys that a suspicion is tried on.
const TRIED: usize = 500;
/// Per cent of the keys that a cause explains; the rest may have been in motion.
const ENOUGH: usize = 99;
/// Servers of which each is suspected by itself.
const FEW: usize = 64;
const USUAL_TAGS: [&[u8; 2]; 6] = [b"{}", b"[]", b"()", b"<>", b"||", b"::"];
const USUAL_WEIGHTS: [u32; 8] = [1, 2, 3, 4, 5, 10, 50, 100];

#[cfg(test)]
mod tests;
