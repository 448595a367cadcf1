//! `PROXY RELOAD`: the configuration as it is written now, at once.

use super::Subcommand;
use crate::client::users::Right;
use crate::resp::Request;
use crate::worker::Worker;

pub(super) const RELOAD: Subcommand = Subcommand {
    name: "reload",
    help: &[
        "RELOAD",
        "    Takes over the configuration as it is written now, and says what has changed.",
    ],
    answer,
};

fn answer(worker: &mut Worker, number: u32, _request: &Request<'_>) {
    let reloader = worker.shared.reloader.get().cloned();
    worker.run_procedure(number, |steps| async move {
        if let Err(refusal) = steps.permitted(Right::Configure).await {
            return refusal;
        }
        let Some(reloader) = reloader else {
            return steps.reply(|writer| writer.error(NO_FILE));
        };
        match reloader.reload("PROXY RELOAD").await {
            Ok(report) => steps.reply(|writer| {
                let lines = report.lines();
                writer.array(lines.len());
                lines.iter().for_each(|line| writer.bulk(line.as_bytes()));
            }),
            Err(why) => {
                let why = why.lines().collect::<Vec<_>>().join("; ");
                let text = format!("ERR the configuration does not do, the old one stays: {why}");
                steps.reply(|writer| writer.error(&text))
            }
        }
    });
}

const NO_FILE: &str = "ERR this circlet has no file to reload its configuration from";
