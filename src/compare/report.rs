//! What was found, for people to read.

use std::fmt;

use super::ask::Way;
use super::tally::{Examples, Pair, Seen, Tally};
use crate::config::{Distribution, Pool};

/// One pool's comparison.
#[derive(Debug)]
pub struct Comparison {
    pool: String,
    is_random: bool,
    shards: Vec<String>,
    proxy: String,
    /// How the proxy was asked; `None` if there was no need.
    pub way: Option<Way>,
    /// Keys found by SCAN.
    pub sampled: usize,
    /// Keys made up.
    pub made_up: usize,
    /// Keys too long to be compared.
    pub passed_over: usize,
    /// The proxy beside the file.
    pub file: Tally,
    /// Why they differ.
    pub cause: Option<String>,
    /// Keys that lie where the proxy does not look.
    pub strays: Examples,
    /// A key that the proxy serves from database 0 although the file says another.
    pub database: Option<Vec<u8>>,
    /// The proxy beside a circlet that runs, at this address.
    pub circlet: Option<(String, Tally)>,
}

impl Comparison {
    /// Nothing is compared yet.
    pub fn new(pool: &Pool, proxy: String) -> Self {
        Self {
            pool: pool.name.clone(),
            is_random: pool.distribution == Distribution::Random,
            shards: pool.servers.iter().map(|server| server.name.clone()).collect(),
            proxy,
            way: None,
            sampled: 0,
            made_up: 0,
            passed_over: 0,
            file: Tally::default(),
            cause: None,
            strays: Examples::default(),
            database: None,
            circlet: None,
        }
    }

    /// Whether every key that was compared is looked for on the same shard, and some were.
    pub fn agrees(&self) -> bool {
        let agrees = |tally: &Tally| tally.disagreeing() == 0 && tally.failing() == 0;
        let circlet = self.circlet.as_ref().is_none_or(|(_, tally)| agrees(tally));
        let database = self.database.is_none();
        self.is_random || (database && self.file.compared() > 0 && agrees(&self.file) && circlet)
    }

    fn name(&self, shard: usize) -> &str {
        self.shards.get(shard).map_or("?", String::as_str)
    }

    fn seen<'a>(&'a self, seen: &'a Seen) -> &'a str {
        match seen {
            Seen::At(shard) => self.name(*shard),
            Seen::Stranger(_) => "a server not in the file",
            Seen::Elsewhere => "another shard",
        }
    }

    fn asked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sampled, made_up) = (self.sampled, self.made_up);
        match &self.way {
            None => return Ok(()),
            Some(Way::Script) => writeln!(
                f,
                "  keys: {sampled} of the shards (SCAN), {made_up} made up; asked by a script that \
                 tells where it runs; nothing was written"
            )?,
            Some(Way::Reading(why)) => writeln!(
                f,
                "  keys: {sampled} of the shards (SCAN); asked by EXISTS, as scripts do not work \
                 there ({why}); nothing was written"
            )?,
            Some(Way::Writing) => {
                writeln!(f, "  keys: {made_up} made up, written through the proxy and removed")?;
            }
        }
        match self.passed_over {
            0 => Ok(()),
            count => writeln!(f, "  passed over: {count} keys that are longer than 400 bytes"),
        }
    }

    fn tally(&self, f: &mut fmt::Formatter<'_>, other: &str, tally: &Tally) -> fmt::Result {
        let (compared, agree) = (tally.compared(), tally.agreeing());
        match tally.disagreeing() {
            0 => writeln!(f, "  {compared} keys compared with {other}: all agree")?,
            disagree => {
                writeln!(
                    f,
                    "  {compared} keys compared with {other}: {agree} agree, {disagree} disagree"
                )?;
                self.pairs(f, other, tally)?;
            }
        }
        if tally.unknown > 0 {
            writeln!(f, "  {} keys tell nothing: it is not known where one looks", tally.unknown)?;
        }
        for (error, count) in &tally.failed {
            writeln!(f, "  {count} keys could not be compared, the proxy answers: {error}")?;
        }
        Ok(())
    }

    fn pairs(&self, f: &mut fmt::Formatter<'_>, other: &str, tally: &Tally) -> fmt::Result {
        let mut pairs: Vec<(&Pair, &Examples)> = tally.disagree.iter().collect();
        pairs.sort_by_key(|(_, examples)| std::cmp::Reverse(examples.count));
        let width = |text: &dyn Fn(&Pair) -> usize, head: &str| {
            pairs.iter().map(|(pair, _)| text(pair)).max().unwrap_or(0).max(head.len())
        };
        let ours = format!("{other} says");
        let left = width(&|pair| self.seen(&pair.seen).len(), LEFT);
        let right = width(&|pair| self.name(pair.expected).len(), &ours);
        writeln!(f, "    {LEFT:left$}  {ours:right$}  {:>6}  such as", "keys")?;
        for (pair, examples) in pairs.iter().take(MOST_PAIRS) {
            let (seen, expected) = (self.seen(&pair.seen), self.name(pair.expected));
            let such = such_as(examples);
            writeln!(f, "    {seen:left$}  {expected:right$}  {:>6}  {such}", examples.count)?;
        }
        match pairs.len().checked_sub(MOST_PAIRS) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "    and {more} pairs more"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.shards.len();
        writeln!(f, "pool {}: the proxy at {}, {count} shards", self.pool, self.proxy)?;
        if self.is_random {
            return writeln!(f, "  distribution is random: any shard does, nothing to compare");
        }
        self.asked(f)?;
        self.tally(f, "the file", &self.file)?;
        if let Some(cause) = &self.cause {
            writeln!(f, "  cause: {cause}")?;
        }
        if let Some(key) = &self.database {
            writeln!(
                f,
                "  the proxy serves database 0 ({} is there), the file has another redis_db. With \
                 redis_auth twemproxy does so, whatever redis_db says: remove redis_db",
                shown(key)
            )?;
        }
        if let Some((address, tally)) = &self.circlet {
            self.tally(f, &format!("circlet at {address}"), tally)?;
            if tally.disagreeing() > 0 && self.file.disagreeing() == 0 {
                writeln!(f, "  cause: that circlet runs another file, or has a shard out")?;
            }
        }
        if self.strays.count > 0 {
            writeln!(
                f,
                "  aside: {} keys lie on a shard where the proxy does not look for them ({}): an \
                 ejection or another list of servers left them there",
                self.strays.count,
                such_as(&self.strays)
            )?;
        }
        Ok(())
    }
}

fn such_as(examples: &Examples) -> String {
    let keys: Vec<String> = examples.keys.iter().map(|key| shown(key)).collect();
    keys.join(" ")
}

/// A key in quotes, with what is no text escaped.
fn shown(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", key.escape_ascii()),
    }
}

const LEFT: &str = "the proxy looks on";
/// Shards may be many, and pairs of them more.
const MOST_PAIRS: usize = 20;
