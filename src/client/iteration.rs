//! SCAN and RANDOMKEY: keys of all shards, one shard at a time.

use super::gather::nobody_in;
use super::procedure::Steps;
use crate::reply::frame;
use crate::resp::reply::elements;
use crate::resp::{Request, write};
use crate::route::cursor::{self, Cursor};
use crate::shard::health::State;
use crate::worker::{PoolState, Worker};

impl Worker {
    /// SCAN: one page of the shard that the cursor names. Nothing is kept between two pages.
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
            return self.say(number, |writer| {
                writer.array(2);
                writer.bulk(b"0");
                writer.array(0);
            });
        };
        let wire = page_request(request, place.inner);
        self.run_procedure(number, move |steps| async move {
            let page = steps.ask(place.shard, &wire).await;
            turn(&steps, place, &page)
        });
    }
}

/// The client's SCAN with the shard's own cursor.
fn page_request(request: &Request<'_>, inner: u64) -> Vec<u8> {
    let mut wire = Vec::with_capacity(request.wire().len() + 24);
    write::array_head_into(&mut wire, request.len());
    wire.extend_from_slice(request.wire_arg(0));
    write::bulk_into(&mut wire, inner.to_string().as_bytes());
    for index in 2..request.len() {
        wire.extend_from_slice(request.wire_arg(index));
    }
    wire
}

/// The shard's page with the cursor of the next one.
fn turn(steps: &Steps, place: Cursor, page: &[u8]) -> Vec<u8> {
    if frame::is_error(page) {
        return page.to_vec();
    }
    let parts = elements(page).and_then(|mut parts| {
        let inner = std::str::from_utf8(frame::text(parts.next()?)?).ok()?.parse().ok()?;
        Some((inner, parts.next()?))
    });
    let next = steps.with(|worker, number| match parts {
        Some((inner, keys)) => {
            let pool = worker.pool_of(number);
            let shards = pool.config.servers.len();
            match place.after(inner, shards, |shard| is_in(pool, shard)) {
                Some(next) => next.number(shards).map(|number| (number, keys)),
                None => Some((0, keys)),
            }
        }
        None => None,
    });
    match next {
        Some((number, keys)) => steps.reply(|writer| {
            writer.array(2);
            writer.bulk(number.to_string().as_bytes());
            writer.raw(keys);
        }),
        None => refuse_page(steps, place.shard),
    }
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
    pool.health[shard].state != State::Ejected
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
    while let Some(index) = pick(&candidates, fastrand::u64(..)) {
        let (shard, _) = candidates.swap_remove(index);
        let key = steps.ask(shard, b"*1\r\n$9\r\nRANDOMKEY\r\n").await;
        // All of its keys may have expired since they were counted.
        if !frame::is_null(&key) {
            return key.to_vec();
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
