//! A pool of one shard that misbehaves, "bad", and two real ones, "one" and "two".

use std::sync::OnceLock;

use crate::harness::{
    Circlet, Client, FakeConnection, FakeShard, Proxy, Reply, Shard, honest, pool_yaml,
};

/// circlet over the bad shard and the two good ones.
pub struct Fleet {
    pub circlet: Proxy,
    good: Vec<Shard>,
}

impl Fleet {
    /// `bad` is the bad shard's server line; `settings` are further lines of the pool.
    pub fn with(bad: &str, settings: &str) -> Fleet {
        Fleet::beside(Shard::several(2), bad, settings)
    }

    /// Another circlet, over another bad shard, beside the same good ones, empty again.
    pub fn again(self, fake: &FakeShard, settings: &str) -> Fleet {
        for shard in &self.good {
            shard.client().command(&["FLUSHALL"]);
        }
        Fleet::beside(self.good, &fake.server(1, Some("bad")), settings)
    }

    fn beside(good: Vec<Shard>, bad: &str, settings: &str) -> Fleet {
        let servers =
            [bad.to_owned(), good[0].server(1, Some("one")), good[1].server(1, Some("two"))];
        let settings = format!("hash: md5\n{settings}");
        Fleet { circlet: Circlet::with_config(&pool_yaml("pool", &servers, &settings)), good }
    }

    pub fn over(fake: &FakeShard, settings: &str) -> Fleet {
        Fleet::with(&fake.server(1, Some("bad")), settings)
    }

    /// One pipeline over all shards: `GET`s of the bad shard's keys fail with `error` in them,
    /// everything before, between and after them is answered.
    #[track_caller]
    pub fn expect_bad_keys_fail(&self, client: &mut Client, error: &[&str]) {
        let keys = keys();
        let commands: Vec<Vec<&str>> = vec![
            vec!["SET", &keys.one, "1"],
            vec!["GET", &keys.bad],
            vec!["ECHO", "between"],
            vec!["GET", &keys.two],
            vec!["GET", &keys.bad2],
            vec!["GET", &keys.one],
        ];
        let replies = client.pipeline(&commands);
        for reply in [&replies[1], &replies[4]] {
            expect_error(reply, error);
        }
        let others = [&replies[0], &replies[2], &replies[3], &replies[5]];
        let expected = [Reply::ok(), Reply::bulk("between"), Reply::Nil, Reply::bulk("1")];
        assert!(others.into_iter().eq(&expected), "{others:?}");
    }

    /// The bad shard has become honest: its keys are served again, to this client as well.
    #[track_caller]
    pub fn expect_recovery(&mut self, client: &mut Client) {
        let command = ["GET", &keys().bad];
        let served = crate::harness::within(crate::harness::PATIENCE, || {
            client.command(&command) == Reply::Nil
        });
        assert!(served, "{}\n{}", client.command(&command), self.circlet.log());
        assert_eq!(self.circlet.client().command(&command), Reply::Nil);
        assert!(self.circlet.is_alive());
    }
}

/// An error that names the shard and the pool, and has all of these in it.
#[track_caller]
pub fn expect_error(reply: &Reply, parts: &[&str]) {
    let text = reply.error().unwrap_or_else(|| panic!("no error: {reply}"));
    for part in parts.iter().chain(&["shard 'bad' of pool 'pool'"]) {
        assert!(text.contains(part), "no \"{part}\" in \"{text}\"");
    }
}

/// A shard that treats its heartbeats well; the first `count` other connections play `script`,
/// which gets the first command; those after them are honest.
pub fn bad(
    count: usize,
    script: impl Fn(FakeConnection, Vec<Vec<u8>>) + Send + Sync + 'static,
) -> FakeShard {
    let played = std::sync::atomic::AtomicUsize::new(0);
    FakeShard::start(move |mut link| {
        let Some(first) = link.read_command() else { return };
        let is_heartbeat = first[0] == b"PING";
        if !is_heartbeat && played.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < count {
            return script(link, first);
        }
        link.send(honest(&first));
        link.serve(honest);
    })
}

/// Keys by the shard that they live on; names decide it, so they are the same in all fleets.
pub struct Keys {
    pub bad: String,
    pub bad2: String,
    pub one: String,
    pub two: String,
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let shards = Shard::several(3);
        let servers: Vec<String> =
            ["bad", "one", "two"].iter().zip(&shards).map(|(n, s)| s.server(1, Some(n))).collect();
        let circlet = Circlet::with_config(&pool_yaml("pool", &servers, "hash: md5"));
        let mut client = circlet.client();
        for number in 0..60 {
            client.command(&["SET", &format!("key{number}"), "v"]);
        }
        let on = |shard: &Shard| {
            let keys = shard.client().command(&["KEYS", "*"]);
            keys.elements().iter().map(|key| String::from_utf8_lossy(key.bytes()).into()).collect()
        };
        let [bad, one, two]: [Vec<String>; 3] = [0, 1, 2].map(|index| on(&shards[index]));
        Keys { bad: bad[0].clone(), bad2: bad[1].clone(), one: one[0].clone(), two: two[0].clone() }
    })
}
