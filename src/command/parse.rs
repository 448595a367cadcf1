//! Reads `table.txt`; its head describes the columns.

use super::bits::{Categories, Flags, KeyFlags};
use super::table::{
    BeginSearch, FindKeys, Handling, KeySpec, Keys, Local, RequestPolicy, ResponsePolicy, Search,
    Spec,
};

type Parsed<T> = Result<T, String>;

/// The commands of `text` with their subcommands, in alphabetical order, ids given.
pub fn table(text: &'static str) -> Parsed<Vec<Spec>> {
    let mut specs = lines(text)?;
    specs.sort_by_key(|spec| spec.name.split_once('|').unwrap_or((spec.name, "")));
    let mut commands: Vec<Spec> = Vec::new();
    for spec in specs {
        match spec.name.split_once('|') {
            None => commands.push(spec),
            Some((container, _)) => commands
                .last_mut()
                .filter(|command| command.name == container)
                .ok_or_else(|| format!("{}: its container is missing", spec.name))?
                .subcommands
                .push(spec),
        }
    }
    let all = commands.iter_mut().flat_map(|spec| {
        let Spec { id, subcommands, .. } = spec;
        std::iter::once(id).chain(subcommands.iter_mut().map(|spec| &mut spec.id))
    });
    all.zip(0..).for_each(|(id, next)| *id = next);
    Ok(commands)
}

fn lines(text: &'static str) -> Parsed<Vec<Spec>> {
    let mut group = "";
    let mut specs = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => group = name,
            None => specs.push(spec(line, group).map_err(|fault| format!("{line:?}: {fault}"))?),
        }
    }
    Ok(specs)
}

fn spec(line: &'static str, group: &'static str) -> Parsed<Spec> {
    let mut rest = line;
    let mut column = || {
        let (word, tail) = rest.split_once(' ').ok_or("a column is missing")?;
        rest = tail.trim_start();
        Ok::<_, String>(word)
    };
    let (name, since, arity, flags) = (column()?, column()?, column()?, column()?);
    let (keys, acl, tips) = (column()?, column()?, column()?);
    let flags = words(flags, Flags::from_name, Flags::with)?;
    let key_specs = list(keys, ';').map(key_spec).collect::<Parsed<Vec<_>>>()?;
    let tips: Vec<_> = list(tips, ',').collect();
    let legacy_range = legacy_range(&key_specs);
    let (handling, own_policy) = handling(rest)?;
    Ok(Spec {
        name,
        id: 0,
        arity: number(arity)?,
        keys: keys_of(name, &key_specs, flags, legacy_range),
        handling,
        request_policy: policy(&tips, "request_policy:", request_policy)?,
        response_policy: match own_policy {
            Some(own) => own,
            None => policy(&tips, "response_policy:", response_policy)?,
        },
        flags,
        categories: categories(acl, flags, group, rest == "container")?,
        group,
        since,
        tips,
        key_specs,
        legacy_range,
        subcommands: Vec::new(),
    })
}

/// The items of a column; `-` has none.
fn list(column: &'static str, separator: char) -> impl Iterator<Item = &'static str> {
    column.split(separator).filter(|item| *item != "-")
}

fn words<T: Default>(
    column: &'static str,
    named: fn(&str) -> Option<T>,
    with: fn(T, T) -> T,
) -> Parsed<T> {
    list(column, ',').try_fold(T::default(), |set, name| {
        Ok(with(set, named(name).ok_or_else(|| format!("no such word: {name}"))?))
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

/// What flags and group imply, with the column's words added and its `-words` taken away.
fn categories(
    column: &'static str,
    flags: Flags,
    group: &str,
    is_container: bool,
) -> Parsed<Categories> {
    let implied = [
        (Flags::WRITE, Categories::WRITE),
        (Flags::ADMIN, Categories::ADMIN.with(Categories::DANGEROUS)),
        (Flags::PUBSUB, Categories::PUBSUB),
        (Flags::BLOCKING, Categories::BLOCKING),
        (Flags::FAST, Categories::FAST),
    ];
    let mut set = implied
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(Categories::default(), |set, (_, category)| set.with(category));
    if !flags.contains(Flags::FAST) {
        set = set.with(Categories::SLOW);
    }
    if flags.contains(Flags::READONLY) && group != "scripting" {
        set = set.with(Categories::READ);
    }
    if !is_container {
        set = set.with(group_category(group));
    }
    list(column, ',').try_fold(set, |set, word| {
        let name = word.strip_prefix('-').unwrap_or(word);
        let category = Categories::from_name(name).ok_or_else(|| format!("no category: {name}"))?;
        Ok(if name == word { set.with(category) } else { set.without(category) })
    })
}

fn group_category(group: &str) -> Categories {
    match group {
        "generic" => Categories::KEYSPACE,
        "sorted-set" => Categories::SORTEDSET,
        "transactions" => Categories::TRANSACTION,
        // Redis puts commands into @pubsub by their flag alone.
        "pubsub" => Categories::default(),
        _ => Categories::from_name(group).unwrap_or_default(),
    }
}

/// `BEGIN FIND:FLAGS`, as the head of the table describes it.
fn key_spec(text: &'static str) -> Parsed<KeySpec> {
    let (place, flags) = text.split_once(':').ok_or("a key spec lacks its flags")?;
    let flags = flags.split('+').try_fold(KeyFlags::default(), |set, name| {
        Ok::<_, String>(set.with(KeyFlags::from_name(name).ok_or(format!("no key flag: {name}"))?))
    })?;
    if place == "?" {
        return Ok(KeySpec { flags, begin: BeginSearch::Unknown, find: FindKeys::Unknown });
    }
    let (begin, find) = if let Some((begin, range)) = place.split_once("..") {
        let mut parts = range.split('/');
        let last = number(parts.next().unwrap_or_default())?;
        let step = parts.next().map_or(Ok(1), number)?;
        let limit = parts.next().map_or(Ok(0), number)?;
        (begin, FindKeys::Range { last, step, limit })
    } else if let Some((begin, count)) = place.split_once('#') {
        let (at, keys) = count.split_once('+').ok_or("a count lacks its first key")?;
        let (first, step) = keys.split_once('/').ok_or("a count lacks its step")?;
        (begin, FindKeys::Count { at: number(at)?, first: number(first)?, step: number(step)? })
    } else {
        (place, FindKeys::Range { last: 0, step: 1, limit: 0 })
    };
    let begin = match begin.split_once('@') {
        Some((keyword, from)) => BeginSearch::Keyword { keyword, from: number(from)? },
        None => BeginSearch::Index(number(begin)?),
    };
    Ok(KeySpec { flags, begin, find })
}

/// First key, last key and step as Redis derives them from key specs: the ranges at fixed places,
/// as far as they follow one another.
fn legacy_range(key_specs: &[KeySpec]) -> (i32, i32, i32) {
    let mut range: Option<(i32, i32, i32)> = None;
    for spec in key_specs {
        let (BeginSearch::Index(index), FindKeys::Range { last, step, .. }) =
            (&spec.begin, &spec.find)
        else {
            continue;
        };
        let (index, step) = (*index as i32, *step as i32);
        let last = if *last < 0 { *last } else { index + last };
        range = match range {
            None => Some((index, last, step)),
            Some((first, before, 1)) if before == index - 1 && step == 1 => Some((first, last, 1)),
            so_far => so_far,
        };
    }
    range.unwrap_or_default()
}

fn keys_of(name: &str, specs: &[KeySpec], flags: Flags, range: (i32, i32, i32)) -> Keys {
    if specs.iter().all(|spec| spec.flags.contains(KeyFlags::NOT_KEY)) {
        return Keys::None;
    }
    match name {
        "sort" => return Keys::Search(Search::Sort),
        "sort_ro" => return Keys::At(1),
        "migrate" => return Keys::Search(Search::Migrate),
        _ if flags.contains(Flags::MOVABLEKEYS) => return Keys::Search(Search::Specs),
        _ => {}
    }
    let (first, last, step) = range;
    match first == last {
        true => Keys::At(first as usize),
        false => Keys::Range { first: first as usize, last, step: step as usize },
    }
}

fn policy<T: Default>(
    tips: &[&'static str],
    prefix: &str,
    named: fn(&str) -> Option<T>,
) -> Parsed<T> {
    match tips.iter().find_map(|tip| tip.strip_prefix(prefix)) {
        Some(name) => named(name).ok_or_else(|| format!("no such policy: {name}")),
        None => Ok(T::default()),
    }
}

fn request_policy(name: &str) -> Option<RequestPolicy> {
    Some(match name {
        "all_nodes" => RequestPolicy::AllNodes,
        "all_shards" => RequestPolicy::AllShards,
        "multi_shard" => RequestPolicy::MultiShard,
        "special" => RequestPolicy::Special,
        _ => return None,
    })
}

fn response_policy(name: &str) -> Option<ResponsePolicy> {
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
fn handling(text: &'static str) -> Parsed<(Handling, Option<ResponsePolicy>)> {
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
    let name = text.strip_prefix("local:").ok_or_else(|| format!("no such handling: {text}"))?;
    let local = LOCALS.iter().find(|local| format!("{local:?}") == name);
    Ok((Handling::Local(*local.ok_or_else(|| format!("not answered here: {name}"))?), None))
}

const LOCALS: [Local; 25] = [
    Local::Ping,
    Local::Echo,
    Local::Time,
    Local::Hello,
    Local::Auth,
    Local::Select,
    Local::Quit,
    Local::Reset,
    Local::Info,
    Local::Command,
    Local::CommandCount,
    Local::CommandList,
    Local::CommandInfo,
    Local::CommandDocs,
    Local::CommandGetKeys,
    Local::CommandGetKeysAndFlags,
    Local::CommandHelp,
    Local::ClientId,
    Local::ClientGetName,
    Local::ClientSetName,
    Local::ClientSetInfo,
    Local::ClientInfo,
    Local::ClientList,
    Local::ClientCapa,
    Local::ClientHelp,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_line_is_named() {
        for (line, fault) in [
            ("[string]\nget 1 2", "a column is missing"),
            ("get 1 two - - - - key", "not a number: two"),
            ("get 1 2 readable - - - key", "no such word: readable"),
            ("get 1 2 - 1 - - key", "lacks its flags"),
            ("get 1 2 - 1:XX - - key", "no key flag: XX"),
            ("get 1 2 - - - - sent", "no such handling: sent"),
            ("get 1 2 - - - - local:Get", "not answered here: Get"),
            ("get|x 1 2 - - - - key", "its container is missing"),
        ] {
            let told = table(line).expect_err(line);
            assert!(told.contains(fault), "{told}");
        }
    }

    #[test]
    fn a_line_says_what_its_columns_say() {
        let text = "[string]\nmsetex 9.1.0 -4 write,denyoom 1#0+1/2:OW+update \
                    - request_policy:multi_shard key";
        let spec = table(text).unwrap().remove(0);
        assert_eq!((spec.name, spec.since, spec.arity), ("msetex", "9.1.0", -4));
        assert_eq!(spec.flags, Flags::WRITE.with(Flags::DENYOOM));
        assert_eq!(spec.request_policy, RequestPolicy::MultiShard);
        let names: Vec<_> = spec.categories.names().collect();
        assert_eq!(names, ["write", "string", "slow"]);
        assert_eq!(spec.key_specs[0].find, FindKeys::Count { at: 0, first: 1, step: 2 });
    }
}
