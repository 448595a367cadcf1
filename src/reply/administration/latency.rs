//! LATENCY LATEST, HISTORY and HISTOGRAM: events and commands by name, whichever shard met them.

use std::collections::BTreeMap;

use super::{frame, integers, pairs};
use crate::resp::Writer;
use crate::resp::reply::elements;

/// One row an event: the latest of all shards, and the longest ever. What newer versions add
/// (sum and count) is added up.
pub fn latency_latest(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut events: BTreeMap<&[u8], Vec<i64>> = BTreeMap::new();
    for reply in replies {
        for row in elements(reply)? {
            let mut fields = elements(row)?;
            let name = fields.next()?;
            let numbers: Vec<i64> = fields.map(frame::integer).collect::<Option<_>>()?;
            match events.get_mut(name) {
                Some(known) => join_latest(known, &numbers)?,
                None => {
                    events.insert(name, numbers);
                }
            }
        }
    }
    writer.array(events.len());
    for (name, numbers) in events {
        writer.array(1 + numbers.len());
        writer.raw(name);
        numbers.iter().for_each(|&number| writer.integer(number));
    }
    Some(())
}

/// Numbers are: time of the latest, its length, the longest, and sums.
fn join_latest(known: &mut [i64], more: &[i64]) -> Option<()> {
    if known.len() < 3 || known.len() != more.len() {
        return None;
    }
    let (a, b) = ((known[0], known[1]), (more[0], more[1]));
    (known[0], known[1]) = a.max(b);
    known[2] = known[2].max(more[2]);
    for (sum, more) in known[3..].iter_mut().zip(&more[3..]) {
        *sum = sum.saturating_add(*more);
    }
    Some(())
}

/// The spikes of all shards, the oldest first; of one second the longest, as each shard keeps it.
pub fn latency_history(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut spikes: BTreeMap<i64, i64> = BTreeMap::new();
    for reply in replies {
        for spike in elements(reply)? {
            let [at, length] = integers(spike)?[..] else { return None };
            let longest = spikes.entry(at).or_default();
            *longest = length.max(*longest);
        }
    }
    writer.array(spikes.len());
    for (at, length) in spikes {
        writer.array(2);
        writer.integer(at);
        writer.integer(length);
    }
    Some(())
}

/// What one command's histograms add up to.
#[derive(Default)]
struct Histogram {
    calls: i64,
    /// Calls by the bucket's upper bound in µs, not cumulated.
    buckets: BTreeMap<i64, i64>,
}

/// Calls and their distribution by command, added up. A shard's counts are cumulative and leave
/// out empty buckets, so that they are added as differences.
pub fn latency_histogram(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut commands: BTreeMap<&[u8], Histogram> = BTreeMap::new();
    for reply in replies {
        for (name, histogram) in pairs(reply)? {
            commands.entry(name).or_default().add(histogram)?;
        }
    }
    writer.map(commands.len());
    for (name, histogram) in commands {
        writer.raw(name);
        histogram.write(writer);
    }
    Some(())
}

impl Histogram {
    fn add(&mut self, reply: &[u8]) -> Option<()> {
        for (name, value) in pairs(reply)? {
            match frame::text(name)? {
                b"calls" => self.calls = self.calls.saturating_add(frame::integer(value)?),
                b"histogram_usec" => self.add_buckets(value)?,
                _ => {}
            }
        }
        Some(())
    }

    fn add_buckets(&mut self, reply: &[u8]) -> Option<()> {
        let mut before = 0;
        for (bound, count) in pairs(reply)? {
            let (bound, count) = (frame::integer(bound)?, frame::integer(count)?);
            *self.buckets.entry(bound).or_default() += count.saturating_sub(before);
            before = count;
        }
        Some(())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.map(2);
        writer.bulk(b"calls");
        writer.integer(self.calls);
        writer.bulk(b"histogram_usec");
        writer.map(self.buckets.len());
        let mut total = 0_i64;
        for (&bound, count) in &self.buckets {
            total = total.saturating_add(*count);
            writer.integer(bound);
            writer.integer(total);
        }
    }
}
