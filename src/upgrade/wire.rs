//! What two processes say to each other when one takes over: packets of a word or two on a unix
//! socket, some with a listening socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::geteuid;

/// The new process asks for the sockets; a number of this language follows.
pub const ASK: &str = "circlet take-over 1";
/// A socket of the old process.
pub const OWN: &str = "socket";
/// A socket that systemd keeps.
pub const LENT: &str = "lent socket";
/// That were all; their number follows.
pub const ALL: &str = "all";
/// The new process serves.
pub const SERVING: &str = "serving";
/// The old process lets nobody in any more.
pub const CLOSED: &str = "closed";

/// Sends a packet.
pub fn send(to: impl AsFd, words: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
    if !sockets.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&sockets));
    }
    // NOSIGNAL: an embedding program may not ignore SIGPIPE.
    sendmsg(to, &[IoSlice::new(words.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next packet, empty at the end.
pub fn receive(from: impl AsFd) -> io::Result<(String, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut words = [0; LONGEST];
    let mut slices = [IoSliceMut::new(&mut words)];
    let received = recvmsg(from, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let socket = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    Ok((String::from_utf8_lossy(&words[..received.bytes]).into_owned(), socket))
}

/// The id of the process at the other end, which has to be of the same user, or of root.
pub fn trusted_peer(of: impl AsFd) -> io::Result<i32> {
    let peer = socket_peercred(of)?;
    if peer.uid == geteuid() || peer.uid.is_root() {
        return Ok(peer.pid.as_raw_nonzero().get());
    }
    let error = format!("process {} is of another user, {}", peer.pid, peer.uid.as_raw());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
}

const LONGEST: usize = 128;
