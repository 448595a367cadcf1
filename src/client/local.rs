//! Commands that circlet answers itself, for they concern the session and not its keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::session::Pause;
use crate::command::{Local, answer};
use crate::reply::slots::Frame;
use crate::resp::{Request, Writer, write};
use crate::shard::connect::Identity;
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    /// Answers a command that circlet answers itself.
    pub(crate) fn local(&mut self, number: u32, local: Local, request: &Request<'_>) {
        match local {
            Local::Time => self.say(number, time),
            Local::Hello => self.hello(number, request),
            Local::Auth => self.auth(number, request),
            Local::Select => self.select(number, request),
            Local::Quit => {
                self.say(number, |writer| writer.simple("OK"));
                self.finish_session(number);
            }
            Local::Reset => self.reset(number),
            Local::Cluster => self.cluster(number, request),
            Local::ClusterMode => self.cluster_mode(number),
            Local::Ping if self.is_in_subscriber_mode(number) => {
                self.ping_subscribed(number, request)
            }
            Local::Proxy => self.proxy(number, request),
            Local::ClientUnblock => self.client_unblock(number, request),
            Local::Command
            | Local::CommandCount
            | Local::CommandList
            | Local::CommandInfo
            | Local::CommandDocs
            | Local::CommandGetKeys
            | Local::CommandGetKeysAndFlags => self.about_commands(number, local, request),
            _ if self.client_command(number, local, request) => {}
            _ if self.acl(number, local, request) => {}
            _ => self.say(number, |writer| {
                if !answer::reply(local, request, writer) {
                    writer.error("ERR circlet has no answer to this command");
                }
            }),
        }
    }

    fn about_commands(&mut self, number: u32, local: Local, request: &Request<'_>) {
        let learned = Arc::clone(&self.pool_of(number).learned);
        self.say(number, |writer| {
            let answered = answer::about_commands(local, request, &learned, writer);
            debug_assert!(answered, "the caller sends COMMAND's subcommands only");
        });
    }

    /// SELECT: what follows travels on links that have selected the database. It must not overtake
    /// what the session sent before, which travels on others. Whether the database exists a shard
    /// is asked once; until it answers, no further command is taken.
    fn select(&mut self, number: u32, request: &Request<'_>) {
        let db = match database(request.arg(1)) {
            Ok(db) => db,
            Err(text) => return self.say(number, |writer| writer.error(text)),
        };
        if db != self.sessions[number as usize].db && !self.is_drained(number) {
            return;
        }
        if self.pool_of(number).has_db(self.identity_of(number), db) {
            let changed = self.select_known(number, db);
            return self.say(number, |writer| match changed {
                Ok(()) => writer.simple("OK"),
                Err(text) => writer.error(&text),
            });
        }
        let Some(shard) = self.pool_of(number).any_shard() else {
            return self.refuse_nobody_in(number);
        };
        let session = &mut self.sessions[number as usize];
        let mut back = Vec::new();
        write::command(&mut back, &[b"SELECT", session.db.to_string().as_bytes()]);
        session.pause = Pause::Select { db };
        let sequence = session.replies.reserve();
        // The link is shared: the way back stands right behind the question.
        self.send(number, sequence, Part::Select, shard, Frame::Small(request.wire()));
        self.send(number, sequence, Part::Unclaimed, shard, Frame::Small(&back));
    }

    /// A shard has answered SELECT: the session goes on, in the new database if there is one.
    pub(crate) fn selected(&mut self, number: u32, sequence: u32, frame: Frame<'_>) {
        let session = &mut self.sessions[number as usize];
        if let Pause::Select { db } = session.pause {
            session.pause = Pause::No;
            session.wake();
            if frame.bytes().starts_with(b"+")
                && let Err(text) = self.select_known(number, db)
            {
                let error = format!("-{text}\r\n");
                return self.answer(number, sequence, Frame::Small(error.as_bytes()));
            }
            self.show_select(number, db);
        }
        self.answer(number, sequence, frame);
    }

    /// Leads what follows to a database that there is.
    fn select_known(&mut self, number: u32, db: u32) -> Result<(), String> {
        let identity = Identity { db, ..self.identity_of(number).clone() };
        self.change_identity(number, identity)
    }

    fn reset(&mut self, number: u32) {
        let first = self.pool_of(number).identities[0].identity.clone();
        if *self.identity_of(number) != first && !self.is_drained(number) {
            return;
        }
        self.leave_all(number);
        self.forget_ways(number);
        self.estrange(number);
        if let Err(text) = self.change_identity(number, first) {
            return self.say(number, |writer| writer.error(&text));
        }
        self.say(number, |writer| writer.simple("RESET"));
    }

    /// Keeps what a client tells of itself, under Redis's rule for names.
    pub(crate) fn set_about(
        &mut self,
        number: u32,
        what: &str,
        value: &[u8],
        field: impl FnOnce(&mut super::session::About) -> &mut Vec<u8>,
    ) {
        if !is_name(value) {
            let text = bad_name(what);
            return self.say(number, |writer| writer.error(&text));
        }
        let about = self.sessions[number as usize].about.get_or_insert_default();
        *field(about) = value.to_vec();
        self.say(number, |writer| writer.simple("OK"));
    }
}

/// Whether every byte is printable ASCII and no space.
pub(crate) fn is_name(value: &[u8]) -> bool {
    value.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

pub(crate) fn bad_name(what: &str) -> String {
    format!("ERR {what} cannot contain spaces, newlines or special characters.")
}

/// A decimal integer, as Redis accepts it for arguments: written in the one usual way.
pub(crate) fn integer(digits: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == digits).then_some(number)
}

/// The number of a database, or Redis's own error.
pub(crate) fn database(digits: &[u8]) -> Result<u32, &'static str> {
    let number = integer(digits).ok_or("ERR value is not an integer or out of range")?;
    let number = i32::try_from(number)
        .map_err(|_| "ERR value is out of range, value must between -2147483648 and 2147483647")?;
    u32::try_from(number).map_err(|_| "ERR DB index is out of range")
}

fn time(writer: &mut Writer<'_>) {
    // A clock before 1970 is no clock; Redis would say 0 as well.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    writer.array(2);
    writer.bulk(now.as_secs().to_string().as_bytes());
    writer.bulk(now.subsec_micros().to_string().as_bytes());
}
