//! Proxies and shards that cannot be asked in the usual way, or not at all.

use super::*;

/// Shards that run no scripts.
fn without_scripts(settings: &str) -> Fleet {
    let fleet = Fleet::with(settings);
    fleet.shards.iter().for_each(refuse_scripts);
    fleet
}

fn refuse_scripts(shard: &Shard) {
    assert_eq!(say(&mut shard.client(), "ACL SETUSER default -@scripting"), Reply::ok());
}

#[test]
fn where_scripts_are_refused_keys_are_read() {
    let fleet = without_scripts("hash: md5");
    fleet.compare(&[], &[]).says(&["the shards hold no keys to read", "--write"]);
    fleet.fill(900);
    let agreeing = fleet.compare(&[], &[]);
    assert!(agreeing.agrees, "{}", agreeing.report);
    agreeing.says(&["asked by EXISTS", "NOPERM", "600 keys compared with the file: all agree"]);
    let differing = fleet.compare(&[("hash: md5", "hash: crc32a")], &[]);
    assert!(!differing.agrees);
    differing.says(&["`hash: md5` (the file has crc32a)"]);
}

#[test]
fn a_key_that_the_proxy_does_not_see_where_it_is_disagrees() {
    // s2's keys are there, and nutcracker has another server in its place.
    let (fleet, empty) = (without_scripts(""), Shard::start());
    refuse_scripts(&empty);
    fleet.fill(300);
    let text = fleet.nutcracker.config_text();
    let s2 = fleet.shards[1].server(1, Some("s2"));
    let there = text.replace(&s2, &empty.server(1, Some("s2")));
    let there = there.replace(&fleet.nutcracker.address().to_string(), "127.0.0.1:{port:pool}");
    let other = Nutcracker::with_config(&there);
    let compared = fleet.compare(&[], &["--with", &other.address().to_string()]);
    assert!(!compared.agrees, "{}", compared.report);
    compared.says(&["another shard", "as without the server s2 (ejected there"]);
}

#[test]
fn a_server_that_the_file_does_not_name_is_told() {
    let (fleet, other) = (Fleet::with(""), Shard::start());
    let s2 = fleet.shards[1].server(1, Some("s2"));
    let compared = fleet.compare(&[(&s2, &other.server(1, Some("s2")))], &[]);
    assert!(!compared.agrees);
    compared.says(&["a server not in the file", "reaches a server that the file does not name"]);
}

#[test]
fn who_does_not_answer_is_named() {
    let fleet = Fleet::with("");
    let nobody = fleet.compare(&[], &["--with", "127.0.0.1:1"]);
    assert!(!nobody.agrees);
    nobody.says(&["pool pool: the proxy at 127.0.0.1:1: Connection refused"]);
    let s3 = fleet.shards[2].server(1, Some("s3"));
    let dead = fleet.compare(&[(&s3, "127.0.0.1:1:1 s3")], &[]);
    dead.says(&["shard s3 (127.0.0.1:1): Connection refused"]);
    fleet.compare(&[], &["--with", "nowhere"]).says(&["\"nowhere\" has no port"]);
    fleet.compare(&[], &["--pool", "beta"]).says(&["no such pool: name one of pool"]);
}

#[test]
fn keys_of_a_dead_shard_cannot_be_compared_and_that_is_told() {
    // nutcracker cannot reach s3, which circlet's file has elsewhere.
    let shards = Shard::several(3);
    let text = pool_yaml("pool", &lines(&shards), "");
    let s3 = shards[2].server(1, Some("s3"));
    let broken = text.replace(&s3, "127.0.0.1:1:1 s3");
    let fleet = Fleet { nutcracker: Nutcracker::with_config(&broken), shards };
    let compared = fleet.compare(&[("127.0.0.1:1:1 s3", &s3)], &[]);
    assert!(!compared.agrees, "{}", compared.report);
    compared.says(&["keys could not be compared, the proxy answers: ERR Connection refused"]);
}

#[test]
fn passwords_and_databases_are_those_of_the_file() {
    let shard = Shard::with(&["--requirepass", "secret"]);
    let with = |settings| pool_yaml("pool", &[shard.server(1, None)], settings);
    let circlet = Circlet::with_config(&with("redis_auth: secret\nredis_db: 3"));
    let mut client = circlet.client();
    assert_eq!(say(&mut client, "AUTH secret"), Reply::ok());
    assert_eq!(say(&mut client, "SET key value"), Reply::ok());
    let file = circlet.config_file().display().to_string();
    let compared = compare(&["-c", &file, "--keys", "20"]);
    assert!(compared.agrees, "{}", compared.report);
    compared.says(&["keys: 1 of the shards (SCAN), 19 made up"]);
}

#[test]
fn nutcracker_with_a_password_serves_database_0_which_is_told() {
    let shard = Shard::with(&["--requirepass", "secret"]);
    let settings = "redis_auth: secret\nredis_db: 3";
    let nutcracker =
        Nutcracker::with_config(&pool_yaml("pool", &[shard.server(1, None)], settings));
    let mut client = nutcracker.client();
    assert_eq!(say(&mut client, "AUTH secret"), Reply::ok());
    assert_eq!(say(&mut client, "SET key value"), Reply::ok());
    let file = nutcracker.config_file();
    let text = nutcracker.config_text();
    let path = file.display().to_string();
    let compared = compare(&["-c", &path, "--keys", "20"]);
    assert!(!compared.agrees, "{}", compared.report);
    compared.says(&["serves database 0 (\"key\" is there)", "remove redis_db"]);
    fs::write(&file, text.replace("  redis_db: 3\n", "")).expect("a file in our own directory");
    assert!(compare(&["-c", &path, "--keys", "20"]).agrees);
}
