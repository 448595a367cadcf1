//! MEMORY STATS: bytes added up, ratios anew.

use super::{frame, pairs};
use crate::resp::Writer;
use crate::resp::reply::elements;

/// A value of MEMORY STATS.
enum Value {
    Integer(i64),
    Double(f64),
    /// What one database takes.
    Map(Stats),
}

/// Names and values in the order that they appeared in.
#[derive(Default)]
struct Stats(Vec<(Vec<u8>, Value)>);

/// All that is counted in bytes or keys is added up; means and ratios are of the sums.
pub fn memory_stats(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut total = Stats::default();
    for reply in replies {
        total.add(reply)?;
    }
    total.derive();
    total.write(writer);
    Some(())
}

impl Stats {
    fn add(&mut self, reply: &[u8]) -> Option<()> {
        for (name, value) in pairs(reply)? {
            let name = frame::text(name)?;
            let known = self.0.iter_mut().find(|(known, _)| known == name);
            match (known, frame::integer(value), elements(value)) {
                (Some((_, Value::Integer(sum))), Some(number), _) => {
                    *sum = sum.saturating_add(number);
                }
                (Some((_, Value::Map(stats))), None, Some(_)) => stats.add(value)?,
                (Some((_, Value::Double(sum))), None, None) => *sum += frame::number(value)?,
                (Some(_), _, _) => return None,
                (None, Some(number), _) => self.0.push((name.to_vec(), Value::Integer(number))),
                (None, None, Some(_)) => {
                    let mut stats = Stats::default();
                    stats.add(value)?;
                    self.0.push((name.to_vec(), Value::Map(stats)));
                }
                (None, None, None) => {
                    self.0.push((name.to_vec(), Value::Double(frame::number(value)?)));
                }
            }
        }
        Some(())
    }

    fn of(&self, name: &str) -> f64 {
        match self.0.iter().find(|(known, _)| known == name.as_bytes()) {
            Some((_, Value::Integer(number))) => *number as f64,
            Some((_, Value::Double(number))) => *number,
            _ => 0.0,
        }
    }

    /// Redis's own formulas (`getMemoryOverheadData`), over the sums.
    fn derive(&mut self) {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let total = self.of("total.allocated");
        let net = total - self.of("startup.allocated");
        let resident = self.of("allocator.resident");
        let active = self.of("allocator.active");
        let derived = [
            ("keys.bytes-per-key", share(net, self.of("keys.count"))),
            ("dataset.percentage", 100.0 * share(self.of("dataset.bytes"), net)),
            ("peak.percentage", 100.0 * share(total, self.of("peak.allocated"))),
            ("allocator-fragmentation.ratio", share(active, self.of("allocator.allocated"))),
            ("allocator-rss.ratio", share(resident, active)),
            ("rss-overhead.ratio", share(resident + self.of("rss-overhead.bytes"), resident)),
            ("fragmentation", share(total + self.of("fragmentation.bytes"), total)),
        ];
        for (name, number) in derived {
            match self.0.iter_mut().find(|(known, _)| known == name.as_bytes()) {
                Some((_, Value::Integer(value))) => *value = number as i64,
                Some((_, Value::Double(value))) => *value = number,
                _ => {}
            }
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.map(self.0.len());
        for (name, value) in &self.0 {
            writer.bulk(name);
            match value {
                Value::Integer(number) => writer.integer(*number),
                Value::Double(number) => writer.double(*number),
                Value::Map(stats) => stats.write(writer),
            }
        }
    }
}
