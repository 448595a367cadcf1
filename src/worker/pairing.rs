//! The life of one link: connect, read, pair replies with requests, until it fails.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::memory::make_room;
use super::sessions::{READ_AT_MOST, READ_IN_PLACE, others_first};
use super::timing::Tally;
use super::{HEAVY, Worker};
use crate::reply::slots::Frame;
use crate::resp::{ReplyScanner, Scan};
use crate::shard::connect::{self, Target};
use crate::shard::fault::LinkFault;
use crate::shard::link::{LinkState, Owner, PartialReply};
use crate::socket::Socket;

impl Worker {
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
        let mut taken = 0;
        loop {
            let link = &mut *self.links[number as usize];
            let Some(socket) = &mut link.socket else { return Poll::Ready(()) };
            let read = match &mut link.partial {
                Some(partial) if partial.missing >= READ_IN_PLACE => {
                    let shortage = &self.shared.shortage;
                    let Some(room) = make_room(shortage, &mut partial.bytes, partial.missing)
                    else {
                        self.wait_for_memory(cx);
                        return Poll::Pending;
                    };
                    partial.missing = room;
                    ready!(socket.poll_read_onto(cx, &mut partial.bytes, partial.missing))
                        .map(|count| (count, true))
                }
                _ => ready!(socket.poll_read(cx, &mut self.scratch)).map(|count| (count, false)),
            };
            match read {
                Ok((0, _)) => self.fail_link(number, LinkFault::Closed),
                Ok((count, in_place)) => {
                    if in_place {
                        // Something large comes in, however late.
                        link.silent_since = None;
                        self.shared.shortage.take_room(count);
                    }
                    let counters = &self.counters.pools[link.pool].shards[link.shard];
                    counters.response_bytes.add(count as u64);
                    let enough = if in_place { READ_AT_MOST } else { self.scratch.len() };
                    match in_place {
                        true => self.take_reply_in_place(number),
                        false => {
                            self.note_read(count);
                            self.take_replies(number, count);
                        }
                    }
                    taken += count;
                    if taken >= enough {
                        // A shard that sends as fast as it is read must not hold up others.
                        others_first(cx);
                        return Poll::Pending;
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
                    Ok(Scan::Done(len)) => {
                        if len >= HEAVY {
                            self.note_heavy_reply(number);
                        }
                        // The scanner says so again.
                        self.pair(number, &partial.bytes, partial.scanner);
                    }
                    Err(error) => self.fail_link(number, LinkFault::of_reply(&error)),
                }
            }
        }
        self.scratch = scratch;
    }

    /// Pairs the replies in `bytes` with the requests in flight; keeps what is not whole.
    fn pair(&mut self, number: u32, bytes: &[u8], scanner: ReplyScanner) {
        let mut tally = self.begin_tally(number);
        self.pair_all(number, bytes, scanner, &mut tally);
        self.end_tally(&mut tally);
        self.release_kept(number);
    }

    #[inline(always)]
    fn pair_all(
        &mut self,
        number: u32,
        bytes: &[u8],
        mut scanner: ReplyScanner,
        tally: &mut Tally,
    ) {
        let (pool, shard) = {
            let link = &mut self.links[number as usize];
            link.answered = true;
            (link.pool, link.shard)
        };
        let limits = self.pools[pool].reply_limits;
        let mut start = 0;
        let mut replies = 0;
        let late_before = self.late_replies;
        while start < bytes.len() {
            match scanner.scan(&bytes[start..], &limits) {
                Ok(Scan::Done(len)) => {
                    let reply = &bytes[start..start + len];
                    if !self.pair_one(number, Frame::Small(reply), tally) {
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
                    return self.fail_link(number, LinkFault::of_reply(&error));
                }
            }
        }
        self.counters.pools[pool].shards[shard].responses.add(replies);
        let link = &mut self.links[number as usize];
        if link.silent_since.is_some() && self.late_replies.wrapping_sub(late_before) < replies {
            link.silent_since = None;
        }
        if !link.blocked.is_empty() && link.has_room() {
            self.unblock_sessions(number);
        }
    }

    /// Handles bytes that were read right behind a partial reply.
    fn take_reply_in_place(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        let Some(mut partial) = link.partial.take() else { return };
        let limits = self.pools[link.pool].reply_limits;
        match partial.scanner.scan(&partial.bytes, &limits) {
            Ok(Scan::Done(len)) if len == partial.bytes.len() => {
                self.counters.pools[link.pool].shards[link.shard].responses.add(1);
                if len >= HEAVY {
                    self.note_heavy_reply(number);
                }
                let mut tally = self.begin_tally(number);
                self.pair_one(number, Frame::Large(partial.bytes.freeze()), &mut tally);
                self.end_tally(&mut tally);
                self.release_kept(number);
            }
            Ok(Scan::Done(_)) => unreachable!("no more was read than the reply still needed"),
            Ok(Scan::More(missing)) => {
                partial.missing = missing;
                link.partial = Some(partial);
            }
            Err(error) => self.fail_link(number, LinkFault::of_reply(&error)),
        }
    }

    /// Gives one reply to the oldest request in flight; false when the link failed over it.
    #[inline(always)]
    fn pair_one(&mut self, number: u32, frame: Frame<'_>, tally: &mut Tally) -> bool {
        let link = &mut *self.links[number as usize];
        if frame.bytes()[0] == b'>' {
            // A push answers nothing; nobody on a shared link asked for it.
            return true;
        }
        // The front is in flight unless all that wait are still here.
        let is_due = link.in_flight.len() > link.unsent;
        match if is_due { link.in_flight.pop_front() } else { None } {
            Some(pending) => {
                self.note(tally, &pending, &frame);
                self.deliver(pending, frame);
                true
            }
            None => self.take_unasked(number, frame),
        }
    }

    /// Handles a frame that answers no request; false when the link failed over it.
    #[cold]
    fn take_unasked(&mut self, number: u32, frame: Frame<'_>) -> bool {
        if self.links[number as usize].socket.is_none() {
            // It failed over the reply before, which came in the same read.
            return false;
        }
        let listens = matches!(self.links[number as usize].owner, Owner::Subscriptions(_));
        if listens && self.hear(number, &frame) {
            return true;
        }
        let shown = String::from_utf8_lossy(&frame.bytes()[..frame.bytes().len().min(40)]);
        let why = format!("a reply that nobody asked for: {shown:?}");
        self.fail_link(number, LinkFault::Garbage(why.into()));
        false
    }
}

/// The link's task: connects when there is something to send, then reads until it fails.
pub(super) async fn run(worker: Rc<RefCell<Worker>>, number: u32) {
    loop {
        let wanted = poll_fn(|cx| worker.borrow_mut().poll_wanted(number, cx)).await;
        let Some(target) = wanted else { return };
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
    /// Ready with where to connect as soon as the link is wanted, or with nothing once it never
    /// will be.
    fn poll_wanted(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Option<Target>> {
        let link = &mut self.links[number as usize];
        if !link.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            link.waker = Some(cx.waker().clone());
        }
        match link.state {
            LinkState::Connecting => {
                self.counters.pools[link.pool].shards[link.shard].links_opened.add(1);
                let pool = &self.pools[link.pool].config;
                let tls = self.shared.certificates.of_pool(link.pool).connector();
                Poll::Ready(Some(Target::new(pool, link.shard, link.identity.clone(), tls)))
            }
            LinkState::Retired => {
                self.links.remove(number as usize);
                Poll::Ready(None)
            }
            _ => Poll::Pending,
        }
    }
}
