//! `PROXY HOTKEYS` and `PROXY BIGKEYS`: the keys of the client's pool that are asked for most, and
//! those with the largest commands and replies.

use super::Subcommand;
use crate::hotkeys::report::{self, PoolReport, percent, tenths};
use crate::resp::{Request, Writer};
use crate::worker::Worker;

pub(super) const HOTKEYS: Subcommand = Subcommand {
    name: "hotkeys",
    help: &[
        "HOTKEYS [COUNT <count>] [RESET]",
        "    The keys of this pool that are asked for most at present, hottest first: rate in",
        "    commands a second and how far it may err, shares in percent, bytes a second.",
        "    RESET lets circlet begin anew, and is answered with what was known.",
    ],
    answer: |worker, number, request| answer(worker, number, request, hot),
};

pub(super) const BIGKEYS: Subcommand = Subcommand {
    name: "bigkeys",
    help: &[
        "BIGKEYS [COUNT <count>] [RESET]",
        "    The keys of this pool with the largest commands and replies of the last 15 minutes, in",
        "    bytes. RESET as for HOTKEYS.",
    ],
    answer: |worker, number, request| answer(worker, number, request, big),
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    count: usize,
    reset: bool,
}

impl Asked {
    /// `[COUNT n] [RESET]`, in any order, or Redis's words for what is wrong.
    fn of(request: &Request<'_>) -> Result<Self, &'static str> {
        let mut asked = Self { count: COUNT, reset: false };
        let mut index = 2;
        while index < request.len() {
            let option = request.arg(index);
            if option.eq_ignore_ascii_case(b"reset") {
                asked.reset = true;
            } else if option.eq_ignore_ascii_case(b"count") && index + 1 < request.len() {
                index += 1;
                let count = std::str::from_utf8(request.arg(index)).unwrap_or_default();
                asked.count = count.parse().map_err(|_| NOT_A_NUMBER)?;
            } else {
                return Err("ERR syntax error");
            }
            index += 1;
        }
        Ok(asked)
    }
}

fn answer(
    worker: &mut Worker,
    number: u32,
    request: &Request<'_>,
    write: fn(&mut Writer<'_>, &PoolReport, usize),
) {
    let asked = match Asked::of(request) {
        Ok(asked) => asked,
        Err(error) => return worker.say(number, |writer| writer.error(error)),
    };
    if !worker.hotkeys.sampler.is_on() {
        return worker.say(number, |writer| writer.error(OFF));
    }
    let session = &worker.sessions[number as usize];
    let (pool, protocol) = (usize::from(session.pool), session.protocol);
    let shared = std::sync::Arc::clone(&worker.shared);
    worker.run_procedure(number, async move |_steps| {
        let reports = report::ask(&shared, Some(pool)).await;
        if asked.reset {
            report::forget(&shared, pool);
        }
        let mut reply = Vec::new();
        let writer = &mut Writer::new(&mut reply, protocol);
        match reports.first() {
            Some(report) => write(writer, report, asked.count),
            None => writer.array(0),
        }
        reply
    });
}

fn hot(writer: &mut Writer<'_>, report: &PoolReport, count: usize) {
    let keys = &report.hot[..report.hot.len().min(count)];
    writer.array(keys.len());
    for key in keys {
        writer.map(9);
        field(writer, "key", |writer| writer.bulk(&key.key.shown()));
        field(writer, "shard", |writer| shard(writer, key.shard.as_deref()));
        field(writer, "rate", |writer| writer.double(tenths(key.rate)));
        field(writer, "error", |writer| writer.double(tenths(key.error)));
        field(writer, "share", |writer| writer.double(percent(key.share)));
        field(writer, "share-of-shard", |writer| writer.double(percent(key.share_of_shard)));
        field(writer, "writes", |writer| writer.double(percent(key.writes)));
        field(writer, "bytes", |writer| writer.integer(key.bytes as i64));
        field(writer, "command", |writer| writer.bulk(key.command.as_bytes()));
    }
}

fn big(writer: &mut Writer<'_>, report: &PoolReport, count: usize) {
    let keys = &report.big[..report.big.len().min(count)];
    writer.array(keys.len());
    for key in keys {
        writer.map(7);
        field(writer, "key", |writer| writer.bulk(&key.key.shown()));
        field(writer, "shard", |writer| shard(writer, key.shard.as_deref()));
        field(writer, "largest", |writer| writer.integer(key.largest as i64));
        field(writer, "last", |writer| writer.integer(key.last as i64));
        field(writer, "seconds-ago", |writer| writer.integer(key.ago.as_secs() as i64));
        field(writer, "bytes", |writer| writer.integer(key.bytes as i64));
        field(writer, "command", |writer| writer.bulk(key.command.as_bytes()));
    }
}

fn field(writer: &mut Writer<'_>, name: &str, value: impl FnOnce(&mut Writer<'_>)) {
    writer.bulk(name.as_bytes());
    value(writer);
}

/// A shard's name; null where keys have no place.
fn shard(writer: &mut Writer<'_>, name: Option<&str>) {
    match name {
        Some(name) => writer.bulk(name.as_bytes()),
        None => writer.null(),
    }
}

const OFF: &str = "ERR circlet does not look at keys; set hotkeys_samples to how many commands a \
                   second each worker is to look at, such as 1000";
const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";
/// Keys that are told of unless COUNT asks for more or fewer.
const COUNT: usize = 10;
