//! Reads `table.txt`; its head describes the columns.

mod handling;
mod keys;

use self::handling::handling;
pub use self::handling::{policy, request_policy, response_policy};
use self::keys::{key_spec, keys_of, legacy_range};
use super::bits::{Categories, Flags};
use super::family::Family;
use super::spec::Spec;

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
        family: Family::of_group(group),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::spec::{FindKeys, RequestPolicy};

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
