//! Commands that circlet answers itself, for they concern the session and not its keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::session::{Pause, Session, Special};
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
            Local::ClientUnblock => self.client_unblock(number, request),
            Local::ClientId
            | Local::ClientGetName
            | Local::ClientSetName
            | Local::ClientSetInfo
            | Local::ClientInfo
            | Local::ClientList => self.client(number, local, request),
            Local::Command
            | Local::CommandCount
            | Local::CommandList
            | Local::CommandInfo
            | Local::CommandDocs
            | Local::CommandGetKeys
            | Local::CommandGetKeysAndFlags => self.about_commands(number, local, request),
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

    /// SELECT: what follows travels on links that have selected the database. Whether it exists
    /// a shard is asked once; until it answers, no further command is taken.
    fn select(&mut self, number: u32, request: &Request<'_>) {
        let db = match database(request.arg(1)) {
            Ok(db) => db,
            Err(text) => return self.say(number, |writer| writer.error(text)),
        };
        if self.pool_of(number).has_db(db) {
            self.sessions[number as usize].db = db;
            self.take_identity(number);
            return self.say(number, |writer| writer.simple("OK"));
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
            if frame.bytes().starts_with(b"+") {
                session.db = db;
                self.take_identity(number);
            }
        }
        self.answer(number, sequence, frame);
    }

    /// Chooses the links that the session's commands travel on, by what it selected.
    pub(crate) fn take_identity(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let identity = Identity { db: session.db, protocol: session.protocol };
        session.identity = self.pools[usize::from(session.pool)].identity(identity) as u16;
    }

    fn reset(&mut self, number: u32) {
        self.leave_all(number);
        let config = self.pool_of(number).config.clone();
        let session = &mut self.sessions[number as usize];
        session.db = config.redis_db;
        session.protocol = Default::default();
        if config.redis_auth.is_some() {
            session.special.set(Special::STRANGER);
        }
        session.about = None;
        self.take_identity(number);
        self.say(number, |writer| writer.simple("RESET"));
    }

    fn client(&mut self, number: u32, local: Local, request: &Request<'_>) {
        let session = &mut self.sessions[number as usize];
        match local {
            Local::ClientId => {
                let id = session.id as i64;
                self.say(number, |writer| writer.integer(id));
            }
            Local::ClientGetName => {
                let name = session.about.as_ref().map(|about| about.name.clone());
                self.say(number, |writer| match name {
                    Some(name) if !name.is_empty() => writer.bulk(&name),
                    _ => writer.null(),
                });
            }
            Local::ClientSetName => {
                self.set_about(number, "Client names", request.arg(2), |about| &mut about.name)
            }
            Local::ClientSetInfo => self.set_info(number, request),
            Local::ClientInfo => {
                let line = describe(session);
                self.say(number, |writer| writer.verbatim(&line));
            }
            Local::ClientList => {
                let text =
                    "ERR CLIENT LIST is not served: circlet keeps no list of all clients yet";
                self.say(number, |writer| writer.error(text));
            }
            _ => unreachable!("the caller sends CLIENT's subcommands only"),
        }
    }

    fn set_info(&mut self, number: u32, request: &Request<'_>) {
        let option = request.arg(2).to_ascii_lowercase();
        match &option[..] {
            b"lib-name" => {
                self.set_about(number, "lib-name", request.arg(3), |about| &mut about.library)
            }
            b"lib-ver" => self
                .set_about(number, "lib-ver", request.arg(3), |about| &mut about.library_version),
            _ => {
                let text = format!(
                    "ERR Unrecognized option '{}'",
                    String::from_utf8_lossy(request.arg(2))
                );
                self.say(number, |writer| writer.error(&text));
            }
        }
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

/// The line of CLIENT INFO, with the fields of Redis 7.0 that have a meaning here.
fn describe(session: &Session) -> String {
    let about = session.about.as_deref().cloned().unwrap_or_default();
    let (peer, local) = match &session.socket {
        Some(socket) => socket.addresses(),
        None => Default::default(),
    };
    format!(
        "id={} addr={peer} laddr={local} name={} age={} idle=0 flags=N db={} sub=0 psub=0 ssub=0 \
         multi=-1 qbuf={} obl={} cmd=client|info user=default redir=-1 resp={} lib-name={} \
         lib-ver={}\n",
        session.id,
        String::from_utf8_lossy(&about.name),
        session.since.elapsed().as_secs(),
        session.db,
        session.input.as_ref().map_or(0, |input| input.bytes.len()),
        session.output.len(),
        session.protocol.number(),
        String::from_utf8_lossy(&about.library),
        String::from_utf8_lossy(&about.library_version),
    )
}
