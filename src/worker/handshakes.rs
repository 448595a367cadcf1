//! Clients that speak TLS, until they are sessions: each handshake is a task of the worker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::Worker;
use crate::client::origin::Origin;
use crate::config::{Auth, CertificateUser};
use crate::socket::Socket;
use crate::tls::accept::accept;
use crate::tls::certificate::{self, NoUser};
use crate::tls::stream::TlsStream;

/// The handshakes of a worker that are under way.
#[derive(Debug)]
pub struct Handshakes {
    /// By the client's number, so that the oldest is the first.
    under_way: BTreeMap<u64, UnderWay>,
    turns: Rc<Semaphore>,
}

#[derive(Debug)]
struct UnderWay {
    pool: usize,
    task: AbortHandle,
}

impl Handshakes {
    /// The clients of a pool, or of all, that are in the midst of one.
    pub(super) fn of(&self, pool: Option<usize>) -> impl Iterator<Item = u64> {
        let found = self.under_way.iter();
        let found = found.filter(move |(_, one)| pool.is_none_or(|pool| one.pool == pool));
        found.map(|(&id, _)| id)
    }
}

impl Default for Handshakes {
    fn default() -> Self {
        Self { under_way: BTreeMap::new(), turns: Rc::new(Semaphore::new(1)) }
    }
}

/// Starts the handshake with a client; a session follows if it succeeds.
pub(super) fn start(
    this: &Rc<RefCell<Worker>>,
    stream: TcpStream,
    origin: Option<Box<Origin>>,
    pool: usize,
    id: u64,
) {
    let worker = &mut *this.borrow_mut();
    let Some(acceptor) = worker.shared.certificates.of_pool(pool).acceptor() else {
        return worker.refuse_tls(pool, id, "the pool has no certificate");
    };
    worker.make_way();
    let (this, turns) = (Rc::clone(this), Rc::clone(&worker.handshakes.turns));
    let task = tokio::task::spawn_local(async move {
        let shaken = accept(acceptor, stream, &turns).await;
        let worker = &mut *this.borrow_mut();
        worker.handshakes.under_way.remove(&id);
        match shaken {
            Ok(stream) => worker.begin_tls(stream, origin, pool, id),
            Err(why) => worker.refuse_tls(pool, id, &why),
        }
    });
    worker.handshakes.under_way.insert(id, UnderWay { pool, task: task.abort_handle() });
}

impl Worker {
    /// Ends the oldest handshake if there are too many: the slow ones are those that wait longest.
    fn make_way(&mut self) {
        if self.handshakes.under_way.len() < MOST_AT_ONCE {
            return;
        }
        if let Some((id, oldest)) = self.handshakes.under_way.pop_first() {
            oldest.task.abort();
            self.refuse_tls(oldest.pool, id, "it had to make way for another");
        }
    }

    /// Ends the handshakes with clients of a pool, or of all; how many.
    pub(super) fn end_handshakes(&mut self, pool: Option<usize>) -> usize {
        let ids: Vec<u64> = self.handshakes.of(pool).collect();
        for id in &ids {
            if let Some(one) = self.handshakes.under_way.remove(id) {
                one.task.abort();
                self.never_served(one.pool);
            }
        }
        ids.len()
    }

    fn refuse_tls(&self, pool: usize, id: u64, why: &str) {
        tracing::info!(
            pool = self.pools[pool].config.name,
            client = id,
            "TLS handshake failed, client disconnected: {why}"
        );
        self.never_served(pool);
    }

    fn begin_tls(&mut self, stream: TlsStream, origin: Option<Box<Origin>>, pool: usize, id: u64) {
        let named = self.certificate_user(&stream, pool);
        let Some(number) = self.add_session(Socket::Tls(Box::new(stream)), origin, pool, id) else {
            return;
        };
        match named {
            Some(Ok(name)) => self.begin_certified(number, &name),
            Some(Err(why)) => tracing::info!(
                pool = self.pools[pool].config.name,
                client = id,
                "client has to say a password: {why} (tls_user)"
            ),
            None => {}
        }
    }

    /// The user that the client's certificate names, if it showed one and `tls_user` wants to know.
    fn certificate_user(&self, stream: &TlsStream, pool: usize) -> Option<Result<String, NoUser>> {
        let field = self.pools[pool].config.tls.user;
        let certificate = stream.certificate().filter(|_| field != CertificateUser::None)?;
        Some(certificate::user(certificate, field))
    }

    /// Lets a session begin as the user whom its certificate names, without a password.
    fn begin_certified(&mut self, number: u32, name: &str) {
        let begun = match self.pool_of(number).config.who_decides() {
            // One password is one user: whoever has a certificate is that one too.
            Auth::Pool => self.authenticated(number).map(|()| true),
            Auth::Users => self.begin_as(number, name.as_bytes()),
            Auth::Shard => Ok(false),
        };
        match begun {
            Ok(true) => {}
            Ok(false) => tracing::info!(
                client = self.sessions[number as usize].id,
                name,
                "client has to say a password: its certificate names none of the pool's users"
            ),
            Err(text) => self.send_off(number, &text),
        }
    }
}

/// Handshakes of one worker at the same time: each holds up to some 30 KiB.
const MOST_AT_ONCE: usize = 4096;
