//! What befalls the shards and the wires to them: drawn from the seed, one after another in each
//! lane, and overlapping between lanes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::fleet::Member;
use super::verdict::Book;
use super::wire::Mood;

/// Faults that go on until they are told to end, and are then mended.
#[derive(Debug)]
pub struct Faults {
    stop: Arc<AtomicBool>,
    lanes: Vec<JoinHandle<()>>,
}

impl Faults {
    /// Two lanes for each shard: one for its process, one for its wire.
    pub fn begin(members: &[Arc<Member>], seed: u64, book: &Arc<Book>) -> Faults {
        let stop = Arc::new(AtomicBool::new(false));
        let mut lanes = Vec::new();
        for (index, member) in members.iter().enumerate() {
            for (layer, kinds) in [&PROCESS[..], &WIRE[..]].into_iter().enumerate() {
                let rng = Rng::with_seed(seed ^ ((index * 2 + layer + 1) as u64) << 32);
                let (member, book) = (Arc::clone(member), Arc::clone(book));
                let stop = Arc::clone(&stop);
                let lane = Lane { member, kinds, rng, book, stop };
                lanes.push(thread::spawn(move || lane.run()));
            }
        }
        Faults { stop, lanes }
    }

    /// Waits until all is mended.
    pub fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for lane in self.lanes {
            lane.join().expect("no lane panics");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Kill,
    Stop,
    Reset,
    ResetForAWhile,
    Delay,
    Cut,
    Blackhole,
    Hold,
    Partition,
}

const PROCESS: [Kind; 3] = [Kind::Kill, Kind::Kill, Kind::Stop];
const WIRE: [Kind; 8] = [
    Kind::Reset,
    Kind::Reset,
    Kind::ResetForAWhile,
    Kind::Delay,
    Kind::Cut,
    Kind::Cut,
    Kind::Blackhole,
    Kind::Hold,
];

struct Lane {
    member: Arc<Member>,
    kinds: &'static [Kind],
    rng: Rng,
    book: Arc<Book>,
    stop: Arc<AtomicBool>,
}

impl Lane {
    fn run(mut self) {
        loop {
            let gap = self.rng.u64(1_500..10_000);
            if self.sleep(gap) {
                return;
            }
            let kind = match (&self.member.namespace, self.kinds == WIRE && self.rng.u8(..3) == 0) {
                (Some(_), true) => Kind::Partition,
                _ => *self.rng.choice(self.kinds).expect("kinds are listed"),
            };
            self.strike(kind);
        }
    }

    fn strike(&mut self, kind: Kind) {
        let (long, short) = (self.rng.u64(300..4_000), self.rng.u64(50..1_500));
        let (after, delay) = (self.rng.usize(1..3_000), self.rng.u64(5..800));
        let member = Arc::clone(&self.member);
        let wire = &member.wire;
        match (kind, &member.namespace) {
            (Kind::Kill, _) => {
                self.note("kill -9");
                member.kill9();
                self.sleep(short);
                member.restart();
            }
            (Kind::Stop, _) => {
                self.note("SIGSTOP");
                member.stop();
                self.sleep(long);
                member.cont();
            }
            (Kind::Reset, _) => {
                self.note("connections reset");
                wire.reset_all();
            }
            (Kind::ResetForAWhile, _) => {
                self.note("connections reset for a while");
                self.hold(Mood::Reset, short, true);
            }
            (Kind::Delay, _) => {
                self.note("replies delayed");
                self.hold(Mood::Delay(Duration::from_millis(delay)), long, false);
            }
            (Kind::Cut, _) => {
                self.note("cut in mid-reply");
                self.hold(Mood::Cut(after), short, false);
            }
            (Kind::Blackhole, _) | (Kind::Partition, None) => {
                self.note("black hole");
                self.hold(Mood::Blackhole, long, false);
            }
            (Kind::Hold, _) => {
                self.note("held up, then delivered");
                self.hold(Mood::Hold, long, false);
            }
            (Kind::Partition, Some(namespace)) => {
                self.note("network partition");
                namespace.cut();
                self.sleep(long);
                namespace.mend();
            }
        }
    }

    fn hold(&self, mood: Mood, milliseconds: u64, resets: bool) {
        self.member.wire.set(mood);
        if resets {
            self.member.wire.reset_all();
        }
        self.sleep(milliseconds);
        self.member.wire.set(Mood::Pass);
    }

    fn note(&self, kind: &'static str) {
        self.book.fault(kind, &self.member.name);
    }

    /// Sleeps, but for the end of the run; whether it has come.
    fn sleep(&self, milliseconds: u64) -> bool {
        let end = Instant::now() + Duration::from_millis(milliseconds);
        while Instant::now() < end && !self.stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        self.stop.load(Ordering::SeqCst)
    }
}
