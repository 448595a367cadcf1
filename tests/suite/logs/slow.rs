//! PROXY SLOWLOG: what was slow, what it said, and where its time went.

use std::time::Duration;

use super::{busy, circlet, texts};
use crate::harness::{Client, FakeShard, Reply, Shard, get, honest};

const SLOW: [&str; 2] = ["--slow-threshold", "50000"];

/// The entries about `key`, newest first: on a busy machine anything may be slow.
fn about(client: &mut Client, key: &str) -> Vec<Reply> {
    let told = client.command(&["PROXY", "SLOWLOG", "GET", "-1"]);
    let is_about = |entry: &&Reply| texts(&entry.elements()[3]).iter().any(|arg| arg == key);
    told.elements().iter().filter(is_about).cloned().collect()
}

#[test]
fn a_slow_request_is_told_of_as_redis_does_with_where_its_time_went() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &SLOW);
    let mut client = proxy.client();
    client.command(&["CLIENT", "SETNAME", "me"]);
    client.command(&["SET", "quick", "1"]);
    let slow = busy("tag", 80);
    client.command(&slow);
    shard.client().command(&["CONFIG", "SET", "slowlog-log-slower-than", "50000"]);
    shard.client().command(&slow);
    let ours = about(&mut client, "tag");
    let theirs = shard.client().command(&["SLOWLOG", "GET"]);
    let (ours, theirs) = (&ours[0].elements(), &theirs.elements()[0].elements());
    assert_eq!((ours.len(), theirs.len()), (11, 6));
    let number = ours[0].integer();
    assert!((0..=60).contains(&(theirs[1].integer() - ours[1].integer())), "{:?}", ours[1]);
    assert!(ours[2].integer() >= 80_000, "{:?}", ours[2]);
    assert_eq!(ours[3], theirs[3], "the arguments, shortened in the same way");
    assert_eq!(ours[4], Reply::bulk(client.local_address().to_string()));
    assert_eq!(&ours[5..8], &["me", "alpha", "one"].map(Reply::bulk));
    let [total, queued, at_shard, in_proxy] = [2, 8, 9, 10].map(|field| ours[field].integer());
    assert!(at_shard >= 80_000 && at_shard + in_proxy == total, "{total} {at_shard} {in_proxy}");
    assert!((0..=in_proxy).contains(&queued), "{queued} of {in_proxy}");
    assert!(client.command(&["PROXY", "SLOWLOG", "LEN"]).integer() > number);
    assert_eq!(client.command(&["PROXY", "SLOWLOG", "RESET"]), Reply::ok());
    assert_eq!(about(&mut client, "tag"), []);
    client.command(&busy("tag", 60));
    let next = about(&mut client, "tag");
    assert!(next[0].elements()[0].integer() > number, "numbers go on");
    let refused = client.command(&["PROXY", "SLOWLOG", "GET", "-2"]);
    assert_eq!(refused.error(), Some("ERR count should be greater than or equal to -1"));
}

/// Answers as many commands as there are at once when one of them is about `slow`.
fn sleepy() -> FakeShard {
    FakeShard::start(|mut link| {
        link.serve(|command| {
            if command.get(1).is_some_and(|key| key.starts_with(b"slow")) {
                std::thread::sleep(Duration::from_millis(80));
            }
            honest(command)
        });
    })
}

#[test]
fn each_of_a_pipeline_is_told_with_its_own_arguments() {
    let shard = sleepy();
    let proxy = circlet(&[shard.server(1, Some("one"))], &SLOW);
    let mut client = proxy.client();
    let body = "x".repeat(40_000);
    let medium = "y".repeat(3_000);
    let commands: Vec<Vec<&str>> = vec![
        vec!["GET", "before"],
        vec!["SET", "slow", "1"],
        vec!["GET", "after"],
        vec!["SET", "large", &body],
        vec!["SET", "medium", &medium],
        vec!["GET", "slow too"],
        vec!["GET", "last"],
    ];
    client.pipeline(&commands);
    // A new flush: what was kept before does not shift it.
    client.pipeline(&[vec!["GET", "slow again"]]);
    let told = client.command(&["PROXY", "SLOWLOG", "GET", "-1"]);
    let told = told.elements().iter().map(|entry| texts(&entry.elements()[3]));
    let mut told: Vec<Vec<String>> = told.filter(|args| args[0] != "SLOWLOG").collect();
    told.reverse();
    let at = |key: &str| told.iter().find(|args| args.get(1).is_some_and(|arg| arg == key));
    assert_eq!(at("slow").map(|args| args.join(" ")).as_deref(), Some("SET slow 1"), "{told:?}");
    assert_eq!(at("slow again").map(|args| args.join(" ")).as_deref(), Some("GET slow again"));
    // Whatever is told is what was said, in its order; of what went out with something large it
    // may be the name alone.
    let shortened: Vec<Vec<String>> = told
        .iter()
        .filter(|args| args.len() > 1)
        .map(|args| args.iter().map(|arg| arg.chars().take(20).collect()).collect())
        .collect();
    let said = commands.iter().map(|command| {
        command.iter().map(|arg| arg.chars().take(20).collect()).collect::<Vec<String>>()
    });
    let mut said = said.chain([vec!["GET".to_owned(), "slow again".to_owned()]]);
    for args in &shortened {
        assert!(said.any(|command| command == *args), "{args:?} among {shortened:?}");
    }
    let large = at("large").expect("it waited behind slow");
    assert!(large[2].ends_with("... (39872 more bytes)"), "{}", large[2]);
}

#[test]
fn a_batch_of_large_requests_is_told_by_its_beginnings() {
    let shard = sleepy();
    let proxy = circlet(&[shard.server(1, Some("one"))], &SLOW);
    let mut client = proxy.client();
    client.command(&["GET", "opens the link"]);
    let body = "z".repeat(9_000);
    let keys: Vec<String> = (0..12).map(|key| format!("slow{key}")).collect();
    client.pipeline(&keys.iter().map(|key| vec!["SET", key, &body]).collect::<Vec<_>>());
    for key in &keys {
        let told = about(&mut client, key);
        assert_eq!(told.len(), 1, "{key}");
        let value = &texts(&told[0].elements()[3])[2];
        assert!(value.starts_with("zzz") && value.ends_with("... (8872 more bytes)"), "{value}");
    }
}

#[test]
fn nothing_is_slow_unless_it_is_wanted_and_a_blocking_command_is_not() {
    let shard = Shard::start();
    let off = circlet(&[shard.server(1, None)], &["--slow-threshold", "-1"]);
    off.client().command(&busy("tag", 80));
    assert_eq!(off.client().command(&["PROXY", "SLOWLOG", "LEN"]), Reply::Integer(0));
    let on = circlet(&[shard.server(1, None)], &SLOW);
    on.client().command(&["BLPOP", "nobody", "0.1"]);
    assert_eq!(about(&mut on.client(), "nobody"), []);
}

#[test]
fn passwords_are_never_told_and_keys_only_where_they_may_be() {
    let shard = Shard::start();
    let all = circlet(&[shard.server(1, None)], &["--slow-threshold", "0"]);
    let mut client = all.client();
    client.command(&["CONFIG", "SET", "masterauth", "secret", "maxmemory-samples", "6"]);
    client.command(&["MIGRATE", "127.0.0.1", "1", "nokey", "0", "9", "AUTH", "secret"]);
    client.command(&["AUTH", "default", "secret"]);
    client.command(&["AUHT", "secret"]);
    let (slow, errors) =
        (client.command(&["PROXY", "SLOWLOG", "GET", "-1"]), client.command(&["PROXY", "ERRORS"]));
    let shown = format!("{slow} {errors}");
    assert!(!shown.contains(&format!("{:?}", b"secret".to_vec())), "{shown}");
    let args = |first: &str| {
        let entries = slow.elements().iter().map(|entry| texts(&entry.elements()[3]));
        entries.into_iter().find(|args| args[0] == first).expect("it is told").join(" ")
    };
    assert_eq!(args("CONFIG"), "CONFIG SET masterauth (redacted) maxmemory-samples 6");
    assert!(args("MIGRATE").ends_with("AUTH (redacted)"), "{}", args("MIGRATE"));

    let (hash, hide) = ("--log-redact-keys=hash", "--log-redact-keys=hide");
    let shown = [hash, hide].map(|how| {
        let proxy = circlet(&[shard.server(1, None)], &["--slow-threshold", "0", how]);
        let mut client = proxy.client();
        client.command(&["SET", "key", "value"]);
        client.command(&["LPUSH", "key", "value"]);
        let told = client.command(&["PROXY", "SLOWLOG", "GET", "-1"]);
        told.elements().iter().map(|entry| texts(&entry.elements()[3])).collect::<Vec<_>>()
    });
    let [hashed, hidden] = shown.map(|told| {
        let find = |name: &str| told.iter().find(|args| args[0] == name).expect("told").clone();
        [find("SET"), find("LPUSH")]
    });
    assert!(hashed[0][1].starts_with('#') && hashed[0][1] == hashed[1][1], "{hashed:?}");
    assert_eq!(hashed[0][2], "(redacted)");
    assert_eq!(hidden[0], ["SET", "(redacted)", "(redacted)"]);
}

#[test]
fn a_pool_reads_its_own_and_the_admin_address_all() {
    let shard = Shard::start();
    let (proxy, port) = super::super::admin::with_admin(&[&shard], "");
    let mut client = proxy.client();
    client.command(&busy("tag", 30));
    let page = get(port, "/slowlog?count=5");
    let told: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
    let entry = told.as_array().and_then(|told| told.iter().find(|one| one["args"][0] == "EVAL"));
    let entry = entry.unwrap_or_else(|| panic!("no EVAL in {told}"));
    assert_eq!(entry["pool"], "pool");
    let time = |name: &str| entry[name].as_u64().unwrap_or_else(|| panic!("no {name} in {entry}"));
    assert!(time("total_us") >= 30_000 && time("shard_us") + time("proxy_us") == time("total_us"));
}
