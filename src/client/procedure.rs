//! Commands that take several steps: requests to shards one after the other, and one reply.
//!
//! A procedure is a task beside the session's own. Its session takes no further command before it
//! has answered; the commands before it keep their places, and what it asks a shard travels
//! behind them. Nothing here is on the way of a command that is simply forwarded.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::session::Pause;
use crate::reply::code::Code;
use crate::reply::slots::Frame;
use crate::resp::{Protocol, Writer};
use crate::shard::link::{Part, Pending};
use crate::worker::Worker;

/// What a procedure can do. The worker is borrowed within a call, never over an await.
#[derive(Clone)]
pub(crate) struct Steps {
    worker: Rc<RefCell<Worker>>,
    session: u32,
}

impl Worker {
    /// Runs `procedure` for a session; the frame that it returns is the command's reply.
    pub(crate) fn run_procedure<F>(&mut self, number: u32, procedure: impl FnOnce(Steps) -> F)
    where
        F: Future<Output = Vec<u8>> + 'static,
    {
        let Some(worker) = self.this.upgrade() else { return };
        if self.answers_for_transaction(number) {
            return self.say(number, |writer| writer.error(NOT_WITHIN_EXEC));
        }
        let session = &mut self.sessions[number as usize];
        // The number stays the session's for as long as the procedure knows it.
        session.outstanding += 1;
        session.pause = Pause::Procedure;
        let sequence = session.replies.reserve();
        let future = procedure(Steps { worker: Rc::clone(&worker), session: number });
        tokio::task::spawn_local(async move {
            let reply = future.await;
            worker.borrow_mut().end_procedure(number, sequence, &reply);
        });
    }

    fn end_procedure(&mut self, number: u32, sequence: u32, reply: &[u8]) {
        let session = &mut self.sessions[number as usize];
        session.outstanding -= 1;
        if session.socket.is_none() {
            return self.forget_session(number);
        }
        if matches!(session.pause, Pause::Procedure | Pause::Blocked) {
            session.pause = Pause::No;
        }
        session.wake();
        if let Some(code) = Code::of(reply) {
            self.note_own_error(number, code, reply);
        }
        self.answer(number, sequence, Frame::Small(reply));
    }

    /// Has the session's command come again once `until` is over. It takes none before that.
    pub(crate) fn come_again_after(
        &mut self,
        number: u32,
        until: impl Future<Output = ()> + 'static,
    ) {
        let Some(worker) = self.this.upgrade() else { return };
        let session = &mut self.sessions[number as usize];
        session.pause = Pause::Held;
        // As for a procedure: the number stays the session's.
        session.outstanding += 1;
        tokio::task::spawn_local(async move {
            until.await;
            worker.borrow_mut().come_again(number);
        });
    }

    fn come_again(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        session.outstanding -= 1;
        if session.pause == Pause::Held {
            session.pause = Pause::No;
        }
        session.wake();
        self.forget_session(number);
    }

    /// Hands the reply to a procedure that waits for it.
    #[cold]
    pub(crate) fn tell_asker(&mut self, pending: Pending, frame: &Frame<'_>) {
        if let Some(asker) = self.askers.try_remove(pending.sequence as usize) {
            let reply = match frame {
                Frame::Small(bytes) => Bytes::copy_from_slice(bytes),
                Frame::Large(bytes) => bytes.clone(),
            };
            // A procedure that has ended does not care.
            let _ = asker.send(reply);
        }
    }
}

impl Steps {
    /// Sends one command's bytes to `shard` at once, behind all that the session sent there; the
    /// future is the reply. A link that fails answers with an error, as it does to clients.
    pub(crate) fn ask(&self, shard: usize, request: &[u8]) -> impl Future<Output = Bytes> + use<> {
        let (asker, reply) = oneshot::channel();
        let worker = &mut *self.worker.borrow_mut();
        let place = worker.askers.insert(asker) as u32;
        worker.send(self.session, place, Part::Asked, shard, Frame::Small(request));
        async move { reply.await.unwrap_or(Bytes::from_static(GONE)) }
    }

    /// Sends one command's bytes to all shards that are not ejected; their replies.
    pub(crate) async fn ask_all(&self, request: &[u8]) -> Vec<(usize, Bytes)> {
        let members: Vec<usize> =
            self.with(|worker, number| worker.pool_of(number).members().collect());
        let asked: Vec<_> = members.iter().map(|&shard| self.ask(shard, request)).collect();
        let mut replies = Vec::with_capacity(members.len());
        for (shard, reply) in members.into_iter().zip(asked) {
            replies.push((shard, reply.await));
        }
        replies
    }

    /// A look at the worker, and the number of the session in it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Worker, u32) -> T) -> T {
        look(&mut self.worker.borrow_mut(), self.session)
    }

    /// The version of RESP that the client speaks.
    pub(crate) fn protocol(&self) -> Protocol {
        self.with(|worker, number| worker.sessions[number as usize].protocol)
    }

    /// A reply in the client's version of RESP.
    pub(crate) fn reply(&self, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut reply = Vec::new();
        write(&mut Writer::new(&mut reply, self.protocol()));
        reply
    }
}

/// An element of EXEC's reply must be there when the shard's are.
const NOT_WITHIN_EXEC: &str = "ERR this command is not served inside of MULTI: circlet asks \
     several shards or workers for its reply; send it after EXEC";
/// What a procedure reads when the worker ends under it.
pub(super) const GONE: &[u8] = b"-ERR circlet is shutting down\r\n";
