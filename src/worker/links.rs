//! Links of a worker: requests onto them, replies off them, and what follows when they fail.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::Worker;
use super::sessions::{GROW_AT_LEAST, READ_IN_PLACE};
use crate::client::session::Pause;
use crate::outbox::SpareBuffers;
use crate::reply::slots::Frame;
use crate::resp::{ReplyScanner, Scan};
use crate::route::ring::Ring;
use crate::shard::connect::{self, Target};
use crate::shard::fault::LinkFault;
use crate::shard::health::{Failure, ShardHealth, State};
use crate::shard::link::{Link, LinkState, Part, PartialReply, Pending};
use crate::socket::Socket;

impl Worker {
    /// Opens the links of the pool's first identity, as `preconnect` wants.
    pub(crate) fn preconnect(&mut self, pool: usize) {
        for place in 0..self.pools[pool].identities[0].links.len() {
            let number = self.add_link(pool, 0, place);
            let _ = self.links[number as usize].prepare();
        }
    }

    fn add_link(&mut self, pool: usize, identity: usize, place: usize) -> u32 {
        let shard = place / self.pools[pool].lanes();
        let limit = self.pools[pool].config.link_output_limit as usize;
        let links = &mut self.pools[pool].identities[identity];
        let link = Link::new(pool, shard, links.identity.clone(), limit);
        let number = self.links.insert(Box::new(link)) as u32;
        links.links[place] = Some(number);
        if let Some(this) = self.this.upgrade() {
            tokio::task::spawn_local(run(this, number));
        }
        number
    }

    /// Queues a request of `session` for `shard`; its reply goes to `sequence`. A shard that is
    /// known to be out answers at once with an error.
    #[inline]
    pub(crate) fn send(
        &mut self,
        session: u32,
        sequence: u32,
        part: Part,
        shard: usize,
        request: Frame<'_>,
    ) {
        self.send_with(session, sequence, part, shard, |link, spare| {
            let written = link.write_through(request.bytes());
            match request {
                Frame::Small(bytes) => link.output.extend(&bytes[written..], spare),
                Frame::Large(bytes) => link.output.push_large(bytes.slice(written..)),
            }
            written
        });
    }

    /// Like [`Self::send`] for a request that `write` puts into the link's outbox, but for the
    /// bytes that it wrote to the socket at once, whose number it returns.
    #[inline]
    pub(crate) fn send_with(
        &mut self,
        session: u32,
        sequence: u32,
        part: Part,
        shard: usize,
        write: impl FnOnce(&mut Link, &mut SpareBuffers) -> usize,
    ) {
        let client = &mut *self.sessions[session as usize];
        client.outstanding += 1;
        let pending = Pending { session, sequence, queued_at: self.clock.now(), part };
        let known = self.pools[usize::from(client.pool)].link(client, shard);
        let number = match known {
            Some(number) if self.links[number as usize].takes_requests() => number,
            _ => match self.open_link(session, shard) {
                Ok(number) => number,
                Err(fault) => return self.fail(pending, shard, &fault),
            },
        };
        let client = &mut *self.sessions[session as usize];
        let link = &mut *self.links[number as usize];
        let before = link.output.len();
        let written = write(link, &mut self.spare);
        link.enter(pending, link.output.len() - before, written);
        self.ready.link(link, number);
        if link.output.len() > link.output_limit && client.pause == Pause::No {
            client.pause = Pause::Link;
            link.blocked.push(session);
        }
    }

    /// Makes the link that `session` uses to reach `shard` ready for requests, if the shard is in
    /// and was not found dead a moment ago.
    #[cold]
    fn open_link(&mut self, session: u32, shard: usize) -> Result<u32, LinkFault> {
        let client = &self.sessions[session as usize];
        let pool = usize::from(client.pool);
        if let Some(fault) = self.pools[pool].fault(shard) {
            return Err(fault);
        }
        let identity = usize::from(client.identity);
        let place = self.pools[pool].place(client, shard);
        let known = self.pools[pool].identities[identity].links[place];
        let number = known.unwrap_or_else(|| self.add_link(pool, identity, place));
        self.links[number as usize].prepare()?;
        Ok(number)
    }

    /// Answers one request with the error that `fault` is.
    fn fail(&mut self, pending: Pending, shard: usize, fault: &LinkFault) {
        let pool = usize::from(self.sessions[pending.session as usize].pool);
        self.counters.pools[pool].forward_error.add(1);
        let error = self.error_reply(pool, shard, fault);
        self.deliver(pending, Frame::Small(&error));
    }

    fn error_reply(&self, pool: usize, shard: usize, fault: &LinkFault) -> Vec<u8> {
        let config = &self.pools[pool].config;
        let text = fault.reply(&config.servers[shard].name, &config.name);
        let mut error = Vec::with_capacity(text.len() + 3);
        crate::resp::Writer::new(&mut error, crate::resp::Protocol::Resp2).error(&text);
        error
    }

    /// Ends the link's connection: every request in flight on it, and no other, is answered with
    /// an error.
    pub(crate) fn fail_link(&mut self, number: u32, fault: LinkFault) {
        let link = &mut *self.links[number as usize];
        let (pool, shard) = (link.pool, link.shard);
        let was_idle = link.in_flight.is_empty();
        let in_flight = std::mem::take(&mut link.in_flight);
        link.unsent = 0;
        if link.socket.take().is_some() {
            self.counters.pools[pool].shards[shard].server_connections.sub(1);
        }
        link.output.clear(&mut self.spare);
        link.partial = None;
        link.wants_write = false;
        link.back_off(&fault);
        link.wake();
        // Redis closes idle connections by its own `timeout`: that is no failure of the shard.
        if fault.blames_shard() && !(fault == LinkFault::Closed && was_idle) {
            self.report(pool, shard, &fault);
        }
        let error = self.error_reply(pool, shard, &fault);
        self.counters.pools[pool].forward_error.add(in_flight.len() as u64);
        for pending in in_flight {
            self.deliver(pending, Frame::Small(&error));
        }
        self.release_blocked(number);
    }

    fn release_blocked(&mut self, number: u32) {
        for session in std::mem::take(&mut self.links[number as usize].blocked) {
            if let Some(session) = self.sessions.get_mut(session as usize)
                && session.pause == Pause::Link
            {
                session.pause = Pause::No;
                session.wake();
            }
        }
    }

    fn report(&self, pool: usize, shard: usize, fault: &LinkFault) {
        let counters = &self.counters.pools[pool].shards[shard];
        match fault {
            LinkFault::Closed => counters.server_eof.add(1),
            LinkFault::ReplyTimeout | LinkFault::ConnectTimeout => counters.server_timedout.add(1),
            _ => counters.server_err.add(1),
        }
        let cause: Arc<str> = fault.cause().into();
        tracing::warn!(
            pool = self.pools[pool].config.name,
            shard = self.pools[pool].config.servers[shard].name,
            cause = &*cause,
            "link to shard failed"
        );
        // The control thread is gone only when the process ends.
        let _ = self.failures.send(Failure::now(pool, shard, cause));
    }

    /// Takes over what the control thread found out about a pool's shards.
    pub fn apply_health(&mut self, pool: usize, health: &[ShardHealth], ring: Arc<Ring>) {
        let before = std::mem::replace(&mut self.pools[pool].health, health.to_vec());
        self.pools[pool].ring = ring;
        let concerned: Vec<u32> = self
            .links
            .iter()
            .filter(|(_, link)| link.pool == pool)
            .filter(|(_, link)| before[link.shard].state != health[link.shard].state)
            .map(|(number, _)| number as u32)
            .collect();
        for number in concerned {
            let shard = self.links[number as usize].shard;
            match self.pools[pool].fault(shard) {
                Some(fault) => self.fail_link(number, fault),
                None => self.links[number as usize].forgive(),
            }
        }
        if self.pools[pool].config.preconnect {
            self.reconnect_live(pool);
        }
    }

    fn reconnect_live(&mut self, pool: usize) {
        for (_, link) in &mut self.links {
            let is_live = self.pools[pool].health[link.shard].state == State::Live;
            if link.pool == pool && is_live && matches!(link.state, LinkState::Idle) {
                let _ = link.prepare();
            }
        }
    }

    /// Whether any pool has a `timeout`, so that the clock matters.
    #[inline]
    pub(crate) fn timeouts(&self) -> bool {
        self.pools.iter().any(|pool| pool.timeout.is_some())
    }

    /// Fails the links whose oldest request has waited longer than its pool's `timeout`.
    pub(crate) fn sweep_timeouts(&mut self) {
        self.clock.refresh();
        let now = self.clock.now();
        let is_late = |link: &Link| {
            let timeout = self.pools[link.pool].timeout;
            let oldest = link.in_flight.front();
            matches!((timeout, oldest), (Some(timeout), Some(oldest))
                if now.wrapping_sub(oldest.queued_at) > timeout)
        };
        let late: Vec<u32> = self
            .links
            .iter()
            .filter(|(_, link)| is_late(link))
            .map(|(number, _)| number as u32)
            .collect();
        for number in late {
            self.fail_link(number, LinkFault::ReplyTimeout);
        }
    }

    fn link_up(&mut self, number: u32, socket: Socket) {
        let link = &mut *self.links[number as usize];
        if !matches!(link.state, LinkState::Connecting) {
            return;
        }
        link.state = LinkState::Up;
        link.socket = Some(socket);
        link.answered = false;
        self.counters.pools[link.pool].shards[link.shard].server_connections.add(1);
        self.ready.link(link, number);
    }

    /// What the link's task does each time it is woken; ready when the connection is over.
    fn poll_link(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let link = &mut *self.links[number as usize];
            let Some(socket) = &link.socket else { return Poll::Ready(()) };
            if !link.wants_write || socket.poll_write_ready(cx).is_pending() {
                break;
            }
            link.wants_write = false;
            self.flush_link(number);
        }
        loop {
            let link = &mut *self.links[number as usize];
            let Some(socket) = &mut link.socket else { return Poll::Ready(()) };
            let read = match &mut link.partial {
                Some(partial) if partial.missing >= READ_IN_PLACE => {
                    make_room(partial);
                    ready!(socket.poll_read_onto(cx, &mut partial.bytes, partial.missing))
                        .map(|count| (count, true))
                }
                _ => ready!(socket.poll_read(cx, &mut self.scratch)).map(|count| (count, false)),
            };
            match read {
                Ok((0, _)) => self.fail_link(number, LinkFault::Closed),
                Ok((count, in_place)) => {
                    let counters = &self.counters.pools[link.pool].shards[link.shard];
                    counters.response_bytes.add(count as u64);
                    if in_place {
                        self.take_reply_in_place(number);
                    } else {
                        self.take_replies(number, count);
                        if count == self.scratch.len() {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                }
                Err(error) => self.fail_link(number, LinkFault::of_io(&error)),
            }
        }
    }

    /// Handles `count` bytes in the scratch buffer, after those that came earlier.
    fn take_replies(&mut self, number: u32, count: usize) {
        let scratch = std::mem::take(&mut self.scratch);
        let link = &mut *self.links[number as usize];
        match link.partial.take() {
            None => self.pair(number, &scratch[..count], ReplyScanner::default()),
            Some(mut partial) => {
                partial.bytes.extend_from_slice(&scratch[..count]);
                let limits = self.pools[link.pool].reply_limits;
                match partial.scanner.scan(&partial.bytes, &limits) {
                    // It stays in its buffer: to copy it each time would cost the square of its
                    // length.
                    Ok(Scan::More(missing)) => {
                        partial.missing = missing;
                        link.partial = Some(partial);
                    }
                    // The scanner says so again.
                    _ => self.pair(number, &partial.bytes, partial.scanner),
                }
            }
        }
        self.scratch = scratch;
    }

    /// Pairs the replies in `bytes` with the requests in flight; keeps what is not whole.
    fn pair(&mut self, number: u32, bytes: &[u8], mut scanner: ReplyScanner) {
        let (pool, shard) = {
            let link = &mut self.links[number as usize];
            link.answered = true;
            (link.pool, link.shard)
        };
        let limits = self.pools[pool].reply_limits;
        let mut start = 0;
        let mut replies = 0;
        while start < bytes.len() {
            match scanner.scan(&bytes[start..], &limits) {
                Ok(Scan::Done(len)) => {
                    let reply = &bytes[start..start + len];
                    if !self.pair_one(number, Frame::Small(reply)) {
                        return;
                    }
                    scanner.reset();
                    start += len;
                    replies += 1;
                }
                Ok(Scan::More(missing)) => {
                    let bytes = bytes[start..].into();
                    let partial = PartialReply { scanner, bytes, missing };
                    self.links[number as usize].partial = Some(Box::new(partial));
                    break;
                }
                Err(error) => {
                    return self.fail_link(number, LinkFault::Garbage(error.to_string().into()));
                }
            }
        }
        self.counters.pools[pool].shards[shard].responses.add(replies);
    }

    /// Handles bytes that were read right behind a partial reply.
    fn take_reply_in_place(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        let Some(mut partial) = link.partial.take() else { return };
        let limits = self.pools[link.pool].reply_limits;
        match partial.scanner.scan(&partial.bytes, &limits) {
            Ok(Scan::Done(len)) if len == partial.bytes.len() => {
                self.counters.pools[link.pool].shards[link.shard].responses.add(1);
                self.pair_one(number, Frame::Large(partial.bytes.freeze()));
            }
            Ok(Scan::Done(_)) => unreachable!("no more was read than the reply still needed"),
            Ok(Scan::More(missing)) => {
                partial.missing = missing;
                link.partial = Some(partial);
            }
            Err(error) => self.fail_link(number, LinkFault::Garbage(error.to_string().into())),
        }
    }

    /// Gives one reply to the oldest request in flight; false when the link failed over it.
    #[inline(always)]
    fn pair_one(&mut self, number: u32, frame: Frame<'_>) -> bool {
        let link = &mut *self.links[number as usize];
        if frame.bytes()[0] == b'>' {
            // A push answers nothing; nobody on a shared link asked for it.
            return true;
        }
        // The front is in flight unless all that wait are still here.
        let is_due = link.in_flight.len() > link.unsent;
        match if is_due { link.in_flight.pop_front() } else { None } {
            Some(pending) => {
                self.deliver(pending, frame);
                true
            }
            None => {
                let shown = String::from_utf8_lossy(&frame.bytes()[..frame.bytes().len().min(40)]);
                let why = format!("a reply that nobody asked for: {shown:?}");
                self.fail_link(number, LinkFault::Garbage(why.into()));
                false
            }
        }
    }
}

/// The link's task: connects when there is something to send, then reads until it fails.
async fn run(worker: Rc<RefCell<Worker>>, number: u32) {
    loop {
        let target = poll_fn(|cx| worker.borrow_mut().poll_wanted(number, cx)).await;
        match connect::open(&target).await {
            Ok(socket) => {
                worker.borrow_mut().link_up(number, socket);
                poll_fn(|cx| worker.borrow_mut().poll_link(number, cx)).await;
            }
            Err(fault) => {
                let worker = &mut *worker.borrow_mut();
                if matches!(worker.links[number as usize].state, LinkState::Connecting) {
                    worker.fail_link(number, fault);
                }
            }
        }
    }
}

impl Worker {
    /// Ready with where to connect as soon as the link is wanted.
    fn poll_wanted(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Target> {
        let link = &mut self.links[number as usize];
        if !link.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            link.waker = Some(cx.waker().clone());
        }
        match link.state {
            LinkState::Connecting => {
                self.counters.pools[link.pool].shards[link.shard].links_opened.add(1);
                let pool = &self.pools[link.pool].config;
                Poll::Ready(Target::new(pool, link.shard, link.identity.clone()))
            }
            _ => Poll::Pending,
        }
    }
}

/// Room for what is missing, though never much more at once than has come: a length that is
/// only announced costs no memory.
fn make_room(partial: &mut PartialReply) {
    let room = partial.missing.min(partial.bytes.len().max(GROW_AT_LEAST));
    partial.bytes.reserve(room);
    partial.missing = partial.missing.min(partial.bytes.capacity() - partial.bytes.len());
}
