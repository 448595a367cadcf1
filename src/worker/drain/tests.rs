//! The moments in which a session may be closed, held still: what a test with processes meets only by
//! chance.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::sleep;

use super::Times;
use crate::socket::Socket;
use crate::worker::deadlines::tests::worker;
use crate::worker::{Worker, flush};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
const REPLY: &[u8] = b"$1\r\nv\r\n";

/// A worker, its shard, and a client of it that has read a reply.
async fn scene() -> (Rc<RefCell<Worker>>, TcpListener, TcpStream) {
    let shard = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let worker = worker(shard.local_addr().unwrap().port());
    tokio::task::spawn_local(flush::run(Rc::clone(&worker)));
    let door = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut client = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
    let (socket, _) = door.accept().await.unwrap();
    worker.borrow_mut().add_session(Socket::Tcp(socket), None, 0, 1);
    client.write_all(PING).await.unwrap();
    expect(&mut client, PONG).await;
    (worker, shard, client)
}

async fn expect(client: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(read, bytes);
}

/// A drain in which a session is closed after so much silence.
fn times(silence: Duration) -> Times {
    Times { silence, ..Times::of(Duration::from_secs(60)) }
}

fn run(story: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build_local(LocalOptions::default()).unwrap().block_on(story);
}

#[test]
fn who_has_said_something_unread_is_not_closed() {
    run(async {
        let (worker, _shard, mut client) = scene().await;
        // There is no await before the look: nobody can have read it.
        client.try_write(PING).unwrap();
        let times = times(Duration::ZERO);
        assert_eq!(worker.borrow_mut().sweep_leaving(None, times, 9), 1);
        assert!(worker.borrow().sessions[0].socket.is_some());
        expect(&mut client, PONG).await;
        worker.borrow_mut().sweep_leaving(None, times, 9);
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn what_comes_too_late_does_not_take_the_last_reply_along() {
    run(async {
        let (worker, _shard, mut client) = scene().await;
        client.try_write(PING).unwrap();
        {
            let worker = &mut *worker.borrow_mut();
            worker.say(0, |writer| writer.simple("LAST"));
            worker.leave(0);
        }
        expect(&mut client, b"+LAST\r\n").await;
    });
}

#[test]
fn the_end_comes_with_the_last_reply_but_to_who_does_not_wait_for_replies() {
    run(async {
        for overlaps in [false, true] {
            let (worker, shard, mut client) = scene().await;
            worker.borrow_mut().sweep_leaving(None, times(Duration::from_millis(5)), 9);
            sleep(Duration::from_millis(10)).await;
            let count = if overlaps { 2 } else { 1 };
            client.write_all(&GET.repeat(count)).await.unwrap();
            let (mut link, _) = shard.accept().await.unwrap();
            let mut requests = vec![0; GET.len() * count];
            link.read_exact(&mut requests).await.unwrap();
            link.write_all(&REPLY.repeat(count)).await.unwrap();
            expect(&mut client, &REPLY.repeat(count)).await;
            let mut more = [0; 1];
            match overlaps {
                // It is there already, in the packet of the reply.
                false => assert_eq!(client.try_read(&mut more).unwrap(), 0),
                true => {
                    let began = Instant::now();
                    client.write_all(PING).await.unwrap();
                    expect(&mut client, PONG).await;
                    assert!(began.elapsed() < Duration::from_secs(30));
                }
            }
        }
    });
}
