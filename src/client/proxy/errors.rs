//! `PROXY ERRORS`: the last errors that clients of the pool were given, and why.

use super::{Subcommand, count};
use crate::client::users::Right;
use crate::journal::errors;
use crate::resp::Request;
use crate::worker::Worker;

pub(super) const ERRORS: Subcommand = Subcommand {
    name: "errors",
    help: &[
        "ERRORS [<count>]",
        "    The last errors that clients of this pool were given (10 without a count, -1 for all),",
        "    newest first: first and last time, how many, shard, client, command, text, and why.",
        "    Those of one kind, shard and command are one entry while no minute passes without.",
        "ERRORS RESET",
        "    Forgets them.",
    ],
    answer,
};

fn answer(worker: &mut Worker, number: u32, request: &Request<'_>) {
    let wanted = match request.len() {
        2 => Ok(Some(SHOWN)),
        3 if request.arg(2).eq_ignore_ascii_case(b"reset") => Ok(None),
        3 => count(request.arg(2)).map(Some),
        _ => Err("ERR syntax error: PROXY ERRORS [count] | RESET"),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(text) => return worker.say(number, |writer| writer.error(text)),
    };
    let pool = usize::from(worker.sessions[number as usize].pool);
    let shared = std::sync::Arc::clone(&worker.shared);
    worker.run_procedure(number, |steps| async move {
        if let Err(refusal) = steps.permitted(Right::Slowlog).await {
            return refusal;
        }
        let Some(count) = wanted else {
            shared.ask_all(move |worker| worker.journal.errors.reset(Some(pool))).await;
            return steps.reply(|writer| writer.simple("OK"));
        };
        let told = shared.ask_all(move |worker| worker.journal.errors.records(Some(pool))).await;
        let newest = errors::newest(told, count);
        steps.reply(|writer| errors::write(&newest, writer))
    });
}

/// As many as PROXY SLOWLOG GET shows without a count.
const SHOWN: usize = 10;
