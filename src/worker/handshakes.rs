//! Clients that speak TLS, until they are sessions: each handshake is a task of the worker.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::net::TcpStream;

use super::Worker;
use crate::config::{Auth, CertificateUser};
use crate::socket::Socket;
use crate::tls::accept::accept;
use crate::tls::certificate::{self, NoUser};
use crate::tls::stream::TlsStream;

/// Starts the handshake with a client; a session follows if it succeeds.
pub(super) fn start(worker: &Rc<RefCell<Worker>>, stream: TcpStream, pool: usize, id: u64) {
    let acceptor = worker.borrow().shared.certificates.of_pool(pool).acceptor();
    let is_full = worker.borrow().handshakes >= MOST_AT_ONCE;
    let Some(acceptor) = acceptor.filter(|_| !is_full) else {
        return refuse(worker, pool, id, "too many of them are under way");
    };
    worker.borrow_mut().handshakes += 1;
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let shaken = accept(acceptor, stream).await;
        worker.borrow_mut().handshakes -= 1;
        match shaken {
            Ok(stream) => worker.borrow_mut().begin_tls(stream, pool, id),
            Err(why) => refuse(&worker, pool, id, &why),
        }
    });
}

fn refuse(worker: &Rc<RefCell<Worker>>, pool: usize, id: u64, why: &str) {
    let worker = worker.borrow();
    tracing::info!(
        pool = worker.pools[pool].config.name,
        client = id,
        "TLS handshake failed, client disconnected: {why}"
    );
    // Came and went: otherwise it would count for client_connections for ever.
    worker.counters.pools[pool].total_connections.add(1);
}

impl Worker {
    fn begin_tls(&mut self, stream: TlsStream, pool: usize, id: u64) {
        let named = self.certificate_user(&stream, pool);
        let Some(number) = self.add_session(Socket::Tls(Box::new(stream)), pool, id) else {
            return;
        };
        match named {
            Some(Ok(name)) => self.begin_as(number, &name),
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
    fn begin_as(&mut self, number: u32, _name: &str) {
        // One password is one user: whoever has a certificate is that one too.
        if self.pool_of(number).config.who_decides() == Auth::Pool {
            self.sessions[number as usize].authenticate();
        }
    }
}

/// Handshakes of one worker at the same time: each holds some 30 KiB.
const MOST_AT_ONCE: usize = 1024;
