//! MONITOR: clients that look at what all clients of their pool say.
//!
//! ```text
//!   worker 0: command ─► feed ─┐  once a turn of the loop
//!   worker 1: command ─► feed ─┴─► the workers with monitors ─► their outboxes
//! ```
//!
//! While nobody looks no session is marked, and no command costs anything for it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::session::Special;
use super::users::Right;
use crate::command::{Flags, Spec, lookup, secrets};
use crate::resp::{Request, RequestScanner, Scan, write};
use crate::worker::{ClientPlace, Worker};

/// Who looks at a pool's commands, as each worker knows it.
#[derive(Debug, Default)]
pub struct Monitors {
    /// The client's number and the worker that has it.
    lookers: Vec<(u64, usize)>,
    /// Lines that were not sent on yet.
    feed: Vec<u8>,
}

impl Monitors {
    /// Whether nobody looks.
    pub fn is_empty(&self) -> bool {
        self.lookers.is_empty()
    }
}

impl Worker {
    /// MONITOR: answered when all workers show what their clients say. To a client that looks
    /// already Redis says nothing.
    pub(super) fn monitor(&mut self, number: u32) {
        let index = self.index;
        let session = &mut self.sessions[number as usize];
        let (pool, id) = (usize::from(session.pool), session.id);
        if session.about.get_or_insert_default().is_monitor {
            return;
        }
        let shared = self.shared.clone();
        self.run_procedure(number, |steps| async move {
            if let Err(refusal) = steps.permitted(Right::Monitor).await {
                return refusal;
            }
            shared.ask_all(move |worker| worker.add_monitor(pool, id, index)).await;
            // Nothing is shown to it before it has read OK; one that left meanwhile looks no more.
            let is_here = steps.with(|worker, number| {
                let session = &mut worker.sessions[number as usize];
                session.about.get_or_insert_default().is_monitor = true;
                session.socket.is_some()
            });
            if !is_here {
                shared.tell_all(move |worker| worker.remove_monitor(pool, id));
            }
            steps.reply(|writer| writer.simple("OK"))
        });
    }

    fn add_monitor(&mut self, pool: usize, id: u64, index: usize) {
        self.pools[pool].monitors.lookers.push((id, index));
        self.mark_monitored(pool, Special::set);
    }

    /// A monitor looks no longer.
    pub(crate) fn end_monitor(&mut self, pool: usize, id: u64) {
        self.shared.tell_all(move |worker| worker.remove_monitor(pool, id));
    }

    fn remove_monitor(&mut self, pool: usize, id: u64) {
        let monitors = &mut self.pools[pool].monitors;
        monitors.lookers.retain(|(looker, _)| *looker != id);
        if monitors.is_empty() {
            monitors.feed = Vec::new();
            self.mark_monitored(pool, Special::clear);
        }
    }

    fn mark_monitored(&mut self, pool: usize, mark: fn(&mut Special, Special)) {
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) == pool {
                mark(&mut session.special, Special::MONITORED);
            }
        }
    }

    /// Shows a command, which was handled, to the monitors. As in Redis those that administer
    /// are not shown.
    pub(super) fn show(&mut self, number: u32, spec: &Spec, request: &Request<'_>) {
        let is_script = spec.flags.contains(Flags::MOVABLEKEYS) && spec.group == "scripting";
        if spec.flags.contains(Flags::ADMIN)
            || (spec.flags.contains(Flags::SKIP_MONITOR) && !is_script)
        {
            return;
        }
        let session = &self.sessions[number as usize];
        let pool = usize::from(session.pool);
        let peer = session.addresses().0;
        let unix = if session.is_unix() { "unix:" } else { "" };
        let from = format!("{} {unix}{peer}", session.db);
        let feed = &mut self.pools[pool].monitors.feed;
        let is_first = feed.is_empty();
        write_line(feed, &from, spec, request);
        if is_first {
            self.feed_soon(pool);
        }
    }

    /// Shows a SELECT that a shard was asked about.
    pub(super) fn show_select(&mut self, number: u32, db: u32) {
        if !self.sessions[number as usize].special.has(Special::MONITORED) {
            return;
        }
        let Some(spec) = lookup(b"select") else { return };
        let mut bytes = Vec::new();
        write::command(&mut bytes, &["SELECT", &db.to_string()]);
        let limits = self.pool_of(number).request_limits;
        let mut scanner = RequestScanner::default();
        if let Ok(Scan::Done(_)) = scanner.scan(&bytes, &limits) {
            self.show(number, spec, &Request::new(&bytes, scanner.args()));
        }
    }

    /// Sends on what this turn of the loop brings.
    fn feed_soon(&self, pool: usize) {
        let Some(worker) = self.this.upgrade() else { return };
        tokio::task::spawn_local(async move {
            worker.borrow_mut().feed_monitors(pool);
        });
    }

    fn feed_monitors(&mut self, pool: usize) {
        let monitors = &mut self.pools[pool].monitors;
        let lines: Arc<[u8]> = std::mem::take(&mut monitors.feed).into();
        for &(id, index) in &monitors.lookers {
            let lines = Arc::clone(&lines);
            self.shared.tell(index, move |worker| worker.feed_monitor(id, &lines));
        }
    }

    fn feed_monitor(&mut self, id: u64, lines: &[u8]) {
        let Some(ClientPlace { session: number, .. }) =
            self.shared.clients.get(&id).map(|place| *place)
        else {
            return;
        };
        let session = &mut *self.sessions[number as usize];
        if session.about.as_ref().is_some_and(|about| about.is_monitor) {
            session.output.extend(lines, &mut self.spare);
            self.ready.session(session, number);
        }
    }
}

/// `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
fn write_line(feed: &mut Vec<u8>, from: &str, spec: &Spec, request: &Request<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = String::new();
    // Writing to a String cannot fail.
    let _ = write!(line, "+{}.{:06} [{from}]", now.as_secs(), now.subsec_micros());
    let secrets = secrets(spec, request);
    for (index, arg) in request.args().enumerate() {
        line.push(' ');
        match secrets.contains(&index) {
            true => line.push_str("\"(redacted)\""),
            false => quote(&mut line, arg),
        }
    }
    line.push_str("\r\n");
    feed.extend_from_slice(line.as_bytes());
}

/// Redis's quoting of an argument.
fn quote(line: &mut String, arg: &[u8]) {
    line.push('"');
    for &byte in arg {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            7 => line.push_str("\\a"),
            8 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push('"');
}
