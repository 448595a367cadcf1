//! Where clients are let in: each listening socket, and the pool that it lets them into.
//!
//! A reload opens what is new before it closes what is not wanted any more, and an address that is
//! wanted before and after keeps its socket: no client finds it closed. One that is closed first lets
//! in all who have connected by then.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::client::listener::{ListenError, Listener};
use crate::config::{Listen, Pool};
use crate::upgrade::gate::{Close, Gate};
use crate::upgrade::inherited::Inherited;
use crate::worker::Incoming;

/// A listening socket; its task runs until it is closed.
#[derive(Debug)]
pub struct Post {
    address: Listen,
    /// The pool that it lets clients into; `usize::MAX` for one that is closed.
    pool: Rc<Cell<usize>>,
    speaks_tls: Rc<Cell<bool>>,
    closing: Rc<Notify>,
}

/// An address at which a pool is to listen.
#[derive(Debug, Clone)]
struct Wanted {
    pool: usize,
    address: Listen,
    speaks_tls: bool,
}

/// Listening sockets for a new configuration that were opened and not put to use.
#[derive(Debug)]
pub struct Opened {
    /// What each of the present posts is to be.
    kept: Vec<Option<Wanted>>,
    new: Vec<(Wanted, Listener)>,
}

/// Opens what `pools` (each with its index) want and `present` posts do not have.
///
/// # Errors
/// The first address that cannot be had; nothing has changed then.
pub fn open<'a>(
    present: &[Post],
    pools: impl Iterator<Item = (usize, &'a Pool)>,
    gate: &Arc<Gate>,
) -> Result<Opened, ListenError> {
    let mut kept: Vec<Option<Wanted>> = present.iter().map(|_| None).collect();
    let mut new = Vec::new();
    for (index, pool) in pools {
        for wanted in wants(index, pool) {
            let has_it = |&place: &usize| {
                let post = &present[place];
                kept[place].is_none()
                    && is_same(&post.address, &wanted.address)
                    && (post.pool.get() == index || !is_any_port(&wanted.address))
            };
            match (0..present.len()).find(has_it) {
                Some(place) => kept[place] = Some(wanted),
                None => {
                    let only = Pool {
                        listen: (!wanted.speaks_tls).then(|| wanted.address.clone()),
                        tls: crate::config::Tls {
                            listen: wanted.speaks_tls.then(|| wanted.address.clone()),
                            ..pool.tls.clone()
                        },
                        ..pool.clone()
                    };
                    let listeners = Listener::open(&only, &mut Inherited::default(), gate)?;
                    new.extend(listeners.into_iter().map(|listener| (wanted.clone(), listener)));
                }
            }
        }
    }
    Ok(Opened { kept, new })
}

/// Puts what was opened to use: posts keep their sockets, change their pools or are closed, and for
/// those that are new `serve` starts a task.
pub fn settle(posts: &mut Vec<Post>, opened: Opened, mut serve: impl FnMut(Listener, &Post)) {
    let mut kept = opened.kept.into_iter();
    posts.retain_mut(|post| match kept.next().flatten() {
        Some(wanted) => {
            post.address = wanted.address;
            post.set_permissions();
            post.pool.set(wanted.pool);
            post.speaks_tls.set(wanted.speaks_tls);
            true
        }
        None => {
            post.closing.notify_one();
            false
        }
    });
    for (wanted, listener) in opened.new {
        let post = Post::new(wanted.pool, wanted.address, listener.speaks_tls());
        serve(listener, &post);
        posts.push(post);
    }
}

impl Post {
    /// A socket that was opened at the start.
    pub fn new(pool: usize, address: Listen, speaks_tls: bool) -> Self {
        let (pool, speaks_tls) = (Rc::new(Cell::new(pool)), Rc::new(Cell::new(speaks_tls)));
        Self { address, pool, speaks_tls, closing: Rc::default() }
    }

    fn set_permissions(&self) {
        if let Listen::Unix { path, permissions: Some(mode) } = &self.address {
            // A file that somebody removed has none.
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(*mode));
        }
    }

    /// Lets clients in until the post is closed: `admit` gets each with the index of its pool,
    /// `fail` errors that are none of the client's.
    pub fn serve<A, F>(
        &self,
        listener: Listener,
        admit: A,
        fail: F,
    ) -> impl Future<Output = ()> + use<A, F>
    where
        A: Fn(Incoming, usize),
        F: AsyncFn(io::Error, usize),
    {
        let (pool, speaks_tls) = (Rc::clone(&self.pool), Rc::clone(&self.speaks_tls));
        let closing = Rc::clone(&self.closing);
        async move {
            let admit = |stream| admit(as_spoken(stream, speaks_tls.get()), pool.get());
            let why = loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    why = listener.closed() => break why,
                    () = closing.notified() => break Close::Ending,
                };
                match accepted {
                    Ok(stream) => admit(stream),
                    Err(error) => fail(error, pool.get()).await,
                }
            };
            listener.close(why).into_iter().for_each(admit);
        }
    }
}

fn wants(pool: usize, config: &Pool) -> Vec<Wanted> {
    let plain = config.listen.iter().map(|address| (address, false));
    let tls = config.tls.listen.iter().map(|address| (address, true));
    let wanted = |(address, speaks_tls): (&Listen, bool)| Wanted {
        pool,
        address: address.clone(),
        speaks_tls,
    };
    plain.chain(tls).map(wanted).collect()
}

/// A unix socket's permissions are no part of its address.
fn is_same(a: &Listen, b: &Listen) -> bool {
    match (a, b) {
        (Listen::Unix { path: a, .. }, Listen::Unix { path: b, .. }) => a == b,
        _ => a == b,
    }
}

fn is_any_port(address: &Listen) -> bool {
    matches!(address, Listen::Tcp { port: 0, .. })
}

fn as_spoken(stream: Incoming, speaks_tls: bool) -> Incoming {
    match stream {
        Incoming::Tcp(stream) | Incoming::Tls(stream) if speaks_tls => Incoming::Tls(stream),
        Incoming::Tls(stream) => Incoming::Tcp(stream),
        other => other,
    }
}
