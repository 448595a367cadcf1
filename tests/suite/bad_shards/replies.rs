//! Replies that are well formed but too many, or errors: who gets them.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::fleet::{Fleet, bad, keys};
use crate::harness::{FakeShard, Reply, encode, eventually, honest};

#[test]
fn a_surplus_reply_answers_nobody() {
    let fake = bad(1, |mut link, _| {
        link.send("$1\r\n1\r\n$7\r\nSURPLUS\r\n");
        link.keep_silent();
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    assert_eq!(client.command(&["GET", &keys().bad]), Reply::bulk("1"));
    fleet.expect_recovery(&mut client);
    fleet.circlet.expect_log("a reply that nobody asked for");
}

/// The request waits in circlet, not written yet, when a reply comes that cannot be its own.
#[test]
fn a_surplus_reply_does_not_answer_a_request_that_was_not_sent() {
    let (say, cue) = channel::<()>();
    let (done, said) = channel::<()>();
    let cue = Mutex::new(cue);
    let fake = bad(1, move |mut link, first| {
        link.send(honest(&first));
        if cue.lock().expect("no test panics with it").recv().is_ok() {
            link.send("$7\r\nSURPLUS\r\n");
            done.send(()).expect("the test waits for it");
            link.keep_silent();
        }
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    assert_eq!(client.command(&["GET", &keys().bad]), Reply::Nil);

    // Woken, circlet finds the request first and then the surplus reply.
    fleet.circlet.signal(Signal::STOP);
    eventually("all its threads are stopped", || is_stopped(fleet.circlet.pid()));
    client.send(&encode(&["GET", &keys().bad]));
    say.send(()).expect("the script waits for it");
    said.recv().expect("it was said");
    fleet.circlet.signal(Signal::CONT);
    super::expect_error(&client.read_reply(), &["a reply that nobody asked for"]);
    fleet.expect_recovery(&mut client);
}

fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let mut stats = threads.map(|thread| std::fs::read_to_string(thread.path().join("stat")));
    stats.all(|stat| stat.is_ok_and(|stat| stat.contains(") T ")))
}

#[test]
fn an_error_in_the_middle_is_passed_to_its_own_request() {
    let fake = bad(usize::MAX, |mut link, first| {
        let answer = |command: &[Vec<u8>]| match &command[0][..] {
            b"INCR" => b"-ERR value is not an integer or out of range\r\n".to_vec(),
            b"STRLEN" => b":3\r\n".to_vec(),
            _ => honest(command),
        };
        link.send(answer(&first));
        link.serve(answer);
    });
    let fleet = Fleet::over(&fake, "");
    let key = &keys().bad;
    let commands: Vec<Vec<&str>> = vec![
        vec!["SET", key, "abc"],
        vec!["INCR", key],
        vec!["STRLEN", key],
        vec!["GET", &keys().one],
        vec!["INCR", key],
        vec!["GET", key],
    ];
    let error = Reply::Error("ERR value is not an integer or out of range".into());
    let expected =
        [Reply::ok(), error.clone(), Reply::Integer(3), Reply::Nil, error.clone(), Reply::Nil];
    assert_eq!(fleet.circlet.client().pipeline(&commands), expected);
}

/// What Redis says of itself, and nothing at all.
const ERRORS: [&str; 7] = [
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL.\r\n",
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "-READONLY You can't write against a read only replica.\r\n",
    "-MOVED 3999 127.0.0.1:6381\r\n",
    "-\r\n",
];

/// twemproxy closes its connection to such a shard and says `Invalid argument`.
#[test]
fn errors_of_a_shard_pass_unchanged() {
    let next = Arc::new(Mutex::new(ERRORS.iter().cycle()));
    let opened = Arc::new(Mutex::new(0));
    let count = Arc::clone(&opened);
    let fake = bad(usize::MAX, move |mut link, _| {
        *count.lock().expect("no panic") += 1;
        let error = || *next.lock().expect("no panic").next().expect("endless");
        link.send(error());
        link.serve(|_| error().as_bytes().to_vec());
    });
    let fleet = Fleet::over(&fake, "auto_eject_hosts: true\nserver_failure_limit: 1");
    let mut client = fleet.circlet.client();
    for error in ERRORS {
        client.send(&encode(&["GET", &keys().bad]));
        client.expect(error);
    }
    assert_eq!(client.command(&["GET", &keys().one]), Reply::Nil);
    assert_eq!(*opened.lock().expect("no panic"), 1, "one link was good for all of them");
    assert!(!fleet.circlet.log().contains("ejected"), "{}", fleet.circlet.log());
}

#[test]
fn one_bad_part_is_the_answer_to_a_split_command() {
    let fake = bad(1, |mut link, _| {
        link.send("-OOM command not allowed\r\n*1\r\n$1\r\nx\r\n+OK\r\n");
        link.send("HTTP/1.1\r\n");
        link.keep_silent();
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    let keys = keys();
    let mget = vec!["MGET", &keys.one, &keys.bad, &keys.two];
    client.command(&["SET", &keys.one, "1"]);
    let replies = client.pipeline(&[
        mget.clone(),
        mget.clone(),
        vec!["MSET", &keys.two, "2", &keys.bad, "b"],
        mget.clone(),
        vec!["DEL", &keys.one, &keys.bad],
        vec!["GET", &keys.two],
    ]);
    assert_eq!(replies[0], Reply::Error("OOM command not allowed".into()));
    assert_eq!(replies[1], Reply::Array(vec![Reply::bulk("1"), Reply::bulk("x"), Reply::Nil]));
    assert_eq!(replies[2], Reply::ok());
    super::expect_error(&replies[3], &["ERR Invalid argument"]);
    super::expect_error(&replies[4], &["ERR Invalid argument"]);
    assert_eq!(replies[5], Reply::bulk("2"));
    // Its MGET is honest now, though not as an array.
    let reply = client.command(&mget);
    assert!(reply.error().is_some_and(|text| text.contains("cannot be merged")), "{reply}");
    fleet.expect_recovery(&mut client);
}

/// Redis says so and closes, before it has read anything.
#[test]
fn a_shard_that_is_full() {
    let fake = FakeShard::start(|mut link| {
        link.send("-ERR max number of clients reached\r\n");
    });
    let fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    for _ in 0..20 {
        let replies = client.pipeline(&[vec!["GET", &keys().bad], vec!["GET", &keys().one]]);
        let text = replies[0].error().expect("it serves nobody");
        let (own, ours) = ("ERR max number of clients reached", "shard 'bad' of pool 'pool'");
        assert!(text.contains(own) || text.contains(ours), "{text}");
        assert_eq!(replies[1], Reply::Nil);
        sleep(Duration::from_millis(10));
    }
}
