//! What a reload changes takes effect, and says so.

use std::time::Duration;

use super::{Scene, named};
use crate::harness::{Address, Client, Reply, Shard, encode, eventually, free_port, pool_yaml};

#[test]
fn a_shard_is_added_and_taken_out_again_and_the_keys_that_move_are_told() {
    let shards = Shard::several(2);
    let two = named(&shards, &[(0, "a", 1), (1, "b", 1)]);
    let one = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&one, "distribution: rendezvous");
    let mut client = scene.proxy.client();
    let said = scene.change(&two, "distribution: rendezvous");
    assert!(said.starts_with("pool pool: added: b ("), "{said}");
    let share = said.split("; ").last().unwrap().split(' ').next().unwrap();
    assert!((45.0..55.0).contains(&share.parse::<f64>().unwrap()), "{said}");
    scene.proxy.expect_log("configuration reloaded (POST /reload): pool pool: added: b (");
    let keys = |client: &mut Client| {
        for number in 0..50 {
            let key = format!("key:{number}");
            assert_eq!(client.command(&["SET", &key, "v"]), Reply::ok());
            assert_eq!(client.command(&["GET", &key]), Reply::bulk("v"));
        }
    };
    keys(&mut client);
    assert!(shards[1].client().command(&["DBSIZE"]).integer() > 10);
    let said = scene.change(&one, "distribution: rendezvous");
    assert!(said.contains("removed: b ("), "{said}");
    let before = shards[1].client().command(&["DBSIZE"]);
    keys(&mut client);
    assert_eq!(shards[1].client().command(&["DBSIZE"]), before, "it gets nothing any more");
    eventually("its links are closed", || {
        let clients = shards[1].client().command(&["CLIENT", "LIST"]);
        String::from_utf8_lossy(clients.bytes()).lines().count() == 1
    });
    assert_eq!(scene.reload().body, "nothing has changed\n");
}

#[test]
fn a_signal_reloads_and_limits_are_others_at_once() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let mut client = scene.proxy.client();
    assert_eq!(client.command(&["SET", "k", &"x".repeat(100)]), Reply::ok());
    scene.write(&pool_yaml("pool", &servers, "max_bulk: 50\nclient_connections: 1"));
    scene.hang_up();
    scene.proxy.expect_log("configuration reloaded (SIGHUP): pool pool: changed: ");
    let refused = client.command(&["SET", "k", &"x".repeat(100)]);
    assert!(refused.error().unwrap().contains("Protocol error"), "{refused:?}");
    let mut first = scene.proxy.client();
    eventually("the client that was refused is gone", || {
        first = scene.proxy.client();
        first.command(&["PING"]) == Reply::Simple("PONG".into())
    });
    let told = scene.proxy.client().read_reply();
    assert!(told.error().unwrap().contains("max number of clients"), "{told:?}");
}

#[test]
fn a_timeout_that_comes_and_goes_is_kept() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let mut client = scene.proxy.client();
    client.command(&["GET", "k"]);
    scene.change(&servers, "timeout: 200");
    shards[0].stop();
    let late = client.command(&["GET", "k"]);
    shards[0].cont();
    assert!(late.error().unwrap().contains("timed out"), "{late:?}");
    scene.change(&servers, "");
    eventually("it answers again", || client.command(&["GET", "k"]) == Reply::Nil);
}

#[test]
fn a_pool_is_added_and_taken_out_and_its_clients_leave_between_two_commands() {
    let shards = Shard::several(2);
    let first = pool_yaml("pool", &named(&shards, &[(0, "a", 1)]), "");
    let second = pool_yaml("other", &named(&shards, &[(1, "b", 1)]), "");
    let both = first.clone() + &second.replace("{port:other}", &free_port().to_string());
    let scene = Scene::start(&first);
    let mut client = scene.proxy.client();
    let said = scene.change_to(&both);
    assert!(said.starts_with("pool other: new; added: b ("), "{said}");
    let port = both.rsplit_once("127.0.0.1:").map(|_| ()).and_then(|()| {
        let (_, rest) = both.split_once("other:\n  listen: 127.0.0.1:")?;
        rest.split_once('\n')?.0.parse().ok()
    });
    let address = Address::Tcp(port.expect("a port that is written"));
    let mut visitor = Client::connect(&address);
    assert_eq!(visitor.command(&["SET", "k", "other"]), Reply::ok());
    assert_eq!(shards[1].client().command(&["GET", "k"]), Reply::bulk("other"));
    assert_eq!(client.command(&["SET", "k", "mine"]), Reply::ok());
    let said = scene.change_to(&first);
    assert!(said.starts_with("pool other: gone"), "{said}");
    assert!(Client::try_connect(&address).is_err(), "nobody listens there any more");
    visitor.expect_closed();
    assert_eq!(client.command(&["GET", "k"]), Reply::bulk("mine"));
    scene.change_to(&both);
    assert_eq!(Client::connect(&address).command(&["GET", "k"]), Reply::bulk("other"));
}

#[test]
fn a_pool_moves_to_another_address_and_its_clients_stay() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let text = pool_yaml("pool", &servers, "");
    let scene = Scene::start(&text);
    let old = scene.proxy.address();
    let mut client = scene.proxy.client();
    let new = free_port();
    let said = scene.change_to(&text.replace("{port:pool}", &new.to_string()));
    assert_eq!(said, "pool pool: changed: listen\n");
    assert_eq!(Client::connect(&Address::Tcp(new)).command(&["SET", "k", "v"]), Reply::ok());
    assert!(Client::try_connect(&old).is_err());
    assert_eq!(client.command(&["GET", "k"]), Reply::bulk("v"));
    // Another pool takes the socket over.
    let renamed = text.replace("pool:\n", "renamed:\n").replace("{port:pool}", &new.to_string());
    scene.change_to(&renamed);
    assert_eq!(Client::connect(&Address::Tcp(new)).command(&["GET", "k"]), Reply::bulk("v"));
    client.expect_closed();
}

#[test]
fn a_user_that_is_gone_is_disconnected_and_rules_that_changed_hold() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let users = |list: &str| format!("auth: users\nusers: [{list}]");
    let all = "\"default off\", \"ann on >x ~* +@all\", \"bob on >y ~* +@all\"";
    let scene = Scene::over(&servers, &users(all));
    let as_user = |name: &str, password: &str| {
        let mut client = scene.proxy.client();
        assert_eq!(client.command(&["AUTH", name, password]), Reply::ok());
        client
    };
    let (mut ann, mut bob) = (as_user("ann", "x"), as_user("bob", "y"));
    scene.change(&servers, &users("\"default off\", \"ann on >z ~* +@read\""));
    bob.expect_closed();
    assert_eq!(ann.command(&["GET", "k"]), Reply::Nil, "she stays, whatever her password is now");
    let refused = ann.command(&["SET", "k", "v"]);
    assert!(refused.error().unwrap().starts_with("NOPERM"), "{refused:?}");
    as_user("ann", "z");
    let refused = scene.proxy.client().command(&["AUTH", "bob", "y"]);
    assert!(refused.error().unwrap().starts_with("WRONGPASS"), "{refused:?}");
}

#[test]
fn another_password_of_the_shards_is_used_at_once() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let mut client = scene.proxy.client();
    assert_eq!(client.command(&["SET", "k", "v"]), Reply::ok());
    let id = |client: &mut Client| {
        let list = client.command(&["CLIENT", "LIST"]);
        String::from_utf8_lossy(list.bytes()).into_owned()
    };
    let _ = id(&mut client);
    let mut admin = shards[0].client();
    assert_eq!(admin.command(&["CONFIG", "SET", "requirepass", "new"]), Reply::ok());
    scene.change(&servers, "redis_auth: new");
    assert_eq!(client.command(&["GET", "k"]), Reply::bulk("v"), "who is in stays in");
    let mut next = scene.proxy.client();
    assert!(next.command(&["GET", "k"]).error().unwrap().starts_with("NOAUTH"));
    assert_eq!(next.command(&["AUTH", "new"]), Reply::ok());
    assert_eq!(next.command(&["GET", "k"]), Reply::bulk("v"));
}

#[test]
fn who_waits_for_an_element_waits_at_its_new_shard_with_the_time_that_is_left() {
    let shards = Shard::several(2);
    let settings = "distribution: rendezvous";
    let scene = Scene::over(&named(&shards, &[(0, "a", 1)]), settings);
    let keys: Vec<String> = (0..16).map(|number| format!("list:{number}")).collect();
    let mut waiting: Vec<Client> = keys
        .iter()
        .map(|key| {
            let mut client = scene.proxy.client();
            client.send(&encode(&["BLPOP", key, "30"]));
            client
        })
        .collect();
    eventually("all wait", || {
        let info = shards[0].client().command(&["INFO", "clients"]);
        String::from_utf8_lossy(info.bytes()).contains("blocked_clients:16")
    });
    let mut short = scene.proxy.client();
    short.send(&encode(&["BLPOP", "list:short", "1"]));
    std::thread::sleep(Duration::from_millis(50));
    scene.change(&named(&shards, &[(1, "b", 1)]), settings);
    eventually("they wait at the new shard", || {
        let info = shards[1].client().command(&["INFO", "clients"]);
        String::from_utf8_lossy(info.bytes()).contains("blocked_clients:17")
    });
    assert_eq!(short.read_reply(), Reply::Nil, "its second is over");
    let mut pusher = scene.proxy.client();
    for (key, client) in keys.iter().zip(&mut waiting) {
        assert_eq!(pusher.command(&["RPUSH", key, "x"]).integer(), 1);
        assert_eq!(client.read_reply(), Reply::Array(vec![Reply::bulk(key), Reply::bulk("x")]));
    }
}

#[test]
fn a_transaction_ends_where_it_began_and_a_watched_key_that_moved_counts_as_touched() {
    let shards = Shard::several(2);
    let scene = Scene::over(&named(&shards, &[(0, "a", 1)]), "");
    let (mut open, mut watching) = (scene.proxy.client(), scene.proxy.client());
    assert_eq!(open.command(&["MULTI"]), Reply::ok());
    assert_eq!(open.command(&["SET", "k", "1"]), Reply::Simple("QUEUED".into()));
    assert_eq!(watching.command(&["WATCH", "w"]), Reply::ok());
    scene.change(&named(&shards, &[(1, "b", 1)]), "");
    assert_eq!(open.command(&["INCR", "k"]), Reply::Simple("QUEUED".into()));
    assert_eq!(open.command(&["EXEC"]), Reply::Array(vec![Reply::ok(), Reply::Integer(2)]));
    assert_eq!(shards[0].client().command(&["GET", "k"]), Reply::bulk("2"));
    assert_eq!(open.command(&["GET", "k"]), Reply::Nil, "it lives elsewhere now");
    assert_eq!(watching.command(&["MULTI"]), Reply::ok());
    assert_eq!(watching.command(&["SET", "w", "1"]), Reply::Simple("QUEUED".into()));
    assert_eq!(watching.command(&["EXEC"]), Reply::Nil);
    assert_eq!(watching.command(&["SET", "w", "1"]), Reply::ok());
}

#[test]
fn a_file_that_changes_is_taken_over_by_itself_and_one_that_is_wrong_is_told_once() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::start_with(&pool_yaml("pool", &servers, ""), &["--reload-on-change"]);
    scene.write(&pool_yaml("pool", &servers, "timeout: 4000"));
    scene
        .proxy
        .expect_log("configuration reloaded (the file has changed): pool pool: changed: timeout");
    let not = "configuration not reloaded (the file has changed), the old one stays";
    scene.write("pool: [");
    scene.proxy.expect_log(not);
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(scene.proxy.log().matches(not).count(), 1);
    scene.write(&pool_yaml("pool", &servers, ""));
    eventually("it is mended", || {
        scene.proxy.log().matches("(the file has changed): pool pool: changed: timeout").count()
            == 2
    });
}

#[test]
fn a_client_may_ask_for_it() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let mut client = scene.proxy.client();
    scene.write(&pool_yaml("pool", &servers, "slow_start: 7"));
    let said = Reply::Array(vec![Reply::bulk("pool pool: changed: slow_start")]);
    assert_eq!(client.command(&["PROXY", "RELOAD"]), said);
    scene.write("pool: [");
    let refused = client.command(&["PROXY", "RELOAD"]);
    let refused = refused.error().expect("an error").to_owned();
    assert!(
        refused.starts_with("ERR the configuration does not do, the old one stays: "),
        "{refused}"
    );
}
