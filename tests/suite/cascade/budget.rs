//! What counts for a stand-in's budget, what is refused when it is spent, and that the count comes
//! back whatever becomes of a request.

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

/// Two shards, the first of which is dead, and one worker with a budget of two.
struct Scene {
    circlet: Proxy,
    stand_in: Shard,
    /// Keys of the dead shard, and of the other.
    displaced: Vec<String>,
    native: Vec<String>,
}

impl Scene {
    fn new(settings: &str) -> Scene {
        let [dead, stand_in] = <[Shard; 2]>::try_from(Shard::several(2)).expect("two");
        let servers = [dead.server(1, Some("dead")), stand_in.server(1, Some("b"))];
        let settings = format!(
            "hash: md5\nhash_tag: \"{{}}\"\nauto_eject_hosts: true\nserver_failure_limit: 3\n\
             server_retry_timeout: 60000\n{settings}"
        );
        let config = pool_yaml("pool", &servers, &settings);
        let circlet = Circlet::with_arguments(&config, &["--threads", "1"]);
        let (mut displaced, mut native) = (Vec::new(), Vec::new());
        let (mut client, mut at_home) = (circlet.client(), dead.client());
        for key in (0..40).map(|number| format!("{number}:key")) {
            assert_eq!(client.command(&["SET", &key, "0"]), Reply::ok());
            let is_there = at_home.command(&["EXISTS", &key]).integer() == 1;
            if is_there { &mut displaced } else { &mut native }.push(key);
        }
        assert_eq!(circlet.pool_stat("pool", "displaced_requests"), 0, "all are at home");
        dead.kill9();
        circlet.expect_log("ejected after");
        eventually("the worker knows", || {
            client.command(&["GET", &displaced[0]]);
            circlet.pool_stat("pool", "displaced_requests") > 0
        });
        Scene { circlet, stand_in, displaced, native }
    }

    /// From now on writes wait on the stand-in.
    fn pause(&self) {
        let reply = self.stand_in.client().command(&["CLIENT", "PAUSE", "100000", "WRITE"]);
        assert_eq!(reply, Reply::ok());
    }

    /// What waited goes on.
    fn go_on(&self) {
        assert_eq!(self.stand_in.client().command(&["CLIENT", "UNPAUSE"]), Reply::ok());
    }

    /// A client that has two displaced requests in flight on the stand-in, which waits.
    fn spend(&self) -> Client {
        self.pause();
        let before = self.circlet.pool_stat("pool", "displaced_requests");
        let mut client = self.circlet.client();
        for key in &self.displaced[..2] {
            client.send(&crate::harness::encode(&["SET", key, "1"]));
        }
        eventually("two are in flight", || {
            self.circlet.pool_stat("pool", "displaced_requests") == before + 2
        });
        client
    }

    /// Whether two requests are let in at once, and no third.
    #[track_caller]
    fn expect_room(&self) {
        let mut client = self.spend();
        let mut other = self.circlet.client();
        refused(&other.command(&["GET", &self.displaced[2]]));
        self.go_on();
        for _ in 0..2 {
            assert_eq!(client.read_reply(), Reply::ok());
        }
        assert_eq!(other.command(&["SET", &self.displaced[2], "1"]), Reply::ok());
    }
}

#[track_caller]
fn refused(reply: &Reply) {
    let text = reply.error().unwrap_or_else(|| panic!("not refused: {reply}"));
    let says_all = ["TRYAGAIN ", "shard 'b'", "pool 'pool'", "shard 'dead'", "displaced_limit: 2"];
    assert!(says_all.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn what_is_over_the_budget_is_refused_at_once_and_in_its_place() {
    let scene = Scene::new("displaced_limit: 2");
    let mut busy = scene.spend();
    let mut client = scene.circlet.client();
    let refusals = scene.circlet.pool_stat("pool", "displaced_refused");
    refused(&client.command(&["GET", &scene.displaced[3]]));
    assert_eq!(scene.circlet.pool_stat("pool", "displaced_refused"), refusals + 1);

    // A refusal does not overtake what the same client said before.
    let [native, other] = [&scene.native[0], &scene.native[1]];
    for command in [["GET", native], ["GET", &scene.displaced[3]], ["GET", other]] {
        client.send(&crate::harness::encode(&command));
    }
    client.expect_silence(std::time::Duration::from_millis(50));
    scene.go_on();
    assert_eq!(client.read_reply(), Reply::bulk("0"));
    refused(&client.read_reply());
    assert_eq!(client.read_reply(), Reply::bulk("0"));
    assert_eq!([busy.read_reply(), busy.read_reply()], [Reply::ok(), Reply::ok()]);
    scene.expect_room();
}

#[test]
fn commands_of_every_kind_respect_it() {
    let scene = Scene::new("displaced_limit: 2\ncross_shard: allow");
    let _busy = scene.spend();
    let mut client = scene.circlet.client();
    let (key, native) = (scene.displaced[3].as_str(), scene.native[0].as_str());
    for command in [
        &["MGET", native, key][..],
        &["DEL", key, &scene.displaced[4]],
        &["EVAL", "return redis.call('get', KEYS[1])", "1", key],
        &["BLPOP", key, "0"],
        &["RENAME", key, native],
        &["SORT", key],
        &["WATCH", key],
    ] {
        refused(&client.command(command));
    }
    // What names no displaced key is not concerned.
    for command in [&["PING"][..], &["ECHO", key]] {
        assert_eq!(client.command(command).error(), None, "{command:?}");
    }
    scene.go_on();
}

#[test]
fn a_refusal_within_multi_discards_the_transaction() {
    let scene = Scene::new("displaced_limit: 2");
    let key = scene.displaced[3].as_str();
    let mut early = scene.circlet.client();
    // Queued while there is room, and not sent before EXEC.
    early.send(&crate::harness::encode(&["MULTI"]));
    let _busy = scene.spend();

    let mut client = scene.circlet.client();
    assert_eq!(client.command(&["MULTI"]), Reply::ok());
    refused(&client.command(&["SET", key, "2"]));
    let reply = client.command(&["EXEC"]);
    let previous = "EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(reply.error(), Some(previous));

    scene.go_on();
    let mut transact = scene.circlet.client();
    for _ in 0..10 {
        // More requests than the budget: what is begun is sent whole.
        let commands = [&["MULTI"][..], &["SET", key, "3"], &["INCR", key], &["EXEC"]];
        let commands: Vec<Vec<&str>> = commands.iter().map(|command| command.to_vec()).collect();
        let replies = transact.pipeline(&commands);
        assert_eq!(replies[3].elements(), [Reply::ok(), Reply::Integer(4)]);
    }
    scene.expect_room();
}

#[test]
fn exec_is_refused_when_the_budget_was_spent_meanwhile() {
    let scene = Scene::new("displaced_limit: 2");
    let key = scene.displaced[3].as_str();
    let mut client = scene.circlet.client();
    assert_eq!(client.command(&["MULTI"]), Reply::ok());
    assert_eq!(client.command(&["SET", key, "2"]), Reply::Simple("QUEUED".into()));
    let _busy = scene.spend();
    let reply = client.command(&["EXEC"]);
    let text = reply.error().expect("it is refused");
    assert!(text.starts_with("EXECABORT ") && text.contains("TRYAGAIN shard 'b'"), "{text}");
    scene.go_on();
    assert_ne!(client.command(&["GET", key]), Reply::bulk("2"), "nothing is applied");
    scene.expect_room();
}

#[test]
fn the_count_comes_back_when_a_link_fails() {
    let scene = Scene::new("displaced_limit: 2");
    let mut client = scene.spend();
    scene.stand_in.client().command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for _ in 0..2 {
        assert!(client.read_reply().error().is_some_and(|text| text.starts_with("ERR ")));
    }
    scene.go_on();
    scene.expect_room();
}

#[test]
fn the_count_comes_back_when_a_session_ends() {
    let scene = Scene::new("displaced_limit: 2");
    drop(scene.spend());
    scene.go_on();
    let mut client = scene.circlet.client();
    // The replies for nobody come before this one.
    assert_eq!(client.command(&["GET", &scene.native[0]]), Reply::bulk("0"));
    scene.expect_room();
}

#[test]
fn the_count_comes_back_when_a_request_times_out() {
    let scene = Scene::new("displaced_limit: 2\ntimeout: 300");
    let mut client = scene.spend();
    for _ in 0..2 {
        assert!(client.read_reply().error().is_some_and(|text| text.contains("timed out")));
    }
    scene.go_on();
    let mut other = scene.circlet.client();
    eventually("it is served again", || {
        other.command(&["SET", &scene.displaced[2], "1"]) == Reply::ok()
    });
}
