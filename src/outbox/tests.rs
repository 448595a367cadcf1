//! Whatever is pushed comes out of a real socket, byte for byte.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream as StdStream;

use proptest::prelude::*;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use super::*;

/// What happens to an outbox.
#[derive(Debug, Clone)]
enum Step {
    Copy(usize),
    Compose(usize),
    Share(usize),
    Flush,
    /// The other side reads at most so many bytes.
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_000usize).prop_map(Step::Copy),
        2 => (0..3_000usize).prop_map(Step::Compose),
        1 => (30_000..100_000usize).prop_map(Step::Copy),
        2 => (0..60_000usize).prop_map(Step::Share),
        4 => Just(Step::Flush),
        3 => (1..100_000usize).prop_map(Step::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_pushed_arrives_however_the_socket_takes_it(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut wire = Wire::new();
        for step in steps {
            wire.play(step);
            prop_assert_eq!(wire.outbox.len(), wire.pushed.len() - wire.taken());
        }
        wire.drain();
        prop_assert!(wire.outbox.is_empty());
        prop_assert!(wire.arrived == wire.pushed, "other bytes than were pushed");
    }

    #[test]
    fn a_cleared_outbox_starts_anew(
        before in prop::collection::vec(step(), 1..20),
        after in prop::collection::vec(step(), 1..20),
    ) {
        let mut wire = Wire::new();
        before.into_iter().for_each(|step| wire.play(step));
        wire.outbox.clear(&mut wire.spare);
        prop_assert_eq!(wire.outbox.len(), 0);
        // What the kernel has taken still arrives.
        wire.read(usize::MAX);
        wire.pushed.truncate(wire.arrived.len());
        after.into_iter().for_each(|step| wire.play(step));
        wire.drain();
        prop_assert!(wire.arrived == wire.pushed, "bytes from before the clearing");
    }
}

#[test]
fn an_empty_outbox_holds_no_buffer() {
    let mut wire = Wire::new();
    wire.play(Step::Copy(100));
    wire.play(Step::Share(100_000));
    wire.play(Step::Copy(100));
    assert!(wire.outbox.tail.capacity() > 0);
    wire.drain();
    assert_eq!((wire.outbox.tail.capacity(), wire.outbox.large.capacity()), (0, 0));
    assert_eq!(wire.spare.buffers.len(), 1, "the tail's buffer is there for the next");
}

#[test]
fn a_tail_that_never_drains_does_not_keep_what_was_written() {
    let mut wire = Wire::new();
    for _ in 0..20 {
        wire.play(Step::Copy(100_000));
        while wire.outbox.len() > 50_000 {
            assert!(!wire.flush(), "the kernel took more than a little");
            wire.read(usize::MAX);
            wire.wait_for_room();
        }
    }
    assert!(!wire.outbox.is_empty());
    let (held, waiting) = (wire.outbox.tail.len(), wire.outbox.len());
    assert!(held <= 2 * waiting + COMPACT_FROM, "{held} bytes held for {waiting} that wait");
    wire.drain();
    assert!(wire.arrived == wire.pushed, "other bytes than were pushed");
}

#[test]
fn only_what_waits_behind_the_first_large_body_is_behind_it() {
    let mut wire = Wire::new();
    wire.play(Step::Copy(100));
    assert_eq!(wire.outbox.len_behind_first(), 100);
    wire.drain();
    wire.play(Step::Share(1_000_000));
    assert_eq!(wire.outbox.len_behind_first(), 0);
    wire.play(Step::Share(500));
    wire.play(Step::Copy(20));
    wire.flush();
    assert!(wire.outbox.len() < 1_000_520, "something is written");
    assert_eq!(wire.outbox.len_behind_first(), 520);
}

#[test]
fn a_shared_body_is_not_copied() {
    let mut outbox = Outbox::default();
    let body = Bytes::from(vec![b'x'; 100_000]);
    outbox.push_large(body.clone());
    assert_eq!(outbox.large[0].as_ptr(), body.as_ptr());
}

#[test]
fn spare_buffers_are_lent_again_and_large_ones_freed() {
    let mut spare = SpareBuffers::default();
    let mut buffer = spare.take();
    buffer.extend_from_slice(b"old");
    let place = buffer.as_ptr();
    spare.give(buffer);
    let again = spare.take();
    assert_eq!((again.as_ptr(), again.len()), (place, 0));

    spare.give(Vec::new());
    spare.give(Vec::with_capacity(KEEP_CAPACITY + 1));
    assert!(spare.buffers.is_empty());
    for _ in 0..KEEP_BUFFERS + 10 {
        spare.give(Vec::with_capacity(10));
    }
    assert_eq!(spare.buffers.len(), KEEP_BUFFERS);
}

#[test]
fn a_socket_that_is_closed_is_an_error_not_a_wait() {
    let mut wire = Wire::new();
    let (other, _) = StdStream::pair().expect("a socket pair");
    drop(std::mem::replace(&mut wire.reader, other));
    wire.push(Step::Copy(10));
    let flushed = wire.outbox.flush(&mut wire.socket, &mut wire.spare);
    assert_eq!(flushed.expect_err("nobody is there").kind(), ErrorKind::BrokenPipe);
}

/// An outbox, a socket with a small buffer, and who reads at its other end.
struct Wire {
    runtime: Runtime,
    socket: Socket,
    reader: StdStream,
    outbox: Outbox,
    spare: SpareBuffers,
    pushed: Vec<u8>,
    arrived: Vec<u8>,
    /// Where in the pattern the next bytes begin.
    next: usize,
}

/// Repeats itself only after a prime number of bytes.
static PATTERN: [u8; 8_191] = {
    let mut pattern = [0; 8_191];
    let mut at = 0;
    while at < pattern.len() {
        pattern[at] = ((at * at) >> 3) as u8;
        at += 1;
    }
    pattern
};

impl Wire {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        let (ours, reader) = StdStream::pair().expect("a socket pair");
        socket2::SockRef::from(&ours).set_send_buffer_size(8 * 1024).expect("a smaller buffer");
        ours.set_nonblocking(true).expect("a socket");
        reader.set_nonblocking(true).expect("a socket");
        let socket = {
            let _inside = runtime.enter();
            Socket::Unix(UnixStream::from_std(ours).expect("a stream"))
        };
        let mut wire = Self {
            runtime,
            socket,
            reader,
            outbox: Outbox::default(),
            spare: SpareBuffers::default(),
            pushed: Vec::new(),
            arrived: Vec::new(),
            next: 0,
        };
        wire.wait_for_room();
        wire
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Flush => drop(self.flush()),
            Step::Read(count) => self.read(count),
            push => self.push(push),
        }
    }

    fn push(&mut self, step: Step) {
        let (Step::Copy(count) | Step::Compose(count) | Step::Share(count)) = step else { return };
        let bytes = self.fresh(count);
        self.pushed.extend_from_slice(&bytes);
        match step {
            Step::Copy(_) => self.outbox.extend(&bytes, &mut self.spare),
            Step::Compose(_) => {
                self.outbox.write_with(&mut self.spare, |out| out.extend_from_slice(&bytes));
            }
            _ => self.outbox.push_large(bytes.into()),
        }
    }

    /// Bytes unlike those before them, so that a lost or doubled piece shows.
    fn fresh(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + PATTERN.len());
        bytes.extend_from_slice(&PATTERN[self.next % PATTERN.len()..]);
        while bytes.len() < count {
            bytes.extend_from_slice(&PATTERN);
        }
        bytes.truncate(count);
        self.next += count;
        bytes
    }

    fn flush(&mut self) -> bool {
        let flushed =
            self.outbox.flush(&mut self.socket, &mut self.spare).expect("the peer is there");
        assert_eq!(flushed, self.outbox.is_empty());
        flushed
    }

    fn read(&mut self, most: usize) {
        let mut buffer = [0; 64 * 1024];
        let mut left = most;
        while left > 0 {
            let room = left.min(buffer.len());
            match self.reader.read(&mut buffer[..room]) {
                Ok(count) => {
                    self.arrived.extend_from_slice(&buffer[..count]);
                    left -= count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.turn();
    }

    /// Bytes that the kernel took.
    fn taken(&mut self) -> usize {
        let at_reader = rustix::io::ioctl_fionread(&self.reader).expect("a socket") as usize;
        self.arrived.len() + at_reader
    }

    fn drain(&mut self) {
        while !self.flush() {
            self.read(usize::MAX);
            self.wait_for_room();
        }
        self.read(usize::MAX);
    }

    fn wait_for_room(&mut self) {
        let ready = std::future::poll_fn(|cx| self.socket.poll_write_ready(cx));
        self.runtime.block_on(ready).expect("the peer is there");
    }

    /// Lets the runtime hear what the kernel has to say.
    fn turn(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }
}

#[test]
fn spare_buffers_that_nobody_takes_are_freed() {
    let mut spare = SpareBuffers::default();
    (0..100).for_each(|_| spare.give(Vec::with_capacity(KEEP_CAPACITY)));
    spare.give(Vec::with_capacity(1));
    spare.thin_out();
    assert_eq!(spare.buffers.len(), 50);
    assert_eq!(spare.take().capacity(), 1, "the last that came stays");
    (0..8).for_each(|_| spare.thin_out());
    assert!(spare.buffers.is_empty());
}
