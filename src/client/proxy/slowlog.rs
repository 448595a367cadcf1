//! `PROXY SLOWLOG`: the requests of the client's pool that took longer than `slow_threshold`.

use super::{Subcommand, count};
use crate::client::users::Right;
use crate::journal::slow;
use crate::resp::Request;
use crate::worker::Worker;

pub(super) const SLOWLOG: Subcommand = Subcommand {
    name: "slowlog",
    help: &[
        "SLOWLOG GET [<count>]",
        "    The newest slow requests of this pool (10 without a count, -1 for all), as SLOWLOG GET",
        "    of Redis, and then: pool, shard, microseconds it waited here before it was sent, it was",
        "    at the shard, and it was in circlet in all.",
        "SLOWLOG LEN",
        "    How many are kept.",
        "SLOWLOG RESET",
        "    Forgets them.",
    ],
    answer,
};

/// What is asked for.
enum Asked {
    Get(usize),
    Len,
    Reset,
}

fn answer(worker: &mut Worker, number: u32, request: &Request<'_>) {
    let asked = match (&request.arg(2).to_ascii_lowercase()[..], request.len()) {
        (b"get", 3) => Ok(Asked::Get(SHOWN)),
        (b"get", 4) => count(request.arg(3)).map(Asked::Get),
        (b"len", 3) => Ok(Asked::Len),
        (b"reset", 3) => Ok(Asked::Reset),
        _ => Err("ERR syntax error: PROXY SLOWLOG GET [count] | LEN | RESET"),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(text) => return worker.say(number, |writer| writer.error(text)),
    };
    let pool = worker.pool_of(number).config.name.clone();
    let shared = std::sync::Arc::clone(&worker.shared);
    worker.run_procedure(number, |steps| async move {
        if let Err(refusal) = steps.permitted(Right::Slowlog).await {
            return refusal;
        }
        shared.journal.slow_log(&pool, |log| match asked {
            Asked::Get(count) => steps.reply(|writer| slow::write(&log.newest(count), writer)),
            Asked::Len => steps.reply(|writer| writer.integer(log.len() as i64)),
            Asked::Reset => {
                log.reset();
                steps.reply(|writer| writer.simple("OK"))
            }
        })
    });
}

/// What Redis shows without a count.
const SHOWN: usize = 10;
