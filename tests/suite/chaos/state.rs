//! What one key holds, and what each command does to it: Redis as far as the clients use it.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, NIL, pair};
use super::value::{Chunk, join};

/// The value of a key, or of two that are written together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum State {
    #[default]
    Nothing,
    Text(Vec<Chunk>),
    Number(i64),
    List(Vec<Chunk>),
    Hash(BTreeMap<u8, Chunk>),
    Scores(BTreeMap<Chunk, i64>),
    Set(BTreeSet<Chunk>),
    Stream(Vec<Chunk>),
    /// Two keys that a transaction or a script gives the same value.
    Pair(Chunk),
    /// Two lists: elements are pushed to the first and moved to the second.
    Belt(Vec<Chunk>, Vec<Chunk>),
}

/// A command upon one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Get,
    Strlen,
    Set(Chunk),
    SetNx(Chunk),
    GetSet(Chunk),
    Append(Chunk),
    GetDel,
    Delete,
    Exists,
    Number,
    Increment(i64),
    Push(Chunk),
    PushFront(Chunk),
    Pop,
    PopBack,
    /// BLPOP, as [`Op::Pop`], but the reply names the key.
    BlockingPop,
    List,
    HashSet(u8, Chunk),
    HashGet(u8),
    HashDelete(u8),
    HashAll,
    Score(Chunk, i64),
    ScoreMore(Chunk, i64),
    ScoreRemove(Chunk),
    Scores,
    Add(Chunk),
    Remove(Chunk),
    Members,
    StreamAdd(Chunk),
    StreamLength,
    Stream,
    PairSet(Chunk),
    Pair,
    BeltPush(Chunk),
    BeltMove,
    /// BRPOPLPUSH, as [`Op::BeltMove`].
    BlockingMove,
    BeltFirst,
    BeltSecond,
}

impl State {
    /// How many elements, roughly: what grows past a dozen is deleted by its client.
    pub fn size(&self) -> usize {
        match self {
            State::Nothing | State::Number(_) | State::Pair(_) => 0,
            State::Text(all) | State::List(all) | State::Stream(all) => all.len(),
            State::Hash(all) => all.len(),
            State::Scores(all) => all.len(),
            State::Set(all) => all.len(),
            State::Belt(first, second) => first.len().max(second.len()),
        }
    }

    fn list(&mut self) -> &mut Vec<Chunk> {
        match self {
            State::Text(all) | State::List(all) | State::Stream(all) => all,
            other => panic!("{other:?} is no list: the script of a client is wrong"),
        }
    }

    /// Empty ones are gone, as in Redis.
    fn tidy(&mut self) {
        let is_empty = match &*self {
            State::Nothing | State::Number(_) | State::Pair(_) | State::Stream(_) => false,
            State::Belt(first, second) => first.is_empty() && second.is_empty(),
            other => other.size() == 0,
        };
        if is_empty {
            *self = State::Nothing;
        }
    }

    fn belt(&mut self) -> (&mut Vec<Chunk>, &mut Vec<Chunk>) {
        if *self == State::Nothing {
            *self = State::Belt(Vec::new(), Vec::new());
        }
        match self {
            State::Belt(first, second) => (first, second),
            other => panic!("{other:?} is no belt: the script of a client is wrong"),
        }
    }
}

macro_rules! open {
    ($state:expr, $kind:ident) => {{
        if *$state == State::Nothing {
            *$state = State::$kind(Default::default());
        }
        match $state {
            State::$kind(inner) => inner,
            other => panic!("{other:?}: the script of a client is wrong"),
        }
    }};
}

impl Op {
    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        !matches!(
            self,
            Op::Get
                | Op::Strlen
                | Op::Exists
                | Op::Number
                | Op::List
                | Op::HashGet(_)
                | Op::HashAll
                | Op::Scores
                | Op::Members
                | Op::StreamLength
                | Op::Stream
                | Op::Pair
                | Op::BeltFirst
                | Op::BeltSecond
        )
    }

    /// Does it to `state`, the value of `key`; what Redis answers.
    pub fn apply(&self, state: &mut State, key: &str) -> Answer {
        let bytes = |chunk: Chunk| chunk.bytes(key);
        let all = |chunks: &[Chunk]| chunks.iter().map(|chunk| bytes(*chunk)).collect();
        let text = |state: &State| match state {
            State::Text(chunks) => Some(join(chunks, key)),
            _ => None,
        };
        let answer = match *self {
            Op::Get => Answer::Bytes(text(state)),
            Op::Strlen => Answer::Integer(text(state).map_or(0, |text| text.len()) as i64),
            Op::Set(chunk) => {
                *state = State::Text(vec![chunk]);
                Answer::Ok
            }
            Op::SetNx(chunk) => {
                let is_new = *state == State::Nothing;
                if is_new {
                    *state = State::Text(vec![chunk]);
                }
                Answer::Integer(is_new.into())
            }
            Op::GetSet(chunk) => {
                let before = text(state);
                *state = State::Text(vec![chunk]);
                Answer::Bytes(before)
            }
            Op::Append(chunk) => {
                open!(state, Text).push(chunk);
                Answer::Integer(text(state).map_or(0, |text| text.len()) as i64)
            }
            Op::GetDel => {
                let before = text(state);
                *state = State::Nothing;
                Answer::Bytes(before)
            }
            Op::Delete => {
                let keys = (*state != State::Nothing).into();
                *state = State::Nothing;
                Answer::Integer(keys)
            }
            Op::Exists => Answer::Integer((*state != State::Nothing).into()),
            Op::Number => match state {
                State::Number(number) => Answer::Bytes(Some(number.to_string().into_bytes())),
                _ => Answer::Bytes(None),
            },
            Op::Increment(by) => {
                let number = open!(state, Number);
                *number += by;
                Answer::Integer(*number)
            }
            Op::Push(chunk) => {
                let list = open!(state, List);
                list.push(chunk);
                Answer::Integer(list.len() as i64)
            }
            Op::PushFront(chunk) => {
                let list = open!(state, List);
                list.insert(0, chunk);
                Answer::Integer(list.len() as i64)
            }
            Op::Pop | Op::BlockingPop => {
                let popped = (*state != State::Nothing).then(|| state.list().remove(0));
                match (popped, self) {
                    (Some(chunk), Op::BlockingPop) => {
                        Answer::List(vec![key.as_bytes().to_vec(), bytes(chunk)])
                    }
                    (popped, _) => Answer::Bytes(popped.map(bytes)),
                }
            }
            Op::PopBack => {
                let popped = (*state != State::Nothing).then(|| state.list().pop()).flatten();
                Answer::Bytes(popped.map(bytes))
            }
            Op::List => Answer::List(match state {
                State::List(list) => all(list),
                _ => Vec::new(),
            }),
            Op::HashSet(field, chunk) => {
                Answer::Integer(open!(state, Hash).insert(field, chunk).is_none().into())
            }
            Op::HashGet(field) => Answer::Bytes(match state {
                State::Hash(hash) => hash.get(&field).map(|chunk| bytes(*chunk)),
                _ => None,
            }),
            Op::HashDelete(field) => {
                Answer::Integer(open!(state, Hash).remove(&field).is_some().into())
            }
            Op::HashAll => Answer::Bag(match state {
                State::Hash(hash) => hash
                    .iter()
                    .map(|(field, chunk)| pair(field.to_string().as_bytes(), &bytes(*chunk)))
                    .collect(),
                _ => Vec::new(),
            }),
            Op::Score(chunk, score) => {
                Answer::Integer(open!(state, Scores).insert(chunk, score).is_none().into())
            }
            Op::ScoreMore(chunk, by) => {
                let score = open!(state, Scores).entry(chunk).or_default();
                *score += by;
                Answer::Bytes(Some(score.to_string().into_bytes()))
            }
            Op::ScoreRemove(chunk) => {
                Answer::Integer(open!(state, Scores).remove(&chunk).is_some().into())
            }
            Op::Scores => Answer::Bag(match state {
                State::Scores(scores) => scores
                    .iter()
                    .map(|(chunk, score)| pair(&bytes(*chunk), score.to_string().as_bytes()))
                    .collect(),
                _ => Vec::new(),
            }),
            Op::Add(chunk) => Answer::Integer(open!(state, Set).insert(chunk).into()),
            Op::Remove(chunk) => Answer::Integer(open!(state, Set).remove(&chunk).into()),
            Op::Members => Answer::Bag(match state {
                State::Set(set) => set.iter().map(|chunk| bytes(*chunk)).collect(),
                _ => Vec::new(),
            }),
            Op::StreamAdd(chunk) => {
                open!(state, Stream).push(chunk);
                Answer::Id
            }
            Op::StreamLength => Answer::Integer(state.size() as i64),
            Op::Stream => Answer::Entries(match state {
                State::Stream(entries) => all(entries),
                _ => Vec::new(),
            }),
            Op::PairSet(chunk) => {
                *state = State::Pair(chunk);
                Answer::Ok
            }
            Op::Pair => Answer::List(match state {
                State::Pair(chunk) => vec![bytes(*chunk); 2],
                _ => vec![NIL.to_vec(); 2],
            }),
            Op::BeltPush(chunk) => {
                let (first, _) = state.belt();
                first.push(chunk);
                Answer::Integer(first.len() as i64)
            }
            Op::BeltMove | Op::BlockingMove => {
                let (first, second) = state.belt();
                let moved = first.pop();
                second.splice(0..0, moved);
                Answer::Bytes(moved.map(bytes))
            }
            Op::BeltFirst => Answer::List(all(state.belt().0)),
            Op::BeltSecond => Answer::List(all(state.belt().1)),
        };
        state.tidy();
        answer
    }
}
