//! Bytes that are another protocol's, or nearly ours.

use super::protocol::says;
use crate::harness::{Circlet, Reply, Shard, encode};

#[test]
fn a_tls_handshake_to_a_plain_port_is_told_so_at_once() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    // The beginning of a ClientHello: without a line end among its bytes Redis would wait.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03randomrandomrandom";
    let said = b"-ERR Protocol error: this is TLS, which is spoken at `tls_listen`\r\n";
    for cut in [1, 2, 5, hello.len()] {
        let mut client = proxy.client();
        client.send(&hello[..cut]);
        std::thread::sleep(std::time::Duration::from_millis(5));
        // It may have had enough before the rest comes.
        let _ = client.try_send(&hello[cut..]);
        let heard = client.read_to_close();
        assert!(heard.is_empty() && cut < 5 || heard == said, "{}", heard.escape_ascii());
    }
    proxy.expect_log("this is TLS, which is spoken at `tls_listen`");
}

#[test]
fn line_ends_and_zeros_mean_what_they_mean_to_redis() {
    let (shard, redis) = (Shard::start(), Shard::start());
    let proxy = Circlet::over(&[&shard]);
    let lines: [&[u8]; 14] = [
        b"PING\n",
        b"PING\r\r\n",
        b"\r\r\nPING\r\n",
        b"PING\n\rPING\n",
        b"\n\n\r\n\r\nPING\n",
        b"SET k \"a\\r\\nb\"\r\nGET k\r\n",
        b"*1\r\n$4\r\nPING\r\n\r\n*1\r\n$4\r\nPING\r\n",
        b"*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n",
        b"*2\r\n$4\r\nECHO\r\n$6\r\n*1\r\n$4\r\n",
        b"*2\r\n$4\r\nECHO\r\n$3\r\n\0\0\0\r\n",
        b"*3\r\n$3\r\nSET\r\n$2\r\n\0\r\r\n$2\r\n\n\0\r\n*2\r\n$3\r\nGET\r\n$2\r\n\0\r\r\n",
        b"*1\r\n$0\r\n\r\nPING\r\n",
        b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    ];
    for line in lines {
        let (expected, got) = (says(redis.address(), line), says(&proxy.address(), line));
        assert_eq!(got, expected, "to \"{}\"", line.escape_ascii());
    }
}

/// Every cut, so that no state between two bytes goes untried.
#[test]
fn bytes_that_come_one_by_one_mean_the_same() {
    let shards = Shard::several(2);
    let proxy = Circlet::over(&[&shards[0], &shards[1]]);
    let commands = [
        &encode(&["MSET", "a", "1", "b", "2", "c", "3"])[..],
        b"GET a\r\n\r\n",
        &encode(&["MGET", "a", "b", "c"]),
        b"SET d \"x y\"\n",
        &encode(&["MULTI"]),
        &encode(&["INCR", "a"]),
        &encode(&["EXEC"]),
        &encode(&["ECHO", &"e".repeat(300)]),
        b"*0\r\nNOSUCH\r\n",
        &encode(&["DEL", "a", "b", "c", "d"]),
    ]
    .concat();
    let mut whole = proxy.client();
    whole.send(&commands);
    whole.close_writing();
    let expected = whole.read_to_close();
    let mut drop_by_drop = proxy.client();
    for byte in &commands {
        drop_by_drop.send(std::slice::from_ref(byte));
    }
    drop_by_drop.close_writing();
    assert_eq!(drop_by_drop.read_to_close(), expected);
}

#[test]
fn what_a_proxy_says_of_others_is_not_believed_unasked() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let said = "-ERR PROXY protocol header refused: proxy_protocol_from of this pool does not name \
                your address\\r\\n";
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"[..],
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02",
    ] {
        let sent = [header, b"SET stolen yes\r\n"].concat();
        assert_eq!(says(&proxy.address(), &sent), said, "{}", header.escape_ascii());
    }
    assert_eq!(proxy.client().command(&["EXISTS", "stolen"]), Reply::Integer(0));
}
