//! SCAN and RANDOMKEY: keys of all shards, one shard at a time.

use super::gather::nobody_in;
use super::procedure::Steps;
use crate::reply::frame;
use crate::resp::reply::elements;
use crate::resp::{Request, Writer, write};
use crate::route::cursor::{self, Cursor};
use crate::shard::rejoin::record;
use crate::worker::{PoolState, Worker};

impl Worker {
    /// SCAN: a page from the shard that the cursor names on. Nothing is kept between two pages.
    ///
    /// An ejected shard is passed over, for its keys are the others' meanwhile; a shard that is
    /// down and keeps its keys answers with its error, and the same cursor may be tried again.
    pub(crate) fn scan(&mut self, number: u32, request: &Request<'_>) {
        let Some(cursor) = cursor::parse(request.arg(1)) else {
            return self.say(number, |writer| writer.error("ERR invalid cursor"));
        };
        let pool = self.pool_of(number);
        if pool.members().next().is_none() {
            return self.refuse_nobody_in(number);
        }
        let shards = pool.config.servers.len();
        let place = Cursor::from_number(cursor, shards).or_next(shards, |shard| is_in(pool, shard));
        let Some(place) = place else {
            return self.say(number, |writer| write_page(writer, 0, 0, &[]));
        };
        let scan = Scan::new(request);
        self.run_procedure(number, move |steps| async move { scan.page(&steps, place).await });
    }
}

/// A SCAN but for its cursor.
struct Scan {
    /// The array's head and the command's name, on the wire.
    head: Vec<u8>,
    /// The options, on the wire.
    options: Vec<u8>,
    /// COUNT: how many keys make a page.
    wanted: u64,
}

/// One shard's part of a page.
struct ShardPage<'a> {
    /// The shard's cursor to go on with.
    inner: u64,
    /// Its keys on the wire.
    keys: Vec<&'a [u8]>,
}

impl Scan {
    fn new(request: &Request<'_>) -> Self {
        let mut head = Vec::new();
        write::array_head_into(&mut head, request.len());
        head.extend_from_slice(request.wire_arg(0));
        let options = (2..request.len()).flat_map(|index| request.wire_arg(index)).copied();
        Self { head, options: options.collect(), wanted: count(request) }
    }

    /// The page from `place` on. A shard that ends leaves room for the next one's keys, so that a
    /// small keyspace is one page as it is in Redis. Each shard does as much at once as COUNT asks.
    async fn page(&self, steps: &Steps, mut place: Cursor) -> Vec<u8> {
        let first = place;
        let (mut keys, mut count) = (Vec::new(), 0);
        loop {
            let reply = steps.ask(place.shard, &self.request(place.inner)).await;
            let next = read_page(&reply).and_then(|page| {
                let next = turn(steps, place, page.inner)?;
                let keys_of_clients = page.keys.iter().filter(|key| !is_own_frame(key));
                for key in keys_of_clients {
                    count += 1;
                    keys.extend_from_slice(key);
                }
                Some(next)
            });
            match next {
                // What was gathered is not lost; what is wrong shows when the client goes on.
                None if place != first => {
                    let number = place.shard as u64;
                    return steps.reply(|writer| write_page(writer, number, count, &keys));
                }
                None if frame::is_error(&reply) => return reply.to_vec(),
                None => return refuse_page(steps, place.shard),
                Some((Some(start), _)) if start.inner == 0 && (count as u64) < self.wanted => {
                    place = start;
                }
                Some((_, number)) => {
                    return steps.reply(|writer| write_page(writer, number, count, &keys));
                }
            }
        }
    }

    fn request(&self, inner: u64) -> Vec<u8> {
        let mut wire = self.head.clone();
        write::bulk_into(&mut wire, inner.to_string().as_bytes());
        wire.extend_from_slice(&self.options);
        wire
    }
}

/// COUNT as the shards will read it; they refuse a bad one.
fn count(request: &Request<'_>) -> u64 {
    let mut index = 2;
    let mut count = PAGE;
    while index + 1 < request.len() {
        if request.arg(index).eq_ignore_ascii_case(b"COUNT") {
            let digits = std::str::from_utf8(request.arg(index + 1)).ok();
            count = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        }
        index += 2;
    }
    count
}

/// `None` for an error, or what is no page.
fn read_page(reply: &[u8]) -> Option<ShardPage<'_>> {
    let mut parts = elements(reply)?;
    let inner = std::str::from_utf8(frame::text(parts.next()?)?).ok()?.parse().ok()?;
    Some(ShardPage { inner, keys: elements(parts.next()?)?.collect() })
}

/// The place that follows a shard's page and its number; `None` when no number stands for it.
fn turn(steps: &Steps, place: Cursor, inner: u64) -> Option<(Option<Cursor>, u64)> {
    steps.with(|worker, number| {
        let pool = worker.pool_of(number);
        let shards = pool.config.servers.len();
        match place.after(inner, shards, |shard| is_in(pool, shard)) {
            Some(next) => Some((Some(next), next.number(shards)?)),
            None => Some((None, 0)),
        }
    })
}

fn write_page(writer: &mut Writer<'_>, cursor: u64, count: usize, keys: &[u8]) {
    writer.array(2);
    writer.bulk(cursor.to_string().as_bytes());
    writer.array(count);
    writer.raw(keys);
}

fn refuse_page(steps: &Steps, shard: usize) -> Vec<u8> {
    let text = steps.with(|worker, number| {
        let config = &worker.pool_of(number).config;
        format!(
            "ERR SCAN cannot go on: the cursor of shard '{}' of pool '{}' is no number that \
             leaves room for the shard's place; scan that shard itself",
            config.servers[shard].name, config.name
        )
    });
    steps.reply(|writer| writer.error(&text))
}

fn is_in(pool: &PoolState, shard: usize) -> bool {
    pool.health[shard].has_keys()
}

/// RANDOMKEY: every key of every shard is as likely as any other, as far as Redis's own choice
/// within a shard goes.
pub(super) async fn random_key(steps: &Steps) -> Vec<u8> {
    let sizes = steps.ask_all(b"*1\r\n$6\r\nDBSIZE\r\n").await;
    if sizes.is_empty() {
        return nobody_in(steps);
    }
    let mut candidates = Vec::with_capacity(sizes.len());
    for (shard, size) in sizes {
        match frame::integer(&size) {
            Some(size) => candidates.push((shard, size.max(0) as u64)),
            None => return size.to_vec(),
        }
    }
    let mut own = 0;
    while let Some(index) = pick(&candidates, fastrand::u64(..)) {
        let (shard, size) = candidates.swap_remove(index);
        let key = steps.ask(shard, b"*1\r\n$9\r\nRANDOMKEY\r\n").await;
        // All of its keys may have expired since they were counted.
        if !frame::is_null(&key) && !is_own_frame(&key) {
            return key.to_vec();
        }
        if is_own_frame(&key) && own < OWN_IN_A_ROW {
            own += 1;
            candidates.push((shard, size));
        }
    }
    steps.reply(|writer| writer.null())
}

/// A candidate, each as likely as its size, by a random number; `None` when none has keys.
fn pick(candidates: &[(usize, u64)], random: u64) -> Option<usize> {
    let total: u64 = candidates.iter().map(|(_, size)| size).sum();
    let mut left = random.checked_rem(total)?;
    candidates.iter().position(|(_, size)| match left.checked_sub(*size) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// Whether a key is one that circlet keeps for itself.
fn is_own_frame(key: &[u8]) -> bool {
    frame::bulk(key).is_some_and(record::is_own)
}

/// So often keys of circlet's own are passed over before a shard counts as empty.
const OWN_IN_A_ROW: u32 = 100;
/// COUNT when it is not given, as in Redis.
const PAGE: u64 = 10;

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn a_shard_is_picked_as_often_as_it_has_keys() {
        let sizes = [(0, 0), (1, 3), (2, 0), (3, 5)];
        let mut times = [0; 4];
        (0..80).for_each(|random| times[pick(&sizes, random).unwrap()] += 1);
        assert_eq!(times, [0, 30, 0, 50]);
        assert_eq!(pick(&[(0, 0), (1, 0)], 7), None);
        assert_eq!(pick(&[], 7), None);
    }
}
