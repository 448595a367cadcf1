//! How each command is spelt.

use super::state::Op;
use super::value::Chunk;

impl Op {
    /// As it is sent.
    pub fn words(&self, key: &str) -> Vec<Vec<u8>> {
        let (first, second) = (format!("{{{key}}}a"), format!("{{{key}}}b"));
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let with = |before: &[&str], chunk: Chunk| {
            let before = before.iter().map(|word| word.as_bytes().to_vec());
            before.chain([chunk.bytes(key)]).collect::<Vec<_>>()
        };
        match *self {
            Op::Get | Op::Number => words(&["GET", key]),
            Op::Strlen => words(&["STRLEN", key]),
            Op::Set(chunk) => with(&["SET", key], chunk),
            Op::SetNx(chunk) => with(&["SETNX", key], chunk),
            Op::GetSet(chunk) => with(&["GETSET", key], chunk),
            Op::Append(chunk) => with(&["APPEND", key], chunk),
            Op::GetDel => words(&["GETDEL", key]),
            Op::Delete => words(&["DEL", key]),
            Op::Exists => words(&["EXISTS", key]),
            Op::Increment(1) => words(&["INCR", key]),
            Op::Increment(by) => words(&["INCRBY", key, &by.to_string()]),
            Op::Push(chunk) => with(&["RPUSH", key], chunk),
            Op::PushFront(chunk) => with(&["LPUSH", key], chunk),
            Op::Pop => words(&["LPOP", key]),
            Op::PopBack => words(&["RPOP", key]),
            Op::BlockingPop => words(&["BLPOP", key, "2"]),
            Op::List => words(&["LRANGE", key, "0", "-1"]),
            Op::HashSet(field, chunk) => with(&["HSET", key, &field.to_string()], chunk),
            Op::HashGet(field) => words(&["HGET", key, &field.to_string()]),
            Op::HashDelete(field) => words(&["HDEL", key, &field.to_string()]),
            Op::HashAll => words(&["HGETALL", key]),
            Op::Score(chunk, score) => with(&["ZADD", key, &score.to_string()], chunk),
            Op::ScoreMore(chunk, by) => with(&["ZINCRBY", key, &by.to_string()], chunk),
            Op::ScoreRemove(chunk) => with(&["ZREM", key], chunk),
            Op::Scores => words(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
            Op::Add(chunk) => with(&["SADD", key], chunk),
            Op::Remove(chunk) => with(&["SREM", key], chunk),
            Op::Members => words(&["SMEMBERS", key]),
            Op::StreamAdd(chunk) => with(&["XADD", key, "*", "v"], chunk),
            Op::StreamLength => words(&["XLEN", key]),
            Op::Stream => words(&["XRANGE", key, "-", "+"]),
            Op::PairSet(chunk) => {
                let mut all = words(&["EVAL", SET_BOTH, "2", &first, &second]);
                all.push(chunk.bytes(key));
                all
            }
            Op::Pair => words(&["MGET", &first, &second]),
            Op::BeltPush(chunk) => with(&["RPUSH", &first], chunk),
            Op::BeltMove => words(&["RPOPLPUSH", &first, &second]),
            Op::BlockingMove => words(&["BRPOPLPUSH", &first, &second, "2"]),
            Op::BeltFirst => words(&["LRANGE", &first, "0", "-1"]),
            Op::BeltSecond => words(&["LRANGE", &second, "0", "-1"]),
        }
    }
}

/// A script that gives both keys one value.
pub const SET_BOTH: &str = "redis.call('SET',KEYS[1],ARGV[1]) redis.call('SET',KEYS[2],ARGV[1]) \
                            return redis.status_reply('OK')";
