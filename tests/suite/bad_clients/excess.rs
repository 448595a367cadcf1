//! Clients that ask for too much of one thing: all of it is done, and nobody else waits long.

use crate::harness::{Circlet, Client, Reply, Shard, encode, pool_yaml};
use crate::one_redis::Pair;

#[test]
fn a_storm_of_wrong_passwords_is_answered_here_and_holds_nobody_up() {
    // Of each guesser. A turn takes up to 128 KiB of what one sent, some 3,000 guesses: others are
    // served in between, 30 times and more.
    const STORM: usize = 100_000;
    let shard = Shard::with(&["--requirepass", "secret"]);
    let text = pool_yaml("pool", &[shard.server(1, None)], "redis_auth: secret");
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut served = proxy.client();
    assert_eq!(served.command(&["AUTH", "secret"]), Reply::ok());
    assert_eq!(served.command(&["SET", "k", "v"]), Reply::ok());
    let guess = [encode(&["AUTH", "guess"]), encode(&["HELLO", "3", "AUTH", "default", "no"])];
    let guesses = guess.concat().repeat(STORM / 2);
    let mut stormers: Vec<Client> = (0..2).map(|_| proxy.client()).collect();
    let gets = std::thread::scope(|scope| {
        let storms: Vec<_> = stormers
            .iter_mut()
            .map(|client| {
                let mut sender = client.sender();
                let guesses = &guesses;
                scope.spawn(move || sender.send(guesses));
                scope.spawn(move || (0..STORM).for_each(|_| client.expect(WRONG)))
            })
            .collect();
        let mut gets = 0;
        while !storms.iter().all(|storm| storm.is_finished()) {
            assert_eq!(served.command(&["GET", "k"]), Reply::bulk("v"));
            gets += 1;
        }
        gets
    });
    assert!(gets > 10, "only {gets} GETs were answered during the storm");
    let mut admitted = shard.client();
    admitted.command(&["AUTH", "secret"]);
    let told = admitted.command(&["INFO", "commandstats"]).bytes().to_vec();
    let told = String::from_utf8_lossy(&told);
    let auth = told.lines().find(|line| line.starts_with("cmdstat_auth:"));
    assert!(auth.is_some_and(|line| line.ends_with("failed_calls=0")), "{told}");
    assert!(stormers[0].command(&["GET", "k"]).error().is_some(), "a guesser stays outside");
}

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

#[test]
fn a_script_of_5_mb_runs_on_every_shard() {
    let mut pair = Pair::start();
    let filler = "-- filler\n".repeat(500_000);
    let script = format!("{filler}return redis.call('INCR', KEYS[1])");
    let keys = pair.key_on_each_shard("n");
    for key in &keys {
        assert_eq!(pair.same(&["EVAL", &script, "1", key]), b":1\r\n");
    }
    let sha = pair.same(&["SCRIPT", "LOAD", &script]);
    let sha = String::from_utf8_lossy(&sha[5..45]).into_owned();
    for key in &keys {
        assert_eq!(pair.same(&["EVALSHA", &sha, "1", key]), b":2\r\n");
    }
    pair.same(&["SCRIPT", "EXISTS", &sha]);
}
