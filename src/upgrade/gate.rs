//! What the process listens on, and until when.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

/// All that the process listens on; see the module.
#[derive(Debug)]
pub struct Gate {
    sockets: Mutex<Vec<Weak<Listening>>>,
    pools: watch::Sender<Option<Close>>,
    others: watch::Sender<bool>,
    is_draining: AtomicBool,
    files_stay: AtomicBool,
}

/// Why nobody is let in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The process ends: who waits to be let in still is.
    Ending,
    /// Another process lets in, also those who wait.
    HandedOver,
}

/// A socket that listens. Once all are dropped it is closed, and a unix socket's file goes with it
/// if that is this process's.
#[derive(Debug)]
pub struct Listening {
    socket: OwnedFd,
    /// Of a unix socket.
    file: Option<PathBuf>,
    /// Whether it is systemd's, which keeps it open and will have it served by others.
    is_lent: bool,
    gate: Arc<Gate>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            sockets: Mutex::default(),
            pools: watch::Sender::new(None),
            others: watch::Sender::new(false),
            is_draining: AtomicBool::new(false),
            files_stay: AtomicBool::new(false),
        }
    }
}

impl Gate {
    /// Enters a socket among those that are handed over; `file` is a unix socket's.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn enter(
        self: &Arc<Self>,
        socket: impl AsFd,
        file: Option<PathBuf>,
        is_lent: bool,
    ) -> io::Result<Arc<Listening>> {
        let socket = socket.as_fd().try_clone_to_owned()?;
        let listening = Arc::new(Listening { socket, file, is_lent, gate: Arc::clone(self) });
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&listening));
        Ok(listening)
    }

    /// All sockets that listen.
    pub fn sockets(&self) -> Vec<Arc<Listening>> {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether the process is about to end, so that nobody should be sent here any more.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// The process is about to end.
    pub fn announce(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Lets nobody in any more; done when all that did have heard of it.
    pub async fn close(&self, why: Close) {
        self.announce();
        self.pools.send_replace(Some(why));
        if why == Close::HandedOver {
            self.others.send_replace(true);
        }
        self.pools.closed().await;
    }

    /// For who lets clients in; to be dropped when that is over, and only then.
    pub fn turnstile(&self) -> Turnstile {
        Turnstile(self.pools.subscribe())
    }

    /// Done when other processes serve what is not a pool: statistics, admin address.
    pub async fn handed_over(&self) {
        // The sender lives as long as the gate.
        let _ = self.others.subscribe().wait_for(|is_over| *is_over).await;
        self.pools.closed().await;
    }

    /// Whether files of unix sockets stay when the sockets are closed here, since another process
    /// has them too.
    pub fn set_files_stay(&self, stay: bool) {
        self.files_stay.store(stay, Ordering::Relaxed);
    }
}

/// Tells who lets in when that is over.
#[derive(Debug)]
pub struct Turnstile(watch::Receiver<Option<Close>>);

impl Turnstile {
    /// Done when nobody is to be let in any more.
    pub async fn closed(&self) -> Close {
        match self.0.clone().wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Close::Ending),
            Err(_) => Close::Ending,
        }
    }
}

impl Listening {
    /// What it is entered in.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether it is systemd's.
    pub fn is_lent(&self) -> bool {
        self.is_lent
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let is_ours = !self.is_lent && !self.gate.files_stay.load(Ordering::Relaxed);
        if let Some(file) = self.file.as_ref().filter(|_| is_ours) {
            let _ = fs::remove_file(file);
        }
    }
}
