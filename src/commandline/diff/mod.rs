//! `circlet diff OLD NEW`: which part of the keys moves, by the rings alone, and by real keys.

mod keys;

use std::fmt::Write;

use super::table::{row, table};
use super::{Diff, load};
use crate::config::Pool;
use crate::explain::percent;
use crate::route::Ring;
use crate::route::moves::{self, Basis, Moves};
use crate::tls::keeper::Certificates;

/// A pool before and after.
pub(super) struct Change<'a> {
    pub(super) old: &'a Pool,
    pub(super) new: &'a Pool,
    pub(super) rings: (Ring, Ring),
    /// For each shard of the old pool what it is in the new one.
    pub(super) same: Vec<Option<usize>>,
}

/// What is told of all pools.
///
/// # Errors
/// A file is wrong, or a shard does not answer.
pub(super) fn text(asked: &Diff) -> Result<String, String> {
    let name = asked.pool.as_deref();
    let (old, new) = (load(&asked.old, name)?, load(&asked.new, name)?);
    let certificates = match asked.scan {
        Some(_) => Some(Certificates::load(&old).map_err(|error| error.to_string())?),
        None => None,
    };
    let mut text = String::new();
    for (index, pool) in old.pools.iter().enumerate() {
        let Some(other) = new.pools.iter().find(|other| other.name == pool.name) else {
            let _ = writeln!(text, "pool {}: not in {}", pool.name, asked.new.display());
            continue;
        };
        let change = Change::of(pool, other);
        text += &change.text();
        if let (Some(most), Some(certificates)) = (asked.scan, &certificates) {
            let connector = certificates.of_pool(index).connector();
            let sampled = keys::sampled(&change, connector, most, asked.bytes)
                .map_err(|error| format!("pool {}: {error}", pool.name))?;
            text += &change.sampled_text(&sampled);
        }
    }
    for pool in new.pools.iter().filter(|pool| old.pools.iter().all(|old| old.name != pool.name)) {
        let _ = writeln!(text, "pool {}: not in {}", pool.name, asked.old.display());
    }
    Ok(text)
}

impl<'a> Change<'a> {
    fn of(old: &'a Pool, new: &'a Pool) -> Self {
        Self { rings: (Ring::new(old), Ring::new(new)), same: same(old, new), old, new }
    }

    fn text(&self) -> String {
        let name = &self.old.name;
        let Some(moves) = moves::between(&self.rings.0, &self.rings.1, &self.same) else {
            return format!(
                "pool {name}: distribution random gives no key a home, so that nothing can be \
                 said of moves\n"
            );
        };
        let mut text = format!(
            "pool {name}: {} of all keys move, {}\n",
            percent(moves.share()),
            basis(moves.basis)
        );
        text += &self.moves_table(&moves);
        for note in self.notes() {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    fn moves_table(&self, moves: &Moves) -> String {
        let mut rows = vec![row(["from", "to", "share"])];
        rows.extend(moves.each.iter().take(ROWS).map(|moved| {
            vec![self.old_name(moved.from), self.new_name(moved.to), percent(moved.share)]
        }));
        match moves.each.len() {
            0 => String::new(),
            count if count > ROWS => format!("{}and {} more\n", table(&rows), count - ROWS),
            _ => table(&rows),
        }
    }

    fn sampled_text(&self, sampled: &keys::Sampled) -> String {
        let mut text = format!("pool {}: {}\n", self.old.name, sampled.summary());
        let with_bytes = sampled.bytes.is_some();
        let mut head = row(["from", "to", "sampled", "about"]);
        head.extend(with_bytes.then(|| "bytes".to_owned()));
        let mut rows = vec![head];
        for ((from, to), moved) in sampled.moved() {
            let mut cells = vec![
                self.old_name(from),
                self.new_name(to),
                super::table::count(moved.keys),
                super::table::count(moved.estimate.round() as u64),
            ];
            cells.extend(with_bytes.then(|| super::table::count(moved.bytes.round() as u64)));
            rows.push(cells);
        }
        if rows.len() > 1 {
            text += &table(&rows);
        }
        text
    }

    /// What the shares do not say.
    fn notes(&self) -> Vec<String> {
        let (old, new) = (self.old, self.new);
        let mut notes = Vec::new();
        if old.hash_tag != new.hash_tag {
            notes.push(
                "hash_tag differs: keys with tags move on top of that; --scan counts them"
                    .to_owned(),
            );
        }
        for (server, other) in old.servers.iter().zip(&self.same) {
            let Some(other) = other.map(|index| &new.servers[index]) else { continue };
            if server.name == other.name && server.address != other.address {
                notes.push(format!(
                    "{} goes from {} to {}: its keys keep their place, so bring its data there",
                    server.name, server.address, other.address
                ));
            }
        }
        notes
    }

    fn old_name(&self, shard: usize) -> String {
        self.old.servers[shard].name.clone()
    }

    fn new_name(&self, shard: usize) -> String {
        self.new.servers[shard].name.clone()
    }
}

/// A shard is the one of the same name, or else the one that is at its address under a name that is
/// new.
fn same(old: &Pool, new: &Pool) -> Vec<Option<usize>> {
    let named = |name: &str| new.servers.iter().position(|server| server.name == name);
    let is_new = |name: &str| old.servers.iter().all(|server| server.name != name);
    let there = |at: &crate::config::Address| {
        new.servers.iter().position(|server| server.address == *at && is_new(&server.name))
    };
    old.servers
        .iter()
        .map(|server| named(&server.name).or_else(|| there(&server.address)))
        .collect()
}

fn basis(basis: Basis) -> String {
    match basis {
        Basis::Exact => "counted over all values of the hash".to_owned(),
        Basis::Sampled(hashes) => format!(
            "by {} hashes, for the two share them out in different manners",
            super::table::count(hashes.into())
        ),
        Basis::Unrelated => "for the hash function differs".to_owned(),
    }
}

/// Of a table nobody reads to its end.
const ROWS: usize = 100;
