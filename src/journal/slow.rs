//! The slow log: the last requests that took longer than `slow_threshold`.

use std::collections::VecDeque;

use serde::Serialize;

use crate::resp::Writer;

/// The last slow requests of all workers.
#[derive(Debug)]
pub struct SlowLog {
    /// Newest first.
    entries: VecDeque<SlowRequest>,
    next: u64,
    most: usize,
}

/// One slow request.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SlowRequest {
    /// Counted from 0 at start; never given twice.
    pub id: u64,
    /// When its reply came, in microseconds since 1970.
    pub at_us: u64,
    /// What it said: see [`super::redact::Shown`].
    #[serde(serialize_with = "as_texts")]
    pub args: Vec<Vec<u8>>,
    /// Where the client connects from.
    pub client: String,
    /// What the client calls itself.
    pub name: String,
    /// The pool.
    pub pool: String,
    /// The shard that answered.
    pub shard: String,
    /// From its arrival until its reply was paired with it.
    pub total_us: u64,
    /// From its arrival until it was written to the shard.
    pub queued_us: u64,
    /// From then until the reply was read, the time behind other requests of the same link included.
    pub shard_us: u64,
}

impl SlowRequest {
    /// The time in circlet: all that was not the shard's.
    pub fn proxy_us(&self) -> u64 {
        self.total_us.saturating_sub(self.shard_us)
    }
}

impl SlowLog {
    /// An empty log that keeps so many requests.
    pub fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), next: 0, most }
    }

    /// Changes how many requests are kept.
    pub fn keep(&mut self, most: usize) {
        self.most = most;
        self.entries.truncate(most);
    }

    /// Keeps a request, under the next number.
    pub fn push(&mut self, request: SlowRequest) {
        self.entries.truncate(self.most.saturating_sub(1));
        if self.most > 0 {
            self.entries.push_front(SlowRequest { id: self.next, ..request });
        }
        self.next += 1;
    }

    /// How many are kept.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// The newest `count`, newest first.
    pub fn newest(&self, count: usize) -> Vec<SlowRequest> {
        self.entries.iter().take(count).cloned().collect()
    }
}

/// As Redis's SLOWLOG GET: number, second, microseconds, arguments, client, its name; then what
/// Redis has not: pool, shard, and the microseconds queued, at the shard, and in circlet in all.
pub fn write(requests: &[SlowRequest], writer: &mut Writer<'_>) {
    writer.array(requests.len());
    for request in requests {
        writer.array(11);
        writer.integer(request.id as i64);
        writer.integer((request.at_us / 1_000_000) as i64);
        writer.integer(request.total_us as i64);
        writer.array(request.args.len());
        request.args.iter().for_each(|arg| writer.bulk(arg));
        for text in [&request.client, &request.name, &request.pool, &request.shard] {
            writer.bulk(text.as_bytes());
        }
        for span in [request.queued_us, request.shard_us, request.proxy_us()] {
            writer.integer(span as i64);
        }
    }
}

fn as_texts<S: serde::Serializer>(args: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(args.iter().map(|arg| String::from_utf8_lossy(arg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_numbers_go_on() {
        let mut log = SlowLog::new(3);
        (0..5).for_each(|_| log.push(SlowRequest::default()));
        let ids = |log: &SlowLog| log.newest(9).iter().map(|slow| slow.id).collect::<Vec<_>>();
        assert_eq!((log.len(), ids(&log)), (3, vec![4, 3, 2]));
        log.reset();
        log.push(SlowRequest::default());
        assert_eq!(ids(&log), [5]);
        log.keep(0);
        log.push(SlowRequest::default());
        assert_eq!(log.len(), 0);
        log.keep(2);
        (0..3).for_each(|_| log.push(SlowRequest::default()));
        assert_eq!(ids(&log), [9, 8]);
    }
}
