//! Bytes from a client become commands; what is not whole is kept, and scanned on from there.

use bytes::{Bytes, BytesMut};

use super::apart::Told;
use super::session::{Input, Pause, Special};
use crate::reply::code::Code;
use crate::reply::slots::Frame;
use crate::resp::{ProtocolError, Request, RequestScanner, Scan, Writer, inline};
use crate::worker::{HEAVY, Worker};

impl Worker {
    /// Handles `count` bytes in the scratch buffer, after those that came earlier.
    pub(crate) fn take_scratch(&mut self, number: u32, count: usize) {
        let scratch = std::mem::take(&mut self.scratch);
        match self.sessions[number as usize].input.take() {
            None => {
                let scanner = std::mem::take(&mut self.scanner);
                self.take_commands(number, &scratch[..count], scanner);
            }
            Some(mut input) => {
                input.bytes.extend_from_slice(&scratch[..count]);
                self.take_more(number, input);
            }
        }
        self.scratch = scratch;
    }

    /// Handles a command of which more has come. One that is still not whole stays in its buffer:
    /// to copy it each time would cost the square of its length.
    fn take_more(&mut self, number: u32, mut input: Box<Input>) {
        let limits = self.request_limits(number);
        match input.scanner.scan(&input.bytes, &limits) {
            Ok(Scan::More(missing)) => {
                input.missing = missing;
                self.sessions[number as usize].input = Some(input);
            }
            // The scanner says so again.
            Ok(Scan::Done(_)) => self.take_commands(number, &input.bytes, input.scanner),
            Err(error) => self.refuse_bytes(number, &input.bytes, &error),
        }
    }

    /// Goes on with commands that waited for a pause to end.
    pub(crate) fn resume_input(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        if !session.accepts_commands() {
            return;
        }
        if let Some(input) = session.input.take_if(|input| input.missing == 0) {
            self.begin_waited(number, input.arrived_at);
            self.take_commands(number, &input.bytes, input.scanner);
            self.end_waited(number);
        }
    }

    /// Handles bytes that were read right behind a partial command.
    pub(crate) fn take_in_place(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let Some(mut input) = session.input.take() else { return };
        let limits = self.request_limits(number);
        match input.scanner.scan(&input.bytes, &limits) {
            Ok(Scan::Done(_)) => {
                // No more was read than the command still needed: it is all there is.
                let bytes = input.bytes.freeze();
                let is_heavy = bytes.len() >= HEAVY;
                if is_heavy {
                    self.expect_heavy(number);
                }
                self.command(number, &Request::new(&bytes, input.scanner.args()), Some(&bytes));
                if self.sessions[number as usize].pause.comes_again() {
                    self.forget_command();
                    return self.keep_for_later(number, &bytes, RequestScanner::default());
                }
                self.count_said(number);
                self.pause_if_full(number);
            }
            Ok(Scan::More(missing)) => {
                input.missing = missing;
                self.sessions[number as usize].input = Some(input);
            }
            Err(error) => self.refuse_bytes(number, &input.bytes, &error),
        }
    }

    /// Handles the whole commands in `bytes` and keeps the rest.
    fn take_commands(&mut self, number: u32, bytes: &[u8], mut scanner: RequestScanner) {
        let mut limits = self.request_limits(number);
        let (mut start, mut last) = (0, 0);
        // In one go as many as may be in flight, lest others wait while thousands are handled.
        let mut turn = self.pool_of(number).config.client_pipeline_limit;
        while start < bytes.len() && turn > 0 {
            turn -= 1;
            let session = &self.sessions[number as usize];
            if !session.accepts_commands() {
                break;
            }
            if session.special.has(Special::STRANGER) || limits.once_known.is_some() {
                let Some(present) = self.limits_before_next(number) else { break };
                limits = present;
            }
            last = start;
            match scanner.scan(&bytes[start..], &limits) {
                Ok(Scan::Done(len)) => {
                    let command = &bytes[start..start + len];
                    if scanner.is_inline() {
                        self.inline_command(number, command);
                    } else if !scanner.args().is_empty() {
                        self.command(number, &Request::new(command, scanner.args()), None);
                    }
                    scanner.reset();
                    start += len;
                }
                Ok(Scan::More(missing)) => {
                    self.count_said(number);
                    return self.keep_partial(number, &bytes[start..], scanner, missing);
                }
                Err(error) => {
                    self.count_said(number);
                    return self.refuse_bytes(number, &bytes[start..], &error);
                }
            }
        }
        scanner.reset();
        // A command that wants the session drained comes again.
        let comes_again = self.sessions[number as usize].pause.comes_again();
        if comes_again {
            self.forget_command();
        }
        let kept = if comes_again { last } else { start };
        self.count_said(number);
        if kept < bytes.len() {
            self.keep_for_later(number, &bytes[kept..], scanner);
        } else {
            self.scanner = scanner;
        }
        self.pause_if_full(number);
    }

    /// Whether the session is owed nothing; if it is, the command that asked is handled again once
    /// all has left.
    pub(crate) fn is_drained(&mut self, number: u32) -> bool {
        let session = &mut self.sessions[number as usize];
        if !session.replies.is_empty() {
            session.pause = Pause::Drained;
        }
        session.replies.is_empty()
    }

    fn keep_partial(&mut self, number: u32, bytes: &[u8], scanner: RequestScanner, missing: usize) {
        // Right-sized at once for a command of ordinary size, so that it is not copied again.
        let room = bytes.len() + missing.min(ROOM_AHEAD);
        let mut kept = BytesMut::with_capacity(room);
        kept.extend_from_slice(bytes);
        let (missing, arrived_at) = (missing.max(1), Some(self.clock.arrival()));
        let input = Input { scanner, bytes: kept, missing, arrived_at };
        self.sessions[number as usize].input = Some(Box::new(input));
        self.pause_if_full(number);
    }

    pub(super) fn keep_for_later(&mut self, number: u32, bytes: &[u8], scanner: RequestScanner) {
        let session = &mut self.sessions[number as usize];
        if !session.closing {
            let arrived_at = Some(self.clock.arrival());
            let input = Input { scanner, bytes: bytes.into(), missing: 0, arrived_at };
            session.input = Some(Box::new(input));
        }
    }

    fn inline_command(&mut self, number: u32, line: &[u8]) {
        let mut encoded = Vec::new();
        if let Err(error) = inline::encode(line, &mut encoded) {
            return self.refuse_protocol(number, &error);
        }
        if encoded.is_empty() {
            return;
        }
        let limits = self.pools[usize::from(self.sessions[number as usize].pool)].request_limits;
        let mut scanner = RequestScanner::default();
        match scanner.scan(&encoded, &limits) {
            Ok(Scan::Done(_)) => {
                self.command(number, &Request::new(&encoded, scanner.args()), None);
            }
            Ok(Scan::More(_)) => unreachable!("an encoded command is whole"),
            Err(error) => self.refuse_protocol(number, &error),
        }
    }

    /// Says what is wrong, after the replies still owed, and ends the session, as Redis does.
    pub(super) fn refuse_protocol(&mut self, number: u32, error: &ProtocolError) {
        let session = &self.sessions[number as usize];
        tracing::info!(
            pool = self.pools[usize::from(session.pool)].config.name,
            client = session.id,
            address = session.addresses().0,
            %error,
            "client disconnected: protocol error"
        );
        let counters = &self.counters.pools[usize::from(session.pool)];
        counters.client_err.add(1);
        counters.protocol_errors.add(1);
        self.muted(number, |worker| {
            worker.say(number, |writer| writer.error(&format!("ERR {error}")));
            Told::IfWanted
        });
        self.finish_session(number);
    }

    /// Ends a session that speaks HTTP, without a word, as Redis does: a web page that makes a
    /// browser post to this port must not have the lines of its text run as commands.
    pub(crate) fn refuse_http(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        tracing::warn!(
            pool = self.pools[usize::from(session.pool)].config.name,
            client = session.id,
            address = session.addresses().0,
            "client disconnected: it speaks HTTP, which may be an attack from a web page"
        );
        let counters = &self.counters.pools[usize::from(session.pool)];
        counters.client_err.add(1);
        counters.protocol_errors.add(1);
        self.finish_session(number);
    }

    /// Answers a command with what `write` says.
    pub(crate) fn say(&mut self, number: u32, write: impl FnOnce(&mut Writer<'_>)) {
        let session = &mut *self.sessions[number as usize];
        let sequence = session.replies.reserve();
        let (protocol, mut error) = (session.protocol, None);
        if session.replies.is_due(sequence) {
            // Straight into the outbox; the place is filled with nothing more.
            session.output.write_with(&mut self.spare, |out| {
                let start = out.len();
                write(&mut Writer::new(out, protocol));
                error = Code::of(&out[start..]).map(|code| (code, out[start..].to_vec()));
            });
            session.replies.fill_silently(sequence, &mut session.output, &mut self.spare);
        } else {
            let mut reply = self.spare.take();
            write(&mut Writer::new(&mut reply, protocol));
            error = Code::of(&reply).map(|code| (code, reply.clone()));
            let frame = Frame::Small(&reply);
            session.replies.fill(sequence, frame, &mut session.output, &mut self.spare);
            self.spare.give(reply);
        }
        self.ready.session(session, number);
        if let Some((code, reply)) = error {
            self.note_own_error(number, code, &reply);
        }
    }
}

/// A command as it is to be forwarded: copied when it is small, shared when it was read into a
/// buffer of its own.
pub(crate) fn frame<'a>(request: &Request<'a>, whole: Option<&Bytes>) -> Frame<'a> {
    match whole {
        Some(bytes) => Frame::Large(bytes.clone()),
        None => Frame::Small(request.wire()),
    }
}

/// A buffer for a partial command is at once this much larger than what came, at most.
const ROOM_AHEAD: usize = 1024 * 1024;
