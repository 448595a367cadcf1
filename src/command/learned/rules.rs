//! How circlet handles a command of which it knows only what COMMAND tells.
//!
//! When in doubt it refuses: a wrong guess would answer for one shard what was asked of all, or
//! leave state on a link that many clients share.

use crate::command::bits::{Categories, Flags, KeyFlags};
use crate::command::spec::{
    BeginSearch, FindKeys, Handling, KeySpec, Keys, RequestPolicy, ResponsePolicy, Search, Spec,
};

/// Decides on keys and handling. `alone`: the pool has one shard, so that whatever a command
/// touches is there.
pub fn decide(spec: &mut Spec, alone: bool) {
    let place = place(spec);
    spec.handling = handling(spec, &place, alone);
    spec.keys = match place {
        Place::Told(keys) => keys,
        Place::Nowhere | Place::Untold => Keys::None,
    };
}

/// Where a command's keys are.
enum Place {
    Nowhere,
    Told(Keys),
    /// It has keys that COMMAND does not tell, all or some.
    Untold,
}

fn place(spec: &Spec) -> Place {
    let mut keys = spec.key_specs.iter().filter(|keys| !keys.flags.contains(KeyFlags::NOT_KEY));
    let has_movable = spec.flags.contains(Flags::MOVABLEKEYS);
    if keys.clone().next().is_none() {
        return if has_movable { Place::Untold } else { Place::Nowhere };
    }
    if !keys.clone().all(tells_all) || (has_movable && !spec.key_specs.iter().any(moves)) {
        return Place::Untold;
    }
    match (keys.next(), keys.next()) {
        (Some(KeySpec { begin: BeginSearch::Index(at), find, .. }), None)
            if matches!(find, FindKeys::Range { last: 0, .. })
                && spec.arity.unsigned_abs() as usize > *at =>
        {
            Place::Told(Keys::At(*at))
        }
        _ => Place::Told(Keys::Search(Search::Specs)),
    }
}

fn tells_all(keys: &KeySpec) -> bool {
    keys.begin != BeginSearch::Unknown
        && keys.find != FindKeys::Unknown
        && !keys.flags.contains(KeyFlags::INCOMPLETE)
}

/// Whether such keys make a command "movable". One that is movable without them has a function of
/// its own to find its keys (a module's `getkeys-api`), and may find more than it tells.
fn moves(keys: &KeySpec) -> bool {
    let has_limit = matches!(keys.find, FindKeys::Range { limit, .. } if limit > 1);
    !matches!(keys.begin, BeginSearch::Index(_))
        || matches!(keys.find, FindKeys::Count { .. })
        || has_limit
}

fn handling(spec: &Spec, place: &Place, alone: bool) -> Handling {
    if !spec.subcommands.is_empty() {
        return Handling::Refused("a subcommand is missing");
    }
    if spec.flags.contains(Flags::PUBSUB) {
        return Handling::Refused(SUBSCRIBES);
    }
    let may_wait = spec.flags.contains(Flags::BLOCKING);
    match place {
        Place::Told(_) if may_wait => Handling::Blocking,
        Place::Untold | Place::Nowhere if may_wait => Handling::Refused(WAITS),
        Place::Untold if alone => Handling::AnyShard,
        Place::Untold => Handling::Refused(UNTOLD),
        Place::Told(_) if splits(spec) => Handling::Split,
        Place::Told(_) => Handling::Keyed,
        Place::Nowhere => keyless(spec, alone),
    }
}

fn keyless(spec: &Spec, alone: bool) -> Handling {
    let has = |flag| spec.flags.contains(flag);
    let concerns = |category| spec.categories.contains(category);
    let goes_to_all =
        matches!(spec.request_policy, RequestPolicy::AllNodes | RequestPolicy::AllShards);
    match () {
        _ if concerns(Categories::CONNECTION) || concerns(Categories::TRANSACTION) => {
            Handling::Refused(CONNECTION)
        }
        _ if has(Flags::ADMIN) => Handling::Refused(ADMINISTERS),
        _ if goes_to_all => Handling::FanOut,
        _ if has(Flags::WRITE) && !alone => Handling::Refused(WRITES),
        _ => Handling::AnyShard,
    }
}

/// Whether the command reads each of its keys by itself, so that shards can answer for their part:
/// it says so, all its arguments are keys, and it writes nothing. A write that is split could be
/// done on one shard and fail on another, or, as MSETNX, depend on them all.
fn splits(spec: &Spec) -> bool {
    let all_arguments = BeginSearch::Index(1);
    let whole = FindKeys::Range { last: -1, step: 1, limit: 0 };
    spec.request_policy == RequestPolicy::MultiShard
        && matches!(spec.response_policy, ResponsePolicy::Default | ResponsePolicy::AggSum)
        && spec.flags.contains(Flags::READONLY)
        && matches!(&spec.key_specs[..], [keys] if keys.begin == all_arguments && keys.find == whole)
}

const UNTOLD: &str = "which of its arguments are keys only its shard can tell, and without that \
                      its shard is not known; send it to that shard itself";
const WAITS: &str = "it may wait, and for which shard only its keys could tell";
const CONNECTION: &str = "it concerns the connection to a shard, which many clients share";
const SUBSCRIBES: &str = "it publishes or subscribes in a way that circlet does not know";
const ADMINISTERS: &str = "it administers one server; send it to that shard itself";
const WRITES: &str = "it writes without naming a key, so its shard is not known; send it to each \
                      shard that it is meant for";
