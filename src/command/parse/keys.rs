//! The column of key specs.

use super::{Parsed, number};
use crate::command::bits::{Flags, KeyFlags};
use crate::command::spec::{BeginSearch, FindKeys, KeySpec, Keys, Search};

/// `BEGIN FIND:FLAGS`, as the head of the table describes it.
pub fn key_spec(text: &'static str) -> Parsed<KeySpec> {
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
pub fn legacy_range(key_specs: &[KeySpec]) -> (i32, i32, i32) {
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

/// The fastest way to a command's keys.
pub fn keys_of(name: &str, specs: &[KeySpec], flags: Flags, range: (i32, i32, i32)) -> Keys {
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
