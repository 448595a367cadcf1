//! The lines that `circlet top` shows, from two readings.

use super::reading::{Pool, Reading, Shard};
use crate::commandline::table::{count, table};
use crate::explain::percent;

/// What is shown on a screen of that width.
pub(super) fn lines(before: &Reading, now: &Reading, width: usize) -> Vec<String> {
    let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
    let mut lines =
        vec![format!("circlet {} at {}, up {}", now.version, now.address, uptime(now.uptime))];
    for pool in &now.pools {
        let earlier = before.pools.iter().find(|earlier| earlier.name == pool.name);
        lines.push(String::new());
        lines.extend(of_pool(earlier.unwrap_or(pool), pool, seconds, width));
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// The beginning of a line, as far as it fits.
pub(super) fn cut(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

fn of_pool(before: &Pool, now: &Pool, seconds: f64, width: usize) -> Vec<String> {
    let rows: Vec<[String; COLUMNS]> = now
        .shards
        .iter()
        .map(|shard| {
            let earlier = before.shards.iter().find(|earlier| earlier.name == shard.name);
            cells(earlier.unwrap_or(shard), shard, seconds)
        })
        .collect();
    let requests: u64 = now.shards.iter().map(|shard| shard.requests).sum();
    let earlier: u64 = before.shards.iter().map(|shard| shard.requests).sum();
    let refused = rate(before.not_forwarded, now.not_forwarded, seconds);
    let mut lines = vec![format!(
        "pool {}: {} clients, {} requests/s, {refused} not forwarded/s",
        now.name,
        count(now.clients),
        rate(earlier, requests, seconds)
    )];
    let is_told = |column: usize| rows.iter().any(|row| row[column] != "-");
    let mut columns: Vec<usize> =
        (0..COLUMNS).filter(|&column| column == 0 || is_told(column)).collect();
    let mut drawn = drawing(&rows, &columns);
    for left_out in LEFT_OUT {
        if drawn.lines().all(|line| line.chars().count() <= width) {
            break;
        }
        columns.retain(|column| *column != left_out);
        drawn = drawing(&rows, &columns);
    }
    lines.extend(drawn.lines().map(str::to_owned));
    let out = now.shards.iter().filter(|shard| !shard.cause.is_empty());
    lines.extend(out.map(|shard| format!("{} {}: {}", shard.name, shard.state, shard.cause)));
    lines
}

fn drawing(rows: &[[String; COLUMNS]], columns: &[usize]) -> String {
    let pick = |cells: &[String; COLUMNS]| -> Vec<String> {
        columns.iter().map(|&column| cells[column].clone()).collect()
    };
    let head = HEAD.map(str::to_owned);
    let all: Vec<Vec<String>> = [&head].into_iter().chain(rows).map(pick).collect();
    table(&all)
}

fn cells(before: &Shard, now: &Shard, seconds: f64) -> [String; COLUMNS] {
    let state = if now.state.is_empty() { "-" } else { &now.state };
    [
        now.name.clone(),
        state.to_owned(),
        now.share.map_or("-".to_owned(), percent),
        rate(before.requests, now.requests, seconds),
        rate(before.errors, now.errors, seconds),
        count(now.in_flight),
        latency(before, now),
        count(now.links),
    ]
}

/// Of the replies between the two readings, in milliseconds.
fn latency(before: &Shard, now: &Shard) -> String {
    match (before.timed, now.timed) {
        (Some((counted, sum)), Some((now_counted, now_sum))) if now_counted > counted => {
            format!("{:.2}", (now_sum - sum) * 1000.0 / (now_counted - counted))
        }
        _ => "-".to_owned(),
    }
}

/// A restart in between counts as none.
fn rate(before: u64, now: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return "0".to_owned();
    }
    count((now.saturating_sub(before) as f64 / seconds).round() as u64)
}

fn uptime(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

const COLUMNS: usize = 8;
const HEAD: [&str; COLUMNS] =
    ["shard", "state", "share", "requests/s", "errors/s", "in flight", "latency ms", "links"];
/// What goes first where there is no room.
const LEFT_OUT: [usize; 5] = [7, 2, 6, 5, 4];

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn reading(at: Instant, requests: u64, timed: Option<(f64, f64)>) -> Reading {
        let shard = Shard {
            name: "10.0.0.1:6379".into(),
            state: "live".into(),
            share: Some(0.5),
            requests,
            in_flight: 3,
            links: 2,
            timed,
            ..Shard::default()
        };
        let out = Shard {
            name: "10.0.0.2:6379".into(),
            state: "ejected".into(),
            cause: "Connection refused".into(),
            share: Some(0.0),
            ..Shard::default()
        };
        let pools =
            vec![Pool { name: "a".into(), clients: 1, not_forwarded: 0, shards: vec![shard, out] }];
        Reading { at, address: "x:1".into(), version: "1".into(), uptime: 3_700, pools }
    }

    #[test]
    fn rates_are_those_between_two_readings() {
        let at = Instant::now();
        let before = reading(at, 1_000, Some((10.0, 1.0)));
        let now = reading(at + Duration::from_secs(2), 5_000, Some((30.0, 1.04)));
        let expected = [
            "circlet 1 at x:1, up 1 h 1 min",
            "",
            "pool a: 1 clients, 2,000 requests/s, 0 not forwarded/s",
            "shard          state      share  requests/s  errors/s  in flight  latency ms  links",
            "10.0.0.1:6379  live     50.00 %       2,000         0          3        2.00      2",
            "10.0.0.2:6379  ejected   0.00 %           0         0          0           -      0",
            "10.0.0.2:6379 ejected: Connection refused",
        ];
        assert_eq!(lines(&before, &now, usize::MAX), expected);
    }

    #[test]
    fn a_narrow_screen_has_fewer_columns_and_no_longer_lines() {
        let at = Instant::now();
        let (before, now) = (reading(at, 1, None), reading(at + Duration::from_secs(1), 2, None));
        for width in [10, 40, 60, 80, 200] {
            let shown = lines(&before, &now, width);
            assert!(shown.iter().all(|line| line.chars().count() <= width), "{shown:?}");
        }
        let shown = lines(&before, &now, 40);
        assert_eq!(shown[3], "shard          state    requests/s");
    }
}
