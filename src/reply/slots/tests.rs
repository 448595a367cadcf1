//! Replies leave in the order of their commands, whatever the order in which they come.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::reply::MergeKind;

/// What happens to a session's replies. The numbers choose among what is possible then.
#[derive(Debug, Clone)]
enum Step {
    Reserve,
    ReserveMerge(usize),
    /// A command whose reply is not wanted; whether it is answered at once.
    Muted(bool),
    MutedMerge(usize),
    /// The reply to one of the commands that wait arrives.
    Small(usize, usize),
    Large(usize, usize),
    Silent(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<usize>;
    prop_oneof![
        6 => Just(Step::Reserve),
        2 => (1..4usize).prop_map(Step::ReserveMerge),
        2 => any::<bool>().prop_map(Step::Muted),
        1 => (1..4usize).prop_map(Step::MutedMerge),
        5 => (which(), 1..200usize).prop_map(|(which, length)| Step::Small(which, length)),
        1 => (which(), 20_000..30_000usize).prop_map(|(which, length)| Step::Small(which, length)),
        2 => (which(), 1..20_000usize).prop_map(|(which, length)| Step::Large(which, length)),
        1 => which().prop_map(Step::Silent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn replies_leave_in_the_order_of_their_commands(
        first in prop_oneof![Just(0), Just(u32::MAX - 5), any::<u32>()],
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut desk = Desk::new(first);
        for step in steps {
            desk.play(step);
            desk.check_counts()?;
        }
        let so_far = desk.expected.len();
        prop_assert!(desk.out.bytes() == desk.expected, "other bytes than the model's");
        desk.answer_all();
        desk.check_counts()?;
        let end = desk.out.bytes();
        prop_assert!(end[so_far..] == desk.expected[so_far..], "other bytes at the end");
        prop_assert!(desk.replies.is_empty());
        prop_assert_eq!(desk.replies.parked.capacity(), 0, "an idle session holds no buffer");
    }
}

#[test]
fn what_is_always_parked_does_not_grow_for_ever() {
    let mut desk = Desk::new(0);
    desk.reserve();
    desk.reserve();
    desk.fill(1, vec![b'p'; 1_000], false);
    for _ in 0..500 {
        // The next is parked before the one in front leaves.
        desk.reserve();
        desk.reserve();
        desk.fill(2, vec![b'p'; 1_000], false);
        desk.fill(0, b"+due\r\n".to_vec(), false);
    }
    assert_eq!(desk.replies.parked_len(), 1_000);
    assert!(desk.replies.parked.len() <= COMPACT_PARKED + 1_000, "{}", desk.replies.parked.len());
    desk.answer_all();
    assert!(desk.out.bytes() == desk.expected, "other bytes than the model's");
}

#[test]
fn a_reply_that_came_while_nothing_may_leave_is_dropped_when_it_is_muted() {
    let mut desk = Desk::new(u32::MAX);
    desk.reserve();
    desk.fill(0, b"+wanted\r\n".to_vec(), false);
    desk.replies.hold();
    let sequence = desk.replies.reserve();
    desk.replies.fill(sequence, Frame::Small(b"+not\r\n"), &mut desk.out, &mut desk.spare);
    let large = desk.replies.reserve();
    let frame = Frame::Large(vec![b'l'; 10].into());
    desk.replies.fill(large, frame, &mut desk.out, &mut desk.spare);
    desk.replies.mute_from(0, &mut desk.out, &mut desk.spare);
    assert_eq!(desk.out.bytes(), b"+wanted\r\n");
    assert!(desk.replies.is_empty());
    assert_eq!(desk.replies.parked_len(), 0);
}

#[test]
fn what_waits_behind_a_slow_shard_is_counted() {
    let mut desk = Desk::new(0);
    for _ in 0..3 {
        desk.reserve();
    }
    desk.fill(1, vec![b's'; 100], false);
    assert_eq!(desk.replies.parked_len(), 100);
    desk.fill(1, vec![b'l'; 50_000], true);
    assert_eq!(desk.replies.parked_len(), 50_100);
    desk.fill(0, b"+OK\r\n".to_vec(), false);
    assert_eq!(desk.replies.parked_len(), 0);
}

#[test]
fn a_session_that_is_gone_holds_nothing() {
    let mut desk = Desk::new(7);
    for _ in 0..3 {
        desk.reserve();
    }
    desk.fill(1, vec![b'p'; 1_000], false);
    desk.fill(1, vec![b'p'; 50_000], true);
    desk.replies.clear();
    assert!(desk.replies.is_empty());
    assert_eq!((desk.replies.parked_len(), desk.replies.parked.capacity()), (0, 0));
    assert_eq!(desk.replies.reserve(), 10, "a number is not given twice");
}

#[test]
fn a_burst_of_commands_leaves_no_memory_behind() {
    let mut desk = Desk::new(0);
    for _ in 0..1_000 {
        desk.reserve();
    }
    desk.answer_all();
    desk.replies.shrink();
    assert!(desk.replies.slots.capacity() <= KEEP_SLOTS);
}

/// The replies of a session beside the simplest thing that does the same.
struct Desk {
    replies: Replies,
    out: Outbox,
    spare: SpareBuffers,
    /// Per command what it will be answered with and the parts that are missing; by sequence
    /// number counted from the first without wrapping.
    model: BTreeMap<u64, Place>,
    first: u32,
    next: u64,
    left: u64,
    expected: Vec<u8>,
}

#[derive(Default)]
struct Place {
    answer: Option<Vec<u8>>,
    /// Of a merge: the parts that are missing, and the sum so far.
    parts: Vec<usize>,
    sum: i64,
    /// Bytes that came.
    early: usize,
    muted: bool,
}

impl Desk {
    fn new(first: u32) -> Self {
        Self {
            replies: Replies { first, due: first, ..Replies::default() },
            out: Outbox::default(),
            spare: SpareBuffers::default(),
            model: BTreeMap::new(),
            first,
            next: 0,
            left: 0,
            expected: Vec::new(),
        }
    }

    fn play(&mut self, step: Step) {
        let open: Vec<u64> = self.open();
        let chosen = |which: usize| (!open.is_empty()).then(|| open[which % open.len()]);
        match step {
            Step::Reserve => self.reserve(),
            Step::ReserveMerge(parts) => self.reserve_merge(parts),
            Step::Muted(at_once) => {
                let number = self.mute(Self::reserve);
                if at_once {
                    self.answer(number, b"+muted\r\n".to_vec(), false);
                }
            }
            Step::MutedMerge(parts) => {
                self.mute(|desk| desk.reserve_merge(parts));
            }
            Step::Small(which, length) | Step::Large(which, length) => {
                let Some(place) = chosen(which) else { return };
                let bytes = vec![b'a' + (place % 26) as u8; length];
                self.answer(place, bytes, matches!(step, Step::Large(..)));
            }
            Step::Silent(which) => {
                let Some(place) = chosen(which) else { return };
                if self.model[&place].parts.is_empty() {
                    let (out, spare) = (&mut self.out, &mut self.spare);
                    let sequence = self.first.wrapping_add(place as u32);
                    self.replies.fill_silently(sequence, out, spare);
                    self.leave(place, Vec::new());
                }
            }
        }
    }

    fn reserve(&mut self) {
        assert_eq!(self.replies.reserve(), self.first.wrapping_add(self.next as u32));
        self.model.insert(self.next, Place::default());
        self.next += 1;
    }

    fn reserve_merge(&mut self, parts: usize) {
        let merge = Box::new(Merge::new(MergeKind::Sum, parts));
        let sequence = self.replies.reserve_merge(merge);
        assert_eq!(sequence, self.first.wrapping_add(self.next as u32));
        let place = Place { parts: (0..parts).collect(), ..Place::default() };
        self.model.insert(self.next, place);
        self.next += 1;
    }

    /// Reserves as `reserve` does, and mutes what was reserved.
    fn mute(&mut self, reserve: impl FnOnce(&mut Self)) -> u64 {
        let (count, number) = (self.replies.len(), self.next);
        self.replies.hold();
        reserve(self);
        self.replies.mute_from(count, &mut self.out, &mut self.spare);
        self.model.get_mut(&number).expect("it was reserved").muted = true;
        number
    }

    /// Commands that wait for their reply or a part of it.
    fn open(&self) -> Vec<u64> {
        let open = self.model.iter().filter(|(_, place)| place.answer.is_none());
        open.map(|(number, _)| *number).collect()
    }

    /// Answers the `index`th of those that wait.
    fn fill(&mut self, index: usize, bytes: Vec<u8>, large: bool) {
        self.answer(self.open()[index], bytes, large);
    }

    fn answer(&mut self, number: u64, bytes: Vec<u8>, large: bool) {
        let sequence = self.first.wrapping_add(number as u32);
        let place = self.model.get_mut(&number).expect("it waits");
        if let Some(part) = place.parts.pop() {
            place.sum += bytes.len() as i64;
            let (done, sum) = (place.parts.is_empty(), place.sum);
            let reply = format!(":{}\r\n", bytes.len());
            place.early += reply.len();
            assert_eq!(self.replies.fill_part(sequence, part, reply.as_bytes()), done);
            if done {
                self.replies.release(&mut self.out, &mut self.spare);
                self.leave(number, format!(":{sum}\r\n").into_bytes());
            }
            return;
        }
        assert!(!self.replies.fill_part(sequence, 0, b":1\r\n"), "no merge waits there");
        place.early = bytes.len();
        let is_due = number == self.left && !place.muted;
        if place.muted {
            place.early = 0;
        }
        assert_eq!(self.replies.is_due(sequence), is_due);
        let frame =
            if large { Frame::Large(bytes.clone().into()) } else { Frame::Small(&bytes[..]) };
        self.replies.fill(sequence, frame, &mut self.out, &mut self.spare);
        self.leave(number, bytes);
    }

    fn leave(&mut self, number: u64, bytes: Vec<u8>) {
        let place = self.model.get_mut(&number).expect("it waits");
        place.answer = Some(if place.muted { Vec::new() } else { bytes });
        while let Some(entry) = self.model.first_entry() {
            let Some(bytes) = entry.get().answer.as_ref() else { break };
            self.expected.extend_from_slice(bytes);
            entry.remove();
            self.left += 1;
        }
    }

    fn answer_all(&mut self) {
        while let Some(number) = self.open().pop() {
            self.answer(number, b"+last\r\n".to_vec(), false);
        }
    }

    fn check_counts(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.out.len(), self.expected.len());
        prop_assert_eq!(self.replies.len(), self.model.len());
        let waiting: usize = self.model.values().map(|place| place.early).sum();
        prop_assert_eq!(self.replies.parked_len(), waiting);
        Ok(())
    }
}
