//! Every type of RESP3, nested, oversized, streamed or in the wrong place: on links of sessions
//! that speak RESP3, and of sessions that do not.

use super::fleet::{Fleet, bad, expect_error, keys};
use crate::harness::{Client, FakeConnection, Reply, encode, honest};

/// What the fake says to a greeting or a heartbeat, and to `GET`s nothing.
fn greeted(command: &[Vec<u8>]) -> Option<Vec<u8>> {
    match &command[0].to_ascii_uppercase()[..] {
        b"HELLO" => Some(b"%1\r\n+proto\r\n:3\r\n".to_vec()),
        b"GET" => None,
        _ => Some(honest(command)),
    }
}

/// Answers greetings until the first command of a client has come.
fn until_asked(link: &mut FakeConnection, first: Vec<Vec<u8>>) {
    let mut command = Some(first);
    while let Some(answer) = command.as_ref().and_then(|command| greeted(command)) {
        link.send(answer);
        command = link.read_command();
    }
}

/// As [`honest`], to links of both versions.
fn serve_honestly(link: &mut FakeConnection) {
    link.serve(|command| greeted(command).unwrap_or_else(|| honest(command)));
}

fn client(fleet: &Fleet, protocol: &str) -> Client {
    let mut client = fleet.circlet.client();
    assert!(client.command(&["HELLO", protocol]).error().is_none());
    client
}

/// One link gets each answer; what the client reads is an error with `why` in it, and nobody else
/// reads anything that is not their own.
#[track_caller]
fn fails(answers: &[(&[u8], &str)]) {
    for (answer, why) in answers {
        for protocol in ["2", "3"] {
            let bytes = answer.to_vec();
            let fake = bad(1, move |mut link, first| {
                until_asked(&mut link, first);
                link.send(&bytes);
                link.keep_silent();
            });
            let fleet = Fleet::over(&fake, "");
            let mut other = fleet.circlet.client();
            let before = fleet.circlet.memory();
            let mut client = client(&fleet, protocol);
            let commands = [["GET", &keys().bad], ["GET", &keys().one], ["GET", &keys().bad2]];
            client.send(&commands.concat_encoded());
            let shown = answer[..answer.len().min(40)].escape_ascii().to_string();
            for (index, reply) in (0..3).map(|_| client.read_reply()).enumerate() {
                match index {
                    1 => assert_eq!(reply, Reply::Nil, "{shown}"),
                    _ => expect_error(&reply, &["ERR Invalid argument", why]),
                }
            }
            assert_eq!(other.command(&["ECHO", "mine"]), Reply::bulk("mine"), "{shown}");
            let grown = fleet.circlet.memory().saturating_sub(before);
            assert!(grown < 8 << 20, "{grown} bytes for \"{shown}\"");
        }
    }
}

trait Encoded {
    fn concat_encoded(&self) -> Vec<u8>;
}

impl Encoded for [[&str; 2]; 3] {
    fn concat_encoded(&self) -> Vec<u8> {
        self.iter().flat_map(|command| encode(command)).collect()
    }
}

#[test]
fn nested_too_deeply_whatever_the_type() {
    let deep = |opening: &str| opening.repeat(50_000).into_bytes();
    let all: Vec<Vec<u8>> =
        ["*1\r\n", "~1\r\n", "%1\r\n", "%1\r\n+k\r\n", ">1\r\n", "*?\r\n", "%?\r\n+k\r\n"]
            .map(deep)
            .to_vec();
    let why = "deeper than 8192 levels";
    fails(&all.iter().map(|answer| (&answer[..], why)).collect::<Vec<_>>());
    // Attributes before attributes are no levels of the reply, and yet not endless.
    let mixed = "|1\r\n+a\r\n*1\r\n%1\r\n~1\r\n".repeat(20_000);
    fails(&[(mixed.as_bytes(), why)]);
}

#[test]
fn larger_than_the_memory_whatever_the_type() {
    let why = "larger than 1073741824 bytes";
    fails(&[
        (b"%4611686018427387904\r\n", why),
        (b"~9000000000000000000\r\n", why),
        (b"|4611686018427387904\r\n", why),
        (b">9000000000000000000\r\n", why),
        (b"=9000000000000000000\r\n", why),
        (b"!9000000000000000000\r\n", why),
        (b"$?\r\n;9000000000000000000\r\n", why),
    ]);
}

#[test]
fn no_lengths_and_no_values() {
    let long_number = [b"(", &[b'9'; 70_000][..]].concat();
    fails(&[
        (b"%-1\r\n", "invalid length after '%'"),
        (b"~-5\r\n", "invalid length after '~'"),
        (b"=-1\r\n", "invalid length after '='"),
        (b"*99999999999999999999\r\n", "invalid length after '*'"),
        (b"#x\r\n", "invalid value after '#'"),
        (b"_x\r\n", "invalid value after '_'"),
        (b"(12x\r\n", "invalid value after '('"),
        (b",one\r\n", "invalid value after ','"),
        (&long_number, "longer than 65536 bytes"),
        (b".\r\n", "a streamed aggregate ends where none can end"),
        (b"$?\r\n+x\r\n", "a streamed string cannot go on with byte 0x2b"),
    ]);
}

/// A value in each type, by pieces of one byte, passes as it is and answers its own request.
#[test]
fn good_replies_of_every_type_byte_by_byte_answer_their_own_requests() {
    let replies: [&[u8]; 10] = [
        b"%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n#t\r\n#f\r\n",
        b"~3\r\n$1\r\na\r\n_\r\n,1.5\r\n",
        b"(3492890328409238509324850943850943825024385\r\n",
        b"=8\r\ntxt:text\r\n",
        b"!5\r\nERR x\r\n",
        b",inf\r\n",
        b"#t\r\n",
        b"_\r\n",
        b"*2\r\n*1\r\n%1\r\n+k\r\n*0\r\n$0\r\n\r\n",
        b"|1\r\n+ttl\r\n:3600\r\n$5\r\nvalue\r\n",
    ];
    let stream = replies.concat();
    let fake = bad(1, move |mut link, first| {
        until_asked(&mut link, first);
        for byte in &stream {
            link.send([*byte]);
            std::thread::sleep(std::time::Duration::from_micros(300));
        }
        link.keep_silent();
    });
    let fleet = Fleet::over(&fake, "");
    let mut client = client(&fleet, "3");
    client.send(&encode(&["GET", &keys().bad]).repeat(replies.len()));
    for reply in replies {
        client.expect(reply);
    }
}

/// Nobody asked for them; those who asked for something get it.
#[test]
fn pushes_at_flood_rate_reach_nobody_and_hold_nobody_up() {
    let push: &[u8] = b">2\r\n+invalidate\r\n*1\r\n$3\r\nkey\r\n";
    let fake = bad(1, move |mut link, first| {
        until_asked(&mut link, first);
        let flood = push.repeat(2_000);
        let mut number = 0;
        // A reply each after 60 KB of pushes, until everything was answered.
        while link.send(&flood) && link.send(format!(":{number}\r\n")) {
            number += 1;
            if number == 50 {
                return serve_honestly(&mut link);
            }
        }
    });
    let fleet = Fleet::over(&fake, "");
    let before = fleet.circlet.memory();
    let mut client = client(&fleet, "3");
    client.send(&encode(&["GET", &keys().bad]).repeat(50));
    let mut other = fleet.circlet.client();
    for number in 0..50 {
        assert_eq!(other.command(&["GET", &keys().one]), Reply::Nil);
        assert_eq!(client.read_reply(), Reply::Integer(number));
    }
    let grown = fleet.circlet.memory().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for 3 MB of pushes");
}

/// Greeted, and answered before anything was asked: the link is not trusted.
#[test]
fn a_reply_before_the_first_request_answers_nobody() {
    let fake = bad(1, |mut link, first| {
        // The reply to HELLO, and one to nothing: together, or the request might come in between.
        let greeting = greeted(&first).unwrap_or_default();
        link.send([&greeting[..], b"+EARLY\r\n"].concat());
        while link.read_command().is_some() {
            link.send("+LATE\r\n");
        }
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = client(&fleet, "3");
    expect_error(&client.command(&["GET", &keys().bad]), &["ERR"]);
    fleet.expect_recovery(&mut client);
}

/// To heartbeats as to sessions: sooner or later the one or the other finds it out.
#[test]
fn a_shard_that_says_nothing_to_a_greeting_or_nonsense_to_auth() {
    for answer in ["", "%1\r\n+a\r\n", "*100000000\r\n", "garbage\r\n"] {
        let fake = crate::harness::FakeShard::start(move |mut link| {
            while let Some(command) = link.read_command() {
                let said = if command[0] == b"AUTH" { answer.into() } else { honest(&command) };
                link.send(said);
            }
        });
        let fleet = Fleet::over(&fake, "redis_auth: s\nconnect_timeout: 500");
        let before = fleet.circlet.memory();
        let mut client = fleet.circlet.client();
        assert_eq!(client.command(&["AUTH", "s"]), Reply::ok());
        expect_error(&client.command(&["GET", &keys().bad]), &["ERR "]);
        assert_eq!(client.command(&["ECHO", "mine"]), Reply::bulk("mine"));
        let grown = fleet.circlet.memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes for {answer:?}");
    }
}
