//! The command table against a running redis-server: what it says of commands, where it finds
//! keys, which errors it gives and how COMMAND replies, all as the server has it.

// clippy.toml lets tests unwrap; the functions around them are tests as well.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use circlet::command::{
    self, CommandError, Handling, KeyPositions, Keys, Local, Spec, answer, keys, reference, resolve,
};
use circlet::resp::{Protocol, Request, Span, Writer};

#[path = "command_table/frame.rs"]
mod frame;
#[path = "command_table/server.rs"]
mod server;

use frame::Frame;
use server::{Connection, Server};

/// The words of `line` as arguments.
fn args(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Calls `with` with the arguments as a request.
fn request<T>(args: &[Vec<u8>], with: impl FnOnce(&Request<'_>) -> T) -> T {
    let mut bytes = Vec::new();
    let mut spans = Vec::new();
    for arg in args {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(arg);
        spans.push(Span { start, end: bytes.len() as u32 });
    }
    with(&Request::new(&bytes, &spans))
}

/// What circlet replies to `args`, by way of [`resolve`].
fn ours(args: &[Vec<u8>], protocol: Protocol) -> Frame {
    let mut out = Vec::new();
    request(args, |request| match resolve(request) {
        Err(error) => error.append(request, &mut out),
        Ok(Spec { handling: Handling::Local(local), .. }) => {
            assert!(answer::reply(*local, request, &mut Writer::new(&mut out, protocol)));
        }
        Ok(spec) => panic!("{} is not answered here", spec.name),
    });
    Frame::read(&mut &out[..])
}

/// The server's commands and subcommands.
fn names(connection: &mut Connection) -> BTreeSet<String> {
    let list = connection.frame(&args("COMMAND LIST"));
    list.elements().iter().map(|name| name.text().to_owned()).collect()
}

fn words(name: &str) -> Vec<Vec<u8>> {
    name.split('|').map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn every_command_of_the_server_is_in_the_table_as_the_server_has_it() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut connection = server.connect(protocol);
        let known = names(&mut connection);
        assert!(known.len() >= 366, "redis-server 7.0 has 366, this has {}", known.len());
        for name in &known {
            for question in ["INFO", "DOCS"] {
                let question = args(&format!("COMMAND {question} {name}"));
                let theirs = connection.frame(&question).sorted(&known);
                let ours = ours(&question, protocol).sorted(&known);
                assert_eq!(ours, theirs, "{name} {protocol:?}");
            }
        }
    }
}

#[test]
fn all_commands_at_once_are_what_they_are_one_by_one() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let known = names(&mut server.connect(protocol));
        for question in ["COMMAND", "COMMAND INFO"] {
            let theirs = server.connect(protocol).frame(&args(question)).sorted(&known);
            let ours = ours(&args(question), protocol).sorted(&known);
            let mut theirs = theirs.elements().to_vec();
            let mut ours = ours.elements().to_vec();
            ours.retain(|frame| known.contains(frame.elements()[0].text()));
            theirs.sort();
            ours.sort();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(ours, theirs);
            }
        }
        let theirs = server.connect(protocol).frame(&args("COMMAND DOCS")).sorted(&known);
        let ours = ours(&args("COMMAND DOCS"), protocol).sorted(&known);
        let entry = |pair: &[Frame]| (pair[0].clone(), pair[1].clone());
        let theirs: BTreeSet<_> = theirs.elements().chunks(2).map(entry).collect();
        let ours: BTreeSet<_> = ours.elements().chunks(2).map(entry).collect();
        assert_eq!(theirs.difference(&ours).next(), None);
    }
}

#[test]
fn command_and_its_subcommands_reply_as_the_server_does() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut connection = server.connect(protocol);
        for question in [
            "COMMAND INFO nosuch get client|nosuch GET",
            "COMMAND DOCS nosuch",
            "COMMAND DOCS nosuch get SLOWLOG|GET get",
            "COMMAND HELP",
            "COMMAND HELP x",
            "COMMAND COUNT x",
            "COMMAND NOSUCH",
            "COMMAND LIST x",
            "COMMAND LIST FILTERBY x y",
            "COMMAND LIST FILTERBY ACLCAT",
            "COMMAND LIST FILTERBY ACLCAT nosuch",
            "COMMAND LIST FILTERBY MODULE nosuch",
            "COMMAND LIST FILTERBY PATTERN GE?",
            "COMMAND GETKEYS",
            "COMMAND GETKEYS nosuch a",
            "COMMAND GETKEYS object nosuch a",
            "COMMAND GETKEYS ping a",
            "COMMAND GETKEYS spublish a b",
            "COMMAND GETKEYS get a b",
            "PING",
            "PING hello",
            "PING hello world",
            "ECHO hello",
        ] {
            let question = args(question);
            assert_eq!(ours(&question, protocol), connection.frame(&question), "{question:?}");
        }
        for filter in ["PATTERN xgr*", "PATTERN *[gG]et", "PATTERN z[^r]*", "ACLCAT GEO"] {
            let question = args(&format!("COMMAND LIST FILTERBY {filter}"));
            let known = names(&mut connection);
            let sorted = |frame: Frame| -> BTreeSet<_> {
                frame.elements().iter().map(|name| name.text().to_owned()).collect()
            };
            let ours = sorted(ours(&question, protocol));
            let theirs = sorted(connection.frame(&question));
            assert_eq!(ours.intersection(&known).cloned().collect::<BTreeSet<_>>(), theirs);
        }
    }
}

#[test]
fn keys_are_where_the_server_finds_them() {
    let server = Server::start();
    let mut connection = server.connect(Protocol::Resp3);
    let known = names(&mut connection);
    let mut sampled = BTreeSet::new();
    for spec in command::table::all().filter(|spec| known.contains(spec.name)) {
        let least = spec.arity.unsigned_abs() as usize;
        for extra in 0..if spec.arity < 0 { 5 } else { 1 } {
            let mut sample = words(spec.name);
            sample.extend((sample.len()..least + extra).map(|at| format!("k{at}").into_bytes()));
            if same_keys(&mut connection, &sample) {
                sampled.insert(spec.name);
            }
        }
    }
    for sample in KEY_SAMPLES {
        if same_keys(&mut connection, &args(sample)) {
            let first = sample.split(' ').next().unwrap().to_lowercase();
            sampled.extend(command::lookup(first.as_bytes()).map(|spec| spec.name));
        }
    }
    let keyed = command::table::all().filter(|spec| spec.keys != Keys::None);
    let keyed: BTreeSet<_> =
        keyed.map(|spec| spec.name).filter(|name| known.contains(*name)).collect();
    assert_eq!(keyed.difference(&sampled).next(), None, "a keyed command without a sample");
}

/// Compares the keys of `sample` with the server's; whether there were any.
fn same_keys(connection: &mut Connection, sample: &[Vec<u8>]) -> bool {
    let mut question = args("COMMAND GETKEYSANDFLAGS");
    question.extend_from_slice(sample);
    let theirs = connection.frame(&question);
    assert_eq!(ours(&question, Protocol::Resp3), theirs, "{}", shown(sample));
    let Frame::Node(_, keys) = theirs else { return false };
    let mut positions = KeyPositions::new();
    let found = request(sample, |request| {
        resolve(request).map(|spec| keys::find(spec, request, &mut positions))
    });
    if matches!(found, Ok(Ok(()))) {
        let ours: Vec<_> = positions.iter().map(|&at| sample[at as usize].clone()).collect();
        let theirs: Vec<_> =
            keys.iter().map(|key| key.elements()[0].text().as_bytes().to_vec()).collect();
        assert_eq!(ours, theirs, "{}", shown(sample));
    }
    !keys.is_empty()
}

fn shown(sample: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&sample.join(&b' ')).into_owned()
}

const KEY_SAMPLES: &[&str] = &[
    "eval script 2 a b c",
    "eval script 0 c",
    "eval script 3 a b c",
    "eval script 4 a b c",
    "eval script x a",
    "eval_ro script 1 a b",
    "evalsha sha 1 a",
    "evalsha_ro sha 1 a",
    "fcall f 1 a x",
    "fcall_ro f 2 a b",
    "fcall f -1 a",
    "zunion 2 a b weights 1 2",
    "zinter 2 a b",
    "zdiff 1 a",
    "zunion 0 a",
    "zunion 3 a b",
    "zunionstore d 2 a b",
    "zinterstore d 1 a aggregate max",
    "zdiffstore d 2 a b",
    "zunionstore d 0 a",
    "zunionstore d 9 a",
    "zintercard 2 a b limit 1",
    "sintercard 2 a b limit 1",
    "lmpop 2 a b left",
    "lmpop 0 a left",
    "blmpop 0 2 a b right count 3",
    "zmpop 1 a min",
    "bzmpop 0 1 a max",
    "xread streams a b 0 0",
    "XREAD COUNT 2 BLOCK 0 STREAMS a 0",
    "xread count 2 block a b",
    "xread count 2 streams",
    "xreadgroup group g c streams a b 0 0",
    "xreadgroup group streams c count 1 noack streams a 0",
    "sort a",
    "sort a by w_* get # get o_* limit 0 5 desc alpha store d",
    "sort a store b store d",
    "sort a get store by x",
    "sort a limit store 1 store d",
    "sort a store",
    "sort_ro a by w_* get store",
    "georadius a 1 2 3 km store d",
    "georadius a 1 2 3 km STOREDIST d store e",
    "georadius a 1 2 3 km withcoord",
    "georadius a 1 2 3 km store",
    "georadiusbymember a m 3 km store d",
    "georadiusbymember store m 3 km asc",
    "migrate host 1 a 0 5",
    "migrate host 1 a 0 5 keys b",
    "set a b",
    "set a b EX 5 GET",
    "set a get",
    "bitfield a",
    "bitfield a get u8 0",
    "bitfield a overflow wrap get u8 0",
    "bitfield a get u8 0 set u8 0 1",
    "bitfield a get u8",
    "bitop and d a b",
    "mset a 1 b 2",
    "mset a 1 b",
    "lcs a b len",
    "memory usage a samples 5",
    "object freq a",
    "xinfo stream a full",
    "xgroup create a g $ mkstream",
];

#[test]
fn migrate_with_an_empty_key_means_those_after_keys() {
    let server = Server::start();
    let mut connection = server.connect(Protocol::Resp3);
    let mut sample = args("migrate host 1 - 0 5 auth2 keys keys copy KEYS a b keys");
    sample[3].clear();
    assert!(same_keys(&mut connection, &sample));
    sample.truncate(10);
    same_keys(&mut connection, &sample);
}

#[test]
fn commands_whose_keys_cannot_be_told_get_the_servers_error() {
    let server = Server::start();
    let mut connection = server.connect(Protocol::Resp2);
    let sha = connection.line(&[b"SCRIPT".into(), b"LOAD".into(), b"return 1".into()]);
    assert_eq!(sha.len(), 41);
    let library = b"#!lua name=l\nredis.register_function{function_name='f', \
                    callback=function() return 1 end, flags={'no-writes'}}";
    connection.line(&[b"FUNCTION".into(), b"LOAD".into(), library.to_vec()]);
    for prefix in [
        "EVAL return",
        "EVAL_RO return",
        "EVALSHA ffffffffffffffffffffffffffffffffffffffff",
        "EVALSHA_RO ffffffffffffffffffffffffffffffffffffffff",
        "FCALL f",
        "FCALL_RO f",
        "ZUNION",
        "ZINTER",
        "ZDIFF",
        "ZUNIONSTORE d",
        "ZINTERSTORE d",
        "ZDIFFSTORE d",
        "ZINTERCARD",
        "SINTERCARD",
        "LMPOP",
        "ZMPOP",
        "BLMPOP 0",
        "BZMPOP 0",
    ] {
        for count in ["x", "-1", "0", "9", "01", "+1", "1.0", "", "99999999999999999999"]
            .into_iter()
            .chain(["9223372036854775807", "-9223372036854775808", "4294967297"])
        {
            let command = format!("{prefix} {count} a LEFT");
            let may_be_none = prefix.starts_with("EVAL") || prefix.starts_with("FCALL");
            let expected = !(may_be_none && count == "0");
            assert_eq!(same_error(&mut connection, &command), expected, "{command}");
        }
    }
    for command in [
        "XREAD COUNT 1 a 0",
        "XREAD COUNT 1 STREAMS",
        "XREAD STREAMS a b 0",
        "XREADGROUP GROUP g c STREAMS a b 0",
        "XREADGROUP GROUP g c a b 0",
        "MSET a 1 b",
        "MSETNX a 1 b",
    ] {
        assert!(same_error(&mut connection, command), "{command}");
    }
}

/// Whether circlet refuses the command for its keys; if so, the server's error must be the same.
fn same_error(connection: &mut Connection, command: &str) -> bool {
    let command = args(command);
    let error = request(&command, |request| {
        let spec = resolve(request).unwrap();
        keys::find(spec, request, &mut KeyPositions::new()).err()
    });
    let Some(error) = error else { return false };
    let theirs = connection.line(&command);
    assert_eq!(format!("-{error}").as_bytes(), theirs, "{}", shown(&command));
    true
}

#[test]
fn unknown_commands_and_wrong_arities_get_the_servers_words() {
    let server = Server::start();
    let mut connection = server.connect(Protocol::Resp2);
    let mut commands = vec![
        args("foo"),
        args("foo bar"),
        args("foo "),
        args(""),
        args("client"),
        args("CLIENT SetName"),
        args("client nosuch"),
        args("cLient x"),
        args("client "),
        args("client|id"),
        args("command|count"),
        args("xgroup create a"),
        args("get"),
        args("GET a b"),
        args("mget"),
        args("set a"),
        args("object freq"),
        args("config"),
        args("COMMAND COUNT x"),
        // The server compares names up to a NUL, within a bucket of its seeded hash table: it now and
        // then takes "id\0" for ID. What no command is called it never takes for one.
        vec![b"foo\0get".to_vec(), b"a".to_vec()],
        vec![b"client".to_vec(), b"foo\0id".to_vec()],
        vec![b"client".to_vec(), b"a\r\nb\xff".to_vec()],
        vec![b"x".repeat(200), b"y".repeat(200), b"z".to_vec()],
        vec![b"foo".to_vec(), vec![0; 300], b"a".to_vec()],
    ];
    commands.extend(
        (118..=130).map(|length| vec![b"foo".to_vec(), b"y".repeat(length), b"zz".to_vec()]),
    );
    let mut random = fastrand::Rng::with_seed(7);
    let mut odd = |most: usize| -> Vec<u8> {
        let length = random.usize(..most);
        (0..length).map(|_| b"a'\"\0\r\n\xff %s\\\x80"[random.usize(..12)]).collect()
    };
    for _ in 0..300 {
        let mut command = vec![[&b"q"[..], &odd(140)].concat()];
        (0..command[0].len() % 7).for_each(|at| command.push(odd(4 << at)));
        commands.push(command);
        commands.push(vec![b"Config".to_vec(), [&b"q"[..], &odd(140)].concat()]);
    }
    for command in commands {
        let mut ours = Vec::new();
        request(&command, |request| {
            resolve(request).expect_err("no such command").append(request, &mut ours);
        });
        let theirs = [&connection.line(&command)[..], b"\r\n"].concat();
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        assert_eq!(ours, theirs);
    }
}

#[test]
fn redis_cli_shows_help_from_our_docs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    let mut cli = Command::new("redis-cli")
        .args(["-p", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli is installed");
    cli.stdin.take().unwrap().write_all(b"help hexpire\nhelp client setinfo\n").unwrap();
    let shown = String::from_utf8(cli.wait_with_output().unwrap().stdout).unwrap();
    for words in ["Set the time to live of hash fields, in seconds", "9.0.0", "hash"] {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }
    assert!(shown.contains("Say what client library is connected"), "{shown}");
}

/// Answers COMMAND as circlet does.
fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    while !reader.fill_buf().unwrap_or_default().is_empty() {
        let command = Frame::read(&mut reader);
        let words: Vec<_> =
            command.elements().iter().map(|word| word.text().as_bytes().to_vec()).collect();
        let mut out = Vec::new();
        request(&words, |request| match resolve(request).unwrap().handling {
            Handling::Local(local) => {
                assert!(answer::reply(local, request, &mut Writer::new(&mut out, Protocol::Resp2)));
            }
            handling => panic!("redis-cli asks for {handling:?}"),
        });
        reader.get_mut().write_all(&out).unwrap();
    }
}

#[test]
fn every_command_has_its_docs() {
    let docs = ours(&args("COMMAND DOCS"), Protocol::Resp2);
    assert_eq!(docs.elements().len(), 2 * command::table::commands().len());
    for entry in docs.elements().chunks(2) {
        assert!(!entry[1].elements()[1].text().is_empty(), "{:?} has no summary", entry[0]);
    }
}

#[test]
fn xread_waits_only_with_block_among_its_options() {
    for (command, expected) in [
        ("xread streams block 0", false),
        ("xread block 0 streams a 0", true),
        ("xread COUNT 1 BLOCK 0 streams a 0", true),
        ("xread count block streams a 0", false),
        ("xreadgroup group block block count 1 streams a >", false),
        ("xreadgroup group g c noack block 5 streams a >", true),
    ] {
        assert_eq!(request(&args(command), keys::blocks), expected, "{command}");
    }
}

#[test]
fn sort_tells_the_patterns_of_keys_it_reads() {
    for (command, expected) in [
        ("sort a", &[][..]),
        ("sort a by nosort get #", &[]),
        ("sort a BY w_* get # get o_*->f limit 0 1 store by", &[3, 7]),
        ("sort a limit by x* get y*", &[6]),
        ("sort a by", &[]),
    ] {
        assert_eq!(&request(&args(command), keys::patterns)[..], expected, "{command}");
    }
}

#[test]
fn every_handling_fits_its_command() {
    for spec in command::table::all().filter(|spec| spec.subcommands.is_empty()) {
        let has_keys = spec.keys != Keys::None;
        match spec.handling {
            Handling::Keyed | Handling::KeyedUnlessBlocking | Handling::Sort | Handling::Split => {
                assert!(has_keys, "{} has no keys to go by", spec.name);
            }
            Handling::FanOut
            | Handling::Gather(_)
            | Handling::AnyShard
            | Handling::Local(_)
            | Handling::Scan => {
                assert!(!has_keys, "{} has keys", spec.name);
            }
            Handling::Refused(reason) => assert!(reason.len() > 20, "{}: {reason}", spec.name),
            Handling::Script(_)
            | Handling::Transaction
            | Handling::Blocking
            | Handling::Subscription => {}
        }
        if spec.handling == Handling::FanOut {
            assert_ne!(spec.response_policy, command::ResponsePolicy::Default, "{}", spec.name);
        }
        if spec.handling == Handling::Keyed {
            let waits = spec.flags.contains(command::Flags::BLOCKING);
            assert!(!waits, "{} may hold up the shard's link", spec.name);
        }
    }
}

#[test]
fn the_page_of_commands_is_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    if std::env::var_os("CIRCLET_WRITE_DOCS").is_some() {
        std::fs::write(path, reference::markdown()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(page == reference::markdown(), "write it anew: see the page's head");
}

#[test]
fn sessions_answer_what_needs_a_session() {
    let mut out = Vec::new();
    let told = request(&args("client id"), |request| {
        answer::reply(Local::ClientId, request, &mut Writer::new(&mut out, Protocol::Resp2))
    });
    assert!(!told && out.is_empty());
}

#[test]
fn a_wrong_arity_names_its_command() {
    let error = request(&args("client setname"), |request| resolve(request).unwrap_err());
    assert!(matches!(error, CommandError::WrongArity(spec) if spec.name == "client|setname"));
}
