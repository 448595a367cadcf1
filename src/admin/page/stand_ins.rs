//! Who has the keys of shards that are out, and how many of them.

use std::sync::{Arc, Mutex, PoisonError};

use super::portion::PoolPortion;
use crate::config::Pool;
use crate::route::moves;
use crate::route::ring::{ALL, NOTHING, Ring, Share};

/// The part of all keys that each stand-in has, by home: index of the stand-in and part.
pub type StandIns = Vec<Vec<(usize, f64)>>;

/// What was found out last, by pool: to count it anew each second would take some milliseconds.
#[derive(Debug, Default)]
pub struct Found(Mutex<Vec<Option<Last>>>);

#[derive(Debug)]
struct Last {
    config: Arc<Pool>,
    is_in: Vec<bool>,
    stand_ins: Arc<StandIns>,
}

impl Found {
    /// Who stands in for the shards of a pool now. One on its way back has a part of its keys
    /// again: the others have the rest as they had all.
    pub fn of(&self, pool: &PoolPortion) -> StandIns {
        let shares: Vec<Share> = pool.health.iter().map(|health| health.share).collect();
        let is_in: Vec<bool> = shares.iter().map(|&share| share == ALL).collect();
        let all_gone = self.look_up(pool, is_in);
        let rest = |share: Share| 1.0 - f64::from(share) / f64::from(ALL);
        let mut stand_ins = StandIns::clone(&all_gone);
        for (parts, share) in stand_ins.iter_mut().zip(shares) {
            parts.iter_mut().for_each(|(_, part)| *part *= rest(share));
        }
        stand_ins
    }

    fn look_up(&self, pool: &PoolPortion, is_in: Vec<bool>) -> Arc<StandIns> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() <= pool.index {
            found.resize_with(pool.index + 1, || None);
        }
        let last = found[pool.index]
            .take()
            .filter(|last| Arc::ptr_eq(&last.config, &pool.config) && last.is_in == is_in);
        let last = last.unwrap_or_else(|| {
            let stand_ins = Arc::new(count(pool, &is_in));
            Last { config: Arc::clone(&pool.config), is_in, stand_ins }
        });
        Arc::clone(&found[pool.index].insert(last).stand_ins)
    }
}

fn count(pool: &PoolPortion, is_in: &[bool]) -> StandIns {
    let mut stand_ins = vec![Vec::new(); is_in.len()];
    if is_in.iter().all(|&is_in| is_in) {
        return stand_ins;
    }
    let ring = &pool.ring;
    let whole = ring.with_shares(&vec![ALL; is_in.len()]);
    let is_at_rest = pool.health.iter().all(|health| matches!(health.share, ALL | NOTHING));
    let without = match is_at_rest {
        true => Ring::clone(ring),
        false => ring.with_live(is_in),
    };
    let same: Vec<Option<usize>> = (0..is_in.len()).map(Some).collect();
    let moves = moves::between(&whole, &without, &same);
    for moved in moves.into_iter().flat_map(|moves| moves.each) {
        stand_ins[moved.from].push((moved.to, moved.share));
    }
    stand_ins
}
