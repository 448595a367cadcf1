//! Which index each pool and each server of a new configuration gets.
//!
//! ```text
//!   running   0 a:1   1 b:1   2 c:1              new file   a:1  c:2  d:1
//!   becomes   0 a:1   1 (b)   2 c:2   3 d:1      b is gone; its index is free once nobody has a
//!                                                link to it any more
//! ```
//!
//! A server is the same one when its address is: its name and its weight may change, and only place
//! it on the ring. Of several names at one address each keeps its own. One that was taken out and is
//! named again gets its old index back.

use crate::config::{Config, Pool, Server};
use crate::route::MAX_SERVERS;
use crate::shard::monitor::Turnover;

/// A pool as it is to be, in its place.
#[derive(Debug, Clone)]
pub struct Laid {
    /// Its index.
    pub index: usize,
    /// Its index in the new configuration; `None` for one that is gone.
    pub from: Option<usize>,
    /// With its servers in their places, those that are gone included.
    pub pool: Pool,
    /// Servers that came and went.
    pub turnover: Turnover,
    /// Servers that came back to their old places.
    pub back: Vec<usize>,
}

/// Lays the pools of `new` out over those that run. `is_free` says whether the place of a shard that
/// is gone (by pool and shard) may be given to another. Pools that stay gone are left out.
///
/// # Errors
/// When a pool would have more places than a ring can have.
pub fn lay_out(
    running: &[impl AsRef<Pool>],
    new: &Config,
    is_free: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Laid>, String> {
    let mut laid = Vec::new();
    let mut next = running.len();
    for (from, pool) in new.pools.iter().enumerate() {
        let known = running.iter().position(|old| old.as_ref().name == pool.name);
        let index = known.unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        let places = known.map_or(&[][..], |known| &running[known].as_ref().servers);
        let mut one = lay_out_pool(places, pool, |shard| is_free(index, shard));
        (one.index, one.from) = (index, Some(from));
        if one.pool.servers.len() > MAX_SERVERS {
            return Err(format!(
                "pool {} has {MAX_SERVERS} servers and places of servers that are being let go; \
                 reload again in a minute",
                pool.name
            ));
        }
        laid.push(one);
    }
    for (index, old) in running.iter().enumerate().map(|(index, old)| (index, old.as_ref())) {
        let is_gone = new.pools.iter().all(|pool| pool.name != old.name);
        if is_gone && old.shard_count() > 0 {
            laid.push(without_servers(index, old));
        }
    }
    Ok(laid)
}

fn lay_out_pool(old: &[Server], pool: &Pool, is_free: impl Fn(usize) -> bool) -> Laid {
    let mut places: Vec<Server> = old.to_vec();
    places.iter_mut().for_each(|server| server.is_removed = true);
    let mut waiting: Vec<&Server> = pool.servers.iter().collect();
    let (mut turnover, mut back) = (Turnover::default(), Vec::new());
    // Who is there first, then who was there; each first by name and address.
    for was_removed in [false, true] {
        for by_name in [true, false] {
            waiting.retain(|server| {
                let is_same = |(index, place): (usize, &Server)| {
                    place.is_removed
                        && old[index].is_removed == was_removed
                        && place.address == server.address
                        && (!by_name || place.name == server.name)
                };
                let Some(index) = places.iter().enumerate().position(is_same) else { return true };
                places[index] = (*server).clone();
                if was_removed {
                    back.push(index);
                }
                false
            });
        }
    }
    for server in waiting {
        let may_take =
            |&index: &usize| places[index].is_removed && old[index].is_removed && is_free(index);
        let place = (0..old.len()).find(may_take);
        match place {
            Some(index) => places[index] = server.clone(),
            None => places.push(server.clone()),
        }
        turnover.anew.push(place.unwrap_or(places.len() - 1));
    }
    let went = |&index: &usize| places[index].is_removed && !old[index].is_removed;
    turnover.removed = (0..old.len()).filter(went).collect();
    let pool = Pool { servers: places, ..pool.clone() };
    Laid { index: 0, from: None, pool, turnover, back }
}

/// A pool that is gone keeps its settings, for the sessions that it still has.
fn without_servers(index: usize, old: &Pool) -> Laid {
    let mut pool = old.clone();
    (pool.listen, pool.tls.listen) = (None, None);
    let is_there = |&shard: &usize| !old.servers[shard].is_removed;
    let removed = (0..old.servers.len()).filter(is_there).collect();
    pool.servers.iter_mut().for_each(|server| server.is_removed = true);
    let turnover = Turnover { anew: Vec::new(), removed };
    Laid { index, from: None, pool, turnover, back: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Format, parse};

    fn config(pools: &[(&str, &[&str])]) -> Config {
        let mut text = String::new();
        for (number, (name, servers)) in pools.iter().enumerate() {
            text += &format!(
                "{name}:\n  listen: 127.0.0.1:{}\n  redis: true\n  servers:\n",
                7000 + number
            );
            servers.iter().for_each(|server| text += &format!("    - {server}\n"));
        }
        parse(&text, Format::Yaml, "test").unwrap()
    }

    /// What becomes of a pool that goes through these lists of servers, with no place ever free.
    fn through(steps: &[&[&str]], is_free: bool) -> Laid {
        let mut running: Vec<Arc<Pool>> = Vec::new();
        let mut last = None;
        for servers in steps {
            let laid = lay_out(&running, &config(&[("p", servers)]), |_, _| is_free).unwrap();
            running = laid.iter().map(|laid| Arc::new(laid.pool.clone())).collect();
            last = laid.into_iter().next();
        }
        last.unwrap()
    }

    fn names(laid: &Laid) -> Vec<String> {
        let name = |server: &Server| match server.is_removed {
            true => "-".to_owned(),
            false => server.name.clone(),
        };
        laid.pool.servers.iter().map(name).collect()
    }

    #[test]
    fn who_stays_keeps_its_place_and_who_comes_gets_a_new_one() {
        let laid = through(
            &[&["h:1:1 a", "h:2:1 b", "h:3:1 c"], &["h:1:1 a", "h:3:2 c", "h:4:1 aa"]],
            false,
        );
        assert_eq!(names(&laid), ["a", "-", "c", "aa"]);
        assert_eq!((laid.turnover.anew, laid.turnover.removed), (vec![3], vec![1]));
        assert_eq!(laid.pool.servers[2].weight, 2);
        assert_eq!(laid.pool.configured(), [0, 2, 3]);
    }

    #[test]
    fn who_comes_back_gets_its_old_place_and_a_free_place_goes_to_the_next() {
        let away: &[&str] = &["h:1:1 a"];
        let back = through(&[&["h:1:1 a", "h:2:1 b"], away, &["h:1:1 a", "h:2:1 b"]], true);
        assert_eq!((names(&back), back.back), (vec!["a".to_owned(), "b".into()], vec![1]));
        assert!(back.turnover.anew.is_empty());
        let other = through(&[&["h:1:1 a", "h:2:1 b"], away, &["h:1:1 a", "h:3:1 c"]], true);
        assert_eq!(
            (names(&other), other.turnover.anew),
            (vec!["a".to_owned(), "c".into()], vec![1])
        );
        let busy = through(&[&["h:1:1 a", "h:2:1 b"], away, &["h:1:1 a", "h:3:1 c"]], false);
        assert_eq!(names(&busy), ["a", "-", "c"]);
    }

    #[test]
    fn another_address_is_another_server_and_another_name_is_not() {
        let moved = through(&[&["h:1:1 a", "h:2:1 b"], &["h:1:1 a", "h:9:1 b"]], false);
        assert_eq!(names(&moved), ["a", "-", "b"]);
        let renamed = through(&[&["h:1:1 a", "h:2:1 b"], &["h:1:1 z", "h:2:1 b"]], false);
        assert_eq!(names(&renamed), ["z", "b"]);
        let swapped = through(&[&["h:1:1 a", "h:2:1 b"], &["h:2:1 a", "h:1:1 b"]], false);
        assert_eq!(names(&swapped), ["b", "a"], "each address keeps its links");
        assert_eq!(swapped.pool.configured(), [1, 0]);
    }

    #[test]
    fn pools_keep_their_places_too() {
        let first = config(&[("p", &["h:1:1"]), ("q", &["h:1:1"])]);
        let running: Vec<Arc<Pool>> = first.pools.into_iter().map(Arc::new).collect();
        let second = config(&[("r", &["h:1:1"]), ("q", &["h:1:1"])]);
        let laid = lay_out(&running, &second, |_, _| false).unwrap();
        let places: Vec<_> = laid.iter().map(|one| (one.index, one.from)).collect();
        assert_eq!(places, [(2, Some(0)), (1, Some(1)), (0, None)]);
        assert_eq!(laid[2].turnover.removed, [0]);
    }
}
