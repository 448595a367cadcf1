//! Sessions that are set apart: commands that wait (CLIENT PAUSE), whose replies are not wanted
//! (CLIENT REPLY), or that are shown to others (MONITOR).

use bytes::Bytes;

use Told::{Anyway, IfWanted};

use super::session::{Mute, Pause, Special};
use crate::command::{Handling, Spec};
use crate::resp::Request;
use crate::worker::Worker;

/// Whether a client that wants no replies reads what a command answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// No: it is a reply.
    IfWanted,
    /// Yes: what it listens to is confirmed as messages are sent, whatever CLIENT REPLY says.
    Anyway,
}

impl Told {
    fn of(spec: &Spec) -> Self {
        let confirms = spec.handling == Handling::Subscription && spec.name.ends_with("subscribe");
        if confirms { Anyway } else { IfWanted }
    }
}

impl Worker {
    /// Handles a command of a session that has a mark of [`Special`].
    #[cold]
    pub(super) fn command_apart(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        if self.sessions[number as usize].special.has(Special::LEAVING) {
            self.note_overlap(number);
        }
        let sample = self.begin_sample(number, spec, request);
        self.muted(number, |worker| {
            let special = worker.sessions[number as usize].special;
            if special.has(Special::STRANGER) && !worker.admits_stranger(number, spec) {
                return IfWanted;
            }
            if !worker.is_permitted(number, spec, request) || worker.is_held(number, spec) {
                return IfWanted;
            }
            if special.has(Special::LATE) && worker.refuses_late(number, spec, request) {
                return IfWanted;
            }
            // Before the limits: a command that comes again is to be counted once.
            let may_come_again = whole.is_none();
            if special.has(Special::HEAVY) && !worker.settle_lane(number, may_come_again) {
                return IfWanted;
            }
            if !worker.is_within_limits(number, Some(spec), request) {
                return IfWanted;
            }
            if special.has(Special::DISPLACED) {
                return worker.handle_displaced(number, spec, request, whole);
            }
            worker.handle_admitted(number, spec, request, whole)
        });
        if let Some(sample) = sample {
            self.follow_sample(sample);
        }
    }

    /// Handles a command of any session, off the way of those that are simply forwarded.
    #[cold]
    pub(crate) fn command_apart_or_not(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        match self.sessions[number as usize].special.any() {
            true => self.command_apart(number, spec, request, whole),
            false => self.handle_apart(number, spec, request, whole),
        }
    }

    /// Handles a command if the session may send it in its state.
    pub(super) fn handle_admitted(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) -> Told {
        if !self.admits(number, spec, request, whole) {
            return IfWanted;
        }
        if self.sessions[number as usize].special.has(Special::DISPLACED) {
            self.record_displaced(number, spec, request);
        }
        self.handle_apart(number, spec, request, whole);
        Told::of(spec)
    }

    /// Handles a command and shows it to who looks, with the database that it left selected.
    fn handle_apart(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        let sequence = self.sessions[number as usize].replies.next_sequence();
        self.handle(number, spec, request, whole);
        if self.hotkeys.is_looking() {
            self.measure(number, sequence, spec, request);
        }
        let session = &self.sessions[number as usize];
        // A SELECT that a shard has to be asked about is shown when it has answered.
        let is_settled = !matches!(session.pause, Pause::Select { .. });
        let is_done = is_settled && !session.pause.comes_again();
        if session.special.has(Special::MONITORED) && is_done {
            self.show(number, spec, request);
        }
    }

    /// Lets `handle` see to one command, whose reply is dropped if the client wants none.
    pub(crate) fn muted(&mut self, number: u32, handle: impl FnOnce(&mut Self) -> Told) {
        let session = &mut *self.sessions[number as usize];
        if !session.special.has(Special::MUTED) {
            handle(self);
            return;
        }
        if session.mute == Mute::Next {
            session.mute = Mute::This;
        }
        let count = session.replies.len();
        session.replies.hold();
        let told = handle(self);
        let session = &mut *self.sessions[number as usize];
        // CLIENT REPLY ON and RESET are answered.
        let is_wanted = told == Anyway || !matches!(session.mute, Mute::All | Mute::This);
        let kept = if is_wanted { session.replies.len() } else { count };
        session.replies.mute_from(kept, &mut session.output, &mut self.spare);
        if session.mute == Mute::This {
            let again = session.pause.comes_again();
            session.mute = if again { Mute::Next } else { Mute::Off };
        }
        if session.mute == Mute::Off {
            session.special.clear(Special::MUTED);
        }
        self.ready.session(session, number);
    }

    /// `CLIENT REPLY ON|OFF|SKIP`.
    pub(super) fn client_reply(&mut self, number: u32, request: &Request<'_>) {
        let session = &mut self.sessions[number as usize];
        match &request.arg(2).to_ascii_lowercase()[..] {
            b"on" => {
                session.mute = Mute::Off;
                return self.say(number, |writer| writer.simple("OK"));
            }
            b"off" => session.mute = Mute::All,
            b"skip" if session.mute != Mute::All => session.mute = Mute::Next,
            b"skip" => {}
            _ => return self.say(number, |writer| writer.error("ERR syntax error")),
        }
        session.special.set(Special::MUTED);
    }

    /// What RESET undoes of a session's ways: its name, what it wants to read, what it looks at.
    pub(super) fn forget_ways(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        if session.mute != Mute::This {
            session.mute = Mute::Off;
        }
        let (pool, id) = (usize::from(session.pool), session.id);
        let Some(about) = &mut session.about else { return };
        about.name = Vec::new();
        if std::mem::take(&mut about.is_monitor) {
            self.end_monitor(pool, id);
        }
    }
}
