//! How a pool's keys are shared out: as configured, and now.

use super::{Fields, Standing, Value};

/// A pool's ring and each shard's part of it.
pub fn ring(standing: Standing<'_>) -> Fields {
    let (pool, now) = (standing.pool, standing.ring);
    let home = now.at_home();
    let (configured, present) = (home.shares(), now.shares());
    let shard = |(index, server): (usize, &crate::config::Server)| -> Fields {
        vec![
            ("shard", Value::Text(server.name.clone())),
            ("address", Value::Text(server.address.to_string())),
            ("weight", Value::Number(server.weight.into())),
            ("points", Value::Number(now.points_of(index) as u64)),
            ("share", Value::Text(percent(configured[index]))),
            ("share_now", Value::Text(percent(present[index]))),
        ]
    };
    let servers = pool.servers.iter().enumerate().filter(|(_, server)| !server.is_removed);
    let tag = pool.hash_tag.map(|[open, close]| [char::from(open), char::from(close)]);
    let points: usize = (0..pool.servers.len()).map(|index| now.points_of(index)).sum();
    vec![
        ("pool", Value::Text(pool.name.clone())),
        ("distribution", Value::Text(pool.distribution.name().to_owned())),
        ("hash", Value::Text(pool.hash.name().to_owned())),
        ("hash_tag", Value::of(tag.map(String::from_iter))),
        ("points", Value::Number(points as u64)),
        ("peak_to_mean", Value::Real(hundredths(home.peak_to_mean()))),
        ("peak_to_mean_now", Value::Real(hundredths(now.peak_to_mean()))),
        ("shards", Value::maps(servers.map(shard))),
    ]
}

/// A part of 1 for a person.
pub fn percent(part: f64) -> String {
    match part {
        part if part > 0.0 && part < 0.0001 => "<0.01 %".to_owned(),
        // Plus 0 makes 0 of -0, which empty sums are.
        part => format!("{:.2} %", part * 100.0 + 0.0),
    }
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_well() {
        let read = [-0.0, 0.0, 0.00001, 0.33333, 1.0].map(percent);
        assert_eq!(read, ["0.00 %", "0.00 %", "<0.01 %", "33.33 %", "100.00 %"]);
    }
}
