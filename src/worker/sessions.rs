//! Sessions of a worker: from accepted to gone.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::memory::make_room;
use super::{ClientPlace, Worker};
use crate::client::origin::Origin;
use crate::client::session::{Pause, Session, Special};
use crate::client::strangers::STRANGERS_INPUT;
use crate::hotkeys::big::BIG;
use crate::outbox::WRITE_THROUGH;
use crate::reply::slots::Frame;
use crate::shard::link::{Part, Pending};
use crate::socket::Socket;

impl Worker {
    /// Takes in a client's connection and starts its task; `origin` is whom a proxy speaks for.
    /// Returns the session's number.
    pub fn add_session(
        &mut self,
        socket: Socket,
        origin: Option<Box<Origin>>,
        pool: usize,
        id: u64,
    ) -> Option<u32> {
        let this = self.this.upgrade()?;
        let is_stranger = self.begins_as_stranger(pool);
        let config = &self.pools[pool].config;
        let mut session = Session::new(id, pool, config.redis_db, !is_stranger, socket);
        session.heard_at = self.seconds;
        session.origin = origin;
        session.lane = self.pools[pool].native_lane(id);
        self.pools[pool].mark(&mut session);
        self.pools[pool].begin_use(usize::from(session.identity));
        let number = self.sessions.insert(Box::new(session)) as u32;
        let place = ClientPlace { worker: self.index, session: number, pool };
        self.shared.clients.insert(id, place);
        let counters = &self.counters.pools[pool];
        counters.client_connections.add(1);
        counters.total_connections.add(1);
        tokio::task::spawn_local(run(this, number));
        self.receive(number);
        Some(number)
    }

    /// What the session's task does each time it is woken; ready when the session is over.
    fn poll_session(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        let session = &mut self.sessions[number as usize];
        if session.waker.is_none() {
            session.waker = Some(cx.waker().clone());
        }
        self.resume_writing(number, cx);
        self.clock.refresh();
        self.resume_input(number);
        if self.sessions[number as usize].has_commands() {
            others_first(cx);
            return Poll::Pending;
        }
        self.poll_session_read(number, cx)
    }

    /// Goes on writing once the kernel has room.
    fn resume_writing(&mut self, number: u32, cx: &mut Context<'_>) {
        loop {
            let session = &mut self.sessions[number as usize];
            let Some(socket) = &session.socket else { return };
            if !session.wants_write || socket.poll_write_ready(cx).is_pending() {
                return;
            }
            session.wants_write = false;
            self.flush_session(number);
        }
    }

    fn poll_session_read(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut taken = 0;
        loop {
            let session = &mut self.sessions[number as usize];
            let accepts_commands = session.accepts_commands();
            let Some(socket) = &mut session.socket else { return Poll::Ready(()) };
            if !accepts_commands {
                self.input_is_drained(number);
                return self.poll_leaving(number, cx);
            }
            let read = match &mut session.input {
                Some(input) if input.missing >= READ_IN_PLACE => {
                    let shortage = &self.shared.shortage;
                    let Some(room) = make_room(shortage, &mut input.bytes, input.missing) else {
                        self.wait_for_memory(cx);
                        return Poll::Pending;
                    };
                    input.missing = room;
                    let read = socket.poll_read_onto(cx, &mut input.bytes, input.missing);
                    read.map_ok(|count| (count, true))
                }
                _ if session.special.has(Special::STRANGER) => {
                    let read = socket.poll_read(cx, &mut self.scratch[..STRANGERS_INPUT]);
                    read.map_ok(|count| (count, false))
                }
                _ => socket.poll_read(cx, &mut self.scratch).map_ok(|count| (count, false)),
            };
            let Poll::Ready(read) = read else {
                self.input_is_drained(number);
                return Poll::Pending;
            };
            match read {
                Ok((0, _)) => {
                    self.counters.pools[usize::from(session.pool)].client_eof.add(1);
                    self.finish_session(number);
                }
                Ok((count, true)) => {
                    session.heard_at = self.seconds;
                    session.count_read(&self.counters, count);
                    self.shared.shortage.take_room(count);
                    self.take_in_place(number);
                    taken += count;
                    if taken >= READ_AT_MOST {
                        others_first(cx);
                        return Poll::Pending;
                    }
                }
                Ok((count, false)) => {
                    session.heard_at = self.seconds;
                    session.count_read(&self.counters, count);
                    self.note_read(count);
                    self.take_scratch(number, count);
                    taken += count;
                    let session = &self.sessions[number as usize];
                    if taken >= self.scratch.len() || session.has_commands() {
                        // More is waiting, or comes as fast as it is taken: the others first.
                        others_first(cx);
                        return Poll::Pending;
                    }
                }
                Err(_) => {
                    self.counters.pools[usize::from(session.pool)].client_err.add(1);
                    self.end_session(number);
                }
            }
        }
    }

    /// All that the session has sent is handled, or waits for a pause to end.
    #[inline]
    fn input_is_drained(&mut self, number: u32) {
        if self.sessions[number as usize].special.has(Special::TRANSACTION) {
            self.settle_transaction(number);
        }
    }

    /// A client that waits for something to happen is listened to, so that its leaving is noticed;
    /// what it says meanwhile is kept.
    #[cold]
    fn poll_leaving(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let session = &mut self.sessions[number as usize];
            let kept = session.input.as_ref().map_or(0, |input| input.bytes.len());
            let Some(socket) = &mut session.socket else { return Poll::Ready(()) };
            let is_heard =
                matches!(session.pause, Pause::Blocked | Pause::Subscribing | Pause::Held);
            if !is_heard {
                return Poll::Pending;
            }
            if let Some(input) = &mut session.input {
                input.arrived_at = None;
            }
            if kept >= PAUSE_AT_INPUT {
                return Poll::Pending;
            }
            match ready!(socket.poll_read(cx, &mut self.scratch)) {
                Ok(0) | Err(_) => {
                    self.counters.pools[usize::from(session.pool)].client_eof.add(1);
                    self.end_session(number);
                }
                Ok(count) => {
                    session.count_read(&self.counters, count);
                    let input = session.input.get_or_insert_default();
                    input.bytes.extend_from_slice(&self.scratch[..count]);
                }
            }
        }
    }

    /// The client will send no more: the session ends when it has all it is owed.
    pub(crate) fn finish_session(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        session.closing = true;
        session.input = None;
        self.ready.session(session, number);
        self.leave_all(number);
    }

    /// Ends the session at once; replies still to come for it are dropped.
    pub(crate) fn end_session(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        if session.socket.take().is_none() {
            return;
        }
        session.replies.clear();
        session.output.clear(&mut self.spare);
        session.input = None;
        session.transaction = None;
        session.depart();
        session.wake();
        let id = session.id;
        self.counters.pools[usize::from(session.pool)].client_connections.sub(1);
        let pool = usize::from(session.pool);
        let is_monitor = session.about.as_ref().is_some_and(|about| about.is_monitor);
        self.shared.clients.remove(&id);
        if is_monitor {
            self.end_monitor(pool, id);
        }
        self.close_private(number);
        self.leave_all(number);
        self.close_loans(number);
    }

    /// Ends a session that does not read its replies.
    pub(crate) fn drop_slow_session(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let pool = &self.pools[usize::from(session.pool)].config;
        tracing::warn!(
            pool = pool.name,
            client = session.id,
            waiting_bytes = session.waiting_bytes(),
            limit_bytes = pool.client_output_limit,
            "client disconnected: it does not read its replies and client_output_limit is reached"
        );
        self.end_session(number);
    }

    /// Forgets a session that is over and that no link refers to.
    pub(crate) fn forget_session(&mut self, number: u32) {
        if self.sessions[number as usize].is_gone() {
            let session = self.sessions.remove(number as usize);
            let pool = &mut self.pools[usize::from(session.pool)];
            pool.end_use(usize::from(session.identity), self.seconds);
        }
    }

    /// Gives the reply to `pending` to its session.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, pending: Pending, frame: Frame<'_>) {
        let session = &mut self.sessions[pending.session as usize];
        session.outstanding -= 1;
        if session.socket.is_none() {
            return self.deliver_late(pending, &frame);
        }
        match pending.part {
            Part::Whole if frame.bytes().len() >= BIG => self.deliver_big(pending, frame),
            Part::Whole => self.answer(pending.session, pending.sequence, frame),
            part => self.deliver_part(pending, part, frame),
        }
    }

    /// A large reply: which key it is of is worth to be known.
    #[inline(never)]
    fn deliver_big(&mut self, pending: Pending, frame: Frame<'_>) {
        self.note_big_reply(frame.bytes().len());
        self.answer(pending.session, pending.sequence, frame);
    }

    /// A reply for a session that is over.
    #[cold]
    fn deliver_late(&mut self, pending: Pending, frame: &Frame<'_>) {
        let pending = self.sampled_replied(pending, frame);
        let pending = self.redeem(pending);
        match pending.part {
            Part::Asked => self.tell_asker(pending, frame),
            Part::Published => self.forget_published(pending),
            Part::Recorded => self.recorded(pending, frame),
            Part::Probe => self.probe_answered(pending.sequence, frame),
            _ => {}
        }
        self.forget_session(pending.session);
    }

    /// Puts the reply to command `sequence` in its place.
    #[inline(always)]
    pub(crate) fn answer(&mut self, number: u32, sequence: u32, frame: Frame<'_>) {
        let session = &mut *self.sessions[number as usize];
        if frame.bytes().len() >= WRITE_THROUGH
            && session.output.is_empty()
            && !session.wants_write
            && session.replies.is_due(sequence)
        {
            return self.write_through(number, sequence, frame);
        }
        session.replies.fill(sequence, frame, &mut session.output, &mut self.spare);
        self.ready.session(session, number);
    }

    /// A large reply that is due goes from where it was read straight into the socket; only
    /// what the kernel does not take is queued.
    #[inline(never)]
    fn write_through(&mut self, number: u32, sequence: u32, frame: Frame<'_>) {
        let session = &mut *self.sessions[number as usize];
        let socket = session.socket.as_mut().expect("answer checked that the session lives");
        let written = socket.try_write(frame.bytes()).unwrap_or(0);
        session.count_written(&self.counters, written);
        let is_limited = session.special.has(Special::LIMITED);
        let rest = match frame {
            Frame::Small(bytes) => Frame::Small(&bytes[written..]),
            Frame::Large(bytes) => Frame::Large(bytes.slice(written..)),
        };
        session.replies.fill(sequence, rest, &mut session.output, &mut self.spare);
        self.ready.session(session, number);
        if is_limited {
            self.charge_bytes(number, written);
        }
    }

    #[inline(never)]
    fn deliver_part(&mut self, pending: Pending, part: Part, frame: Frame<'_>) {
        let session = &mut *self.sessions[pending.session as usize];
        match part {
            Part::Of(part) => {
                let part = usize::from(part);
                if session.replies.fill_part(pending.sequence, part, frame.bytes()) {
                    session.replies.release(&mut session.output, &mut self.spare);
                    self.ready.session(session, pending.session);
                } else if session.waiting_bytes() >= PAUSE_AT_OUTPUT {
                    // Parts that wait for a slow shard count for client_output_limit as well.
                    self.ready.session(session, pending.session);
                }
            }
            Part::Select => self.selected(pending.session, pending.sequence, frame),
            Part::Unclaimed => {}
            Part::Probe => self.probe_answered(pending.sequence, &frame),
            Part::TimedOut => self.late_replies = self.late_replies.wrapping_add(1),
            Part::Ticket(_) => {
                let pending = self.redeem(pending);
                self.deliver_part(pending, pending.part, frame);
            }
            Part::Sampled(_) => {
                let pending = self.sampled_replied(pending, &frame);
                self.deliver_part(pending, pending.part, frame);
            }
            Part::Asked => self.tell_asker(pending, &frame),
            Part::Conclusion => self.conclude(pending.session, pending.sequence, frame),
            Part::Published => self.count_published(pending, frame),
            Part::Blocking => self.unblocked(pending.session, pending.sequence, frame),
            Part::Script => self.script_answered(pending, frame),
            Part::ScriptLoaded => self.script_loaded(pending, &frame),
            Part::Recorded => self.recorded(pending, &frame),
            Part::ClientId => self.client_id_told(pending.sequence, frame),
            Part::Whole => self.answer(pending.session, pending.sequence, frame),
            Part::Measured(place) => {
                self.measured(place, pending, frame.bytes().len());
                self.answer(pending.session, pending.sequence, frame);
            }
        }
    }

    /// Stops reading from the session when it has enough in flight.
    #[inline]
    pub(crate) fn pause_if_full(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let limit = self.pools[usize::from(session.pool)].config.client_pipeline_limit;
        let is_full =
            session.replies.len() >= limit as usize || session.waiting_bytes() >= PAUSE_AT_OUTPUT;
        // A pause for something else ends when that is over, not before.
        if is_full && matches!(session.pause, Pause::No | Pause::Link) {
            session.pause = Pause::Replies;
            self.ready.session(session, number);
        }
    }
}

/// The session's task.
async fn run(worker: Rc<RefCell<Worker>>, number: u32) {
    poll_fn(|cx| worker.borrow_mut().poll_session(number, cx)).await;
    let worker = &mut *worker.borrow_mut();
    worker.sessions[number as usize].has_task = false;
    worker.sessions[number as usize].waker = None;
    worker.forget_session(number);
}

/// Wakes the task when the runtime has looked for news from all sockets. A plain wake would let this
/// task run 30 times before another client's command is even seen.
pub(super) fn others_first(cx: &mut Context<'_>) {
    let turn = std::pin::pin!(tokio::task::yield_now());
    // Pending at the first poll; the waker is with the runtime then.
    let _ = turn.poll(cx);
}

/// From this many missing bytes on, a command or reply is read right behind what came of it.
pub(crate) const READ_IN_PLACE: usize = 16 * 1024;
/// So much of something large is read before the others' turn.
pub(super) const READ_AT_MOST: usize = 1024 * 1024;
/// So much is read ahead of a client whose last command waits.
const PAUSE_AT_INPUT: usize = 1024 * 1024;
/// A client that has this many bytes of replies waiting is not read from.
pub(crate) const PAUSE_AT_OUTPUT: usize = 1024 * 1024;
