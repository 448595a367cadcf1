//! `PROXY LOG`: what circlet logs, told and changed.

use super::Subcommand;
use crate::admin::log::{LogFilter, Logging};
use crate::client::users::Right;
use crate::resp::Request;
use crate::worker::Worker;

pub(super) const LOG: Subcommand = Subcommand {
    name: "log",
    help: &[
        "LOG [<filter>]",
        "    What circlet logs, or changes it, such as: info,shard=debug,tls=off. Concerns all pools.",
    ],
    answer,
};

fn answer(worker: &mut Worker, number: u32, request: &Request<'_>) {
    let wanted = match request.len() {
        2 => Ok(None),
        3 => String::from_utf8_lossy(request.arg(2)).parse::<LogFilter>().map(Some),
        _ => Err("syntax error: PROXY LOG [filter]".into()),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(text) => return worker.say(number, |writer| writer.error(&format!("ERR {text}"))),
    };
    let Some(logging) = Logging::running() else {
        return worker.say(number, |writer| writer.error(NO_LOG));
    };
    worker.run_procedure(number, |steps| async move {
        if let Err(refusal) = steps.permitted(Right::Configure).await {
            return refusal;
        }
        match wanted {
            None => steps.reply(|writer| writer.bulk(logging.filter().as_bytes())),
            Some(filter) => {
                logging.set_filter(filter);
                tracing::warn!(
                    filter = logging.filter(),
                    "what is logged was changed by PROXY LOG"
                );
                steps.reply(|writer| writer.simple("OK"))
            }
        }
    });
}

const NO_LOG: &str = "ERR the program that circlet is part of has a log of its own";
