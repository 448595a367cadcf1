//! EVALSHA finds a script on every shard if any client loaded it through circlet.

use super::{Fleet, INCR, INCR_SHA, is_noscript, load};
use crate::harness::{Client, Reply, encode, eventually};

/// EVALSHA of [`INCR`] on each key, from several connections, so that every worker has its turn.
#[track_caller]
fn runs_everywhere(fleet: &Fleet) {
    let mut clients: Vec<Client> = (0..8).map(|_| fleet.proxy.client()).collect();
    for client in &mut clients {
        for key in &fleet.keys {
            let reply = client.command(&["EVALSHA", INCR_SHA, "1", key]);
            assert!(matches!(reply, Reply::Integer(_)), "{key}: {reply}");
        }
    }
}

#[test]
fn on_a_shard_that_was_restarted_empty() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    assert_eq!(load(&mut client, INCR), INCR_SHA);
    runs_everywhere(&fleet);
    for index in 0..3 {
        fleet.restart(index);
        runs_everywhere(&fleet);
    }
}

#[test]
fn on_a_shard_that_was_out_when_it_was_loaded() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    fleet.shards[1].kill9();
    eventually("the loss is noticed", || {
        client.command(&["GET", &fleet.keys[1]]).error().is_some()
    });
    assert_eq!(load(&mut client, INCR), INCR_SHA);
    let exists = client.command(&["SCRIPT", "EXISTS", INCR_SHA]);
    assert_eq!(exists, Reply::Array(vec![Reply::Integer(1)]));
    fleet.restart(1);
    runs_everywhere(&fleet);
}

#[test]
fn on_a_shard_that_never_saw_the_eval() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    assert_eq!(client.command(&["EVAL", INCR, "1", &fleet.keys[0]]), Reply::Integer(1));
    let exists = client.command(&["SCRIPT", "EXISTS", INCR_SHA]);
    assert_eq!(exists, Reply::Array(vec![Reply::Integer(1)]));
    runs_everywhere(&fleet);
    fleet.restart(2);
    runs_everywhere(&fleet);
    let upper = INCR_SHA.to_uppercase();
    fleet.restart(2);
    assert_eq!(client.command(&["EVALSHA", &upper, "1", &fleet.keys[2]]), Reply::Integer(1));
}

#[test]
fn what_eval_could_not_compile_exists_nowhere() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    assert!(client.command(&["EVAL", "nonsense(", "0"]).error().is_some());
    let sha = "8b7f9e1a42b5a1e7f28bb4a2ee72d1da5ba3a2ae";
    for sha in [sha, &sha1("nonsense(")] {
        let exists = client.command(&["SCRIPT", "EXISTS", sha]);
        assert_eq!(exists, Reply::Array(vec![Reply::Integer(0)]));
        assert!(is_noscript(&client.command(&["EVALSHA", sha, "1", &fleet.keys[1]])));
    }
}

fn sha1(text: &str) -> String {
    let sum = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$1\" | sha1sum", "sh", text])
        .output();
    let digits = sum.expect("sha1sum is part of coreutils").stdout;
    String::from_utf8_lossy(&digits[..40]).into_owned()
}

#[test]
fn without_keys_as_well() {
    let fleet = Fleet::start("auto_eject_hosts: true\nserver_retry_timeout: 300");
    let mut client = fleet.proxy.client();
    let sha = load(&mut client, "return ARGV[1]");
    assert_eq!(client.command(&["EVALSHA", &sha, "0", "x"]), Reply::bulk("x"));
    fleet.shards[0].kill9();
    eventually("another shard runs it", || {
        client.command(&["EVALSHA", &sha, "0", "x"]) == Reply::bulk("x")
    });
}

#[test]
fn in_order_with_what_is_around_it_in_a_pipeline() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    load(&mut client, INCR);
    for index in [0, 1, 2] {
        fleet.restart(index);
    }
    let mut client = fleet.proxy.client();
    let mut bytes = Vec::new();
    for _ in 0..20 {
        for key in &fleet.keys {
            bytes.extend(encode(&["SET", key, "10"]));
            bytes.extend(encode(&["EVALSHA", INCR_SHA, "1", key]));
            bytes.extend(encode(&["GET", key]));
        }
    }
    client.send(&bytes);
    for _ in 0..60 {
        client.expect("+OK\r\n:11\r\n$2\r\n11\r\n");
    }
}

#[test]
fn it_is_loaded_once_a_connection_and_not_for_every_call() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    load(&mut client, INCR);
    for _ in 0..50 {
        client.command(&["EVALSHA", INCR_SHA, "1", &fleet.keys[0]]);
    }
    assert!(fleet.calls(0, "script|load") <= 2);
    assert_eq!(fleet.calls(0, "evalsha"), 50);
}

#[test]
fn scripts_flushed_behind_its_back_are_loaded_again() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    load(&mut client, INCR);
    let run = ["EVALSHA", INCR_SHA, "1", &fleet.keys[0]];
    assert_eq!(client.command(&run), Reply::Integer(1));
    fleet.shards[0].client().command(&["SCRIPT", "FLUSH"]);
    // That is news to circlet; the next call finds it.
    assert!(is_noscript(&client.command(&run)));
    assert_eq!(client.command(&run), Reply::Integer(2));
}

#[test]
fn a_flush_is_a_flush_on_every_worker() {
    let fleet = Fleet::start("");
    let mut clients: Vec<Client> = (0..8).map(|_| fleet.proxy.client()).collect();
    for flush in ["SYNC", "ASYNC"] {
        load(&mut clients[0], INCR);
        clients[0].command(&["EVAL", "return 7", "0"]);
        runs_everywhere(&fleet);
        assert_eq!(clients[7].command(&["SCRIPT", "FLUSH", flush]), Reply::ok());
        for client in &mut clients {
            for key in &fleet.keys {
                assert!(is_noscript(&client.command(&["EVALSHA", INCR_SHA, "1", key])));
            }
            let exists = client.command(&["SCRIPT", "EXISTS", INCR_SHA]);
            assert_eq!(exists, Reply::Array(vec![Reply::Integer(0)]));
        }
    }
    // Seen again, it is known again.
    clients[3].command(&["EVAL", INCR, "1", &fleet.keys[0]]);
    runs_everywhere(&fleet);
}

#[test]
fn a_flush_that_redis_refuses_forgets_nothing() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    load(&mut client, INCR);
    assert!(client.command(&["SCRIPT", "FLUSH", "NOW"]).error().is_some());
    fleet.restart(0);
    runs_everywhere(&fleet);
}

#[test]
fn the_oldest_are_forgotten_past_the_limit() {
    let fleet = Fleet::start("script_cache: 20kb");
    let mut client = fleet.proxy.client();
    load(&mut client, INCR);
    for number in 0..20 {
        load(&mut client, &format!("--{}\nreturn {number}", "x".repeat(2000)));
    }
    let newest = load(&mut client, "return 'newest'");
    fleet.restart(0);
    let key = &fleet.keys[0];
    assert!(is_noscript(&client.command(&["EVALSHA", INCR_SHA, "1", key])));
    assert_eq!(client.command(&["EVALSHA", &newest, "1", key]), Reply::bulk("newest"));
}

#[test]
fn pools_do_not_share_scripts() {
    let fleet = Fleet::start("");
    let [one, two] = [0, 1].map(|index| fleet.shards[index].server(1, None));
    let one = crate::harness::pool_yaml("one", &[one], "");
    let two = crate::harness::pool_yaml("two", &[two], "");
    let proxy = crate::harness::Circlet::with_config(&format!("{one}{two}"));
    load(&mut proxy.client_of("one"), INCR);
    let mut other = proxy.client_of("two");
    assert!(is_noscript(&other.command(&["EVALSHA", INCR_SHA, "1", "k"])));
}

#[test]
fn scripts_of_five_megabytes() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    let body = format!("--{}\nreturn redis.call('INCR', KEYS[1])", "x".repeat(5 << 20));
    assert_eq!(client.command(&["EVAL", &body, "1", &fleet.keys[0]]), Reply::Integer(1));
    let sha = load(&mut client, &body);
    for index in 0..3 {
        fleet.restart(index);
    }
    for key in &fleet.keys {
        client.send(&encode(&["EVALSHA", &sha, "1", key]));
        client.send(&encode(&["GET", key]));
        client.expect(":1\r\n$1\r\n1\r\n");
    }
}
