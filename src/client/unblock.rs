//! CLIENT UNBLOCK: the shard that a client waits on is told to let it go, so that the client reads
//! the shard's own reply and nothing is popped for nobody.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::local;
use super::session::Pause;
use crate::reply::slots::Frame;
use crate::resp::{Request, write};
use crate::shard::link::{Part, Pending};
use crate::worker::Worker;

/// What the client that is let go reads.
#[derive(Debug, Clone, Copy)]
enum Reason {
    /// What it would read when its time is up.
    Timeout,
    /// `-UNBLOCKED`.
    Error,
}

impl Worker {
    /// CLIENT UNBLOCK id [TIMEOUT|ERROR]: 1 when a client was let go.
    pub(crate) fn client_unblock(&mut self, number: u32, request: &Request<'_>) {
        let (id, reason) = match arguments(request) {
            Ok(arguments) => arguments,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        let pool = usize::from(self.sessions[number as usize].pool);
        let place = u64::try_from(id)
            .ok()
            .and_then(|id| Some((id, *self.shared.clients.get(&id)?)))
            .filter(|(_, place)| place.pool == pool);
        let Some((id, place)) = place else {
            return self.say(number, |writer| writer.integer(0));
        };
        let (teller, answer) = oneshot::channel();
        self.shared.tell(place.worker, move |worker| worker.let_go(id, reason, Some(teller)));
        self.run_procedure(number, async move |steps| {
            let done = answer.await.unwrap_or(false);
            steps.reply(|writer| writer.integer(i64::from(done)))
        });
    }

    /// Lets a waiting client of this worker go with an error.
    pub(crate) fn release(&mut self, id: u64) {
        self.let_go(id, Reason::Error, None);
    }

    /// Lets a waiting client of this worker go as if its time were up.
    pub(crate) fn end_wait(&mut self, id: u64) {
        self.let_go(id, Reason::Timeout, None);
    }

    fn let_go(&mut self, id: u64, reason: Reason, teller: Option<oneshot::Sender<bool>>) {
        let Some(worker) = self.this.upgrade() else { return };
        tokio::task::spawn_local(async move {
            let done = let_go(&worker, id, reason).await;
            if let Some(teller) = teller {
                // Whoever asked may be gone.
                let _ = teller.send(done);
            }
        });
    }

    /// Orders the shards that `id` waits on to let it go; `None` while one of them has not said yet
    /// what it calls the connection. One that may not tell that (to a user whose ACL forbids it)
    /// cannot be asked to.
    fn order_release(&mut self, id: u64, reason: Reason) -> Option<Vec<oneshot::Receiver<Bytes>>> {
        let waiting = self.shared.clients.get(&id).map(|place| place.session);
        let Some(number) = waiting.filter(|&number| self.waits(number, id)) else {
            return Some(Vec::new());
        };
        let loans = &self.sessions[number as usize].loans;
        let is_asked = |pending: &Pending| pending.part == Part::ClientId;
        let links = || loans.iter().map(|loan| (loan, &self.links[loan.link as usize]));
        if links().any(|(_, link)| link.in_flight.iter().any(is_asked)) {
            return None;
        }
        let ids: Vec<(u32, usize, u64)> = links()
            .filter_map(|(loan, link)| Some((loan.link, loan.shard, link.client_id?)))
            .collect();
        let mut answers = Vec::with_capacity(ids.len());
        for (link, shard, client) in ids {
            self.links[link as usize].is_marked = true;
            let (asker, answer) = oneshot::channel();
            let place = self.askers.insert(asker) as u32;
            let order = reason.order(client);
            self.send(number, place, Part::Asked, shard, Frame::Small(&order));
            answers.push(answer);
        }
        Some(answers)
    }

    fn waits(&self, number: u32, id: u64) -> bool {
        let session = self.sessions.get(number as usize);
        session.is_some_and(|session| session.id == id && session.pause == Pause::Blocked)
    }
}

async fn let_go(worker: &Rc<RefCell<Worker>>, id: u64, reason: Reason) -> bool {
    let answers = loop {
        let ordered = worker.borrow_mut().order_release(id, reason);
        match ordered {
            Some(answers) => break answers,
            None => tokio::time::sleep(UNTIL_NAMED).await,
        }
    };
    let mut done = false;
    for answer in answers {
        done |= answer.await.is_ok_and(|reply| reply.starts_with(b":1"));
    }
    done
}

impl Reason {
    fn order(self, client: u64) -> Vec<u8> {
        let reason: &[u8] = match self {
            Self::Timeout => b"TIMEOUT",
            Self::Error => b"ERROR",
        };
        let mut order = Vec::new();
        write::command(
            &mut order,
            &[&b"CLIENT"[..], b"UNBLOCK", client.to_string().as_bytes(), reason],
        );
        order
    }
}

fn arguments(request: &Request<'_>) -> Result<(i64, Reason), String> {
    let reason = match request.len() {
        3 => Reason::Timeout,
        4 if request.arg(3).eq_ignore_ascii_case(b"timeout") => Reason::Timeout,
        4 if request.arg(3).eq_ignore_ascii_case(b"error") => Reason::Error,
        4 => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".into()),
        _ => {
            let name = String::from_utf8_lossy(request.arg(1)).into_owned();
            return Err(format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."
            ));
        }
    };
    match local::integer(request.arg(2)) {
        Some(id) => Ok((id, reason)),
        None => Err("ERR value is not an integer or out of range".into()),
    }
}

/// A link that is only being opened is asked for again after this long.
const UNTIL_NAMED: Duration = Duration::from_millis(1);
