//! The columns that say where a command goes and how replies become one.

use super::Parsed;
use crate::command::gather::Gather;
use crate::command::script::Script;
use crate::command::spec::{Handling, Local, RequestPolicy, ResponsePolicy};

/// The policy that the tip with `prefix` names; the default without such a tip.
pub fn policy<T: Default>(
    tips: &[&'static str],
    prefix: &str,
    named: fn(&str) -> Option<T>,
) -> Parsed<T> {
    match tips.iter().find_map(|tip| tip.strip_prefix(prefix)) {
        Some(name) => named(name).ok_or_else(|| format!("no such policy: {name}")),
        None => Ok(T::default()),
    }
}

/// To which shards a command goes.
pub fn request_policy(name: &str) -> Option<RequestPolicy> {
    Some(match name {
        "all_nodes" => RequestPolicy::AllNodes,
        "all_shards" => RequestPolicy::AllShards,
        "multi_shard" => RequestPolicy::MultiShard,
        "special" => RequestPolicy::Special,
        _ => return None,
    })
}

/// How replies become one.
pub fn response_policy(name: &str) -> Option<ResponsePolicy> {
    Some(match name {
        "one_succeeded" => ResponsePolicy::OneSucceeded,
        "all_succeeded" => ResponsePolicy::AllSucceeded,
        "agg_sum" => ResponsePolicy::AggSum,
        "agg_min" => ResponsePolicy::AggMin,
        "agg_max" => ResponsePolicy::AggMax,
        "agg_logical_and" => ResponsePolicy::AggLogicalAnd,
        "agg_logical_or" => ResponsePolicy::AggLogicalOr,
        "concat" => ResponsePolicy::Concat,
        "special" => ResponsePolicy::Special,
        _ => return None,
    })
}

/// The last column, and the response policy it gives where Redis's tips have none.
pub fn handling(text: &'static str) -> Parsed<(Handling, Option<ResponsePolicy>)> {
    let handling = match text {
        "key" => Handling::Keyed,
        "key-unless-block" => Handling::KeyedUnlessBlocking,
        "sort" => Handling::Sort,
        "split" => Handling::Split,
        "all" => Handling::FanOut,
        "any" => Handling::AnyShard,
        "transaction" => Handling::Transaction,
        "blocking" => Handling::Blocking,
        "subscription" => Handling::Subscription,
        "scan" => Handling::Scan,
        "container" => Handling::Refused("a subcommand is missing"),
        _ => return special_handling(text),
    };
    Ok((handling, None))
}

fn special_handling(text: &'static str) -> Parsed<(Handling, Option<ResponsePolicy>)> {
    if let Some(reason) = text.strip_prefix("refused ") {
        return Ok((Handling::Refused(reason), None));
    }
    if let Some(policy) = text.strip_prefix("all:") {
        let policy = response_policy(policy).ok_or_else(|| format!("no policy: {policy}"))?;
        return Ok((Handling::FanOut, Some(policy)));
    }
    if let Some(name) = text.strip_prefix("gather:") {
        let gather = Gather::from_name(name).ok_or_else(|| format!("not gathered: {name}"))?;
        return Ok((Handling::Gather(gather), None));
    }
    if let Some(name) = text.strip_prefix("script:") {
        let script = Script::from_name(name).ok_or_else(|| format!("no such script: {name}"))?;
        return Ok((Handling::Script(script), None));
    }
    let name = text.strip_prefix("local:").ok_or_else(|| format!("no such handling: {text}"))?;
    let local = Local::from_name(name).ok_or_else(|| format!("not answered here: {name}"))?;
    Ok((Handling::Local(local), None))
}
