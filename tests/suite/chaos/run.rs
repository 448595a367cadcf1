//! A run: a proxy over two pools of shards, the clients of both, faults, and the reckoning.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::client::{Client, Stage};
use super::connection::{Broken, Connection};
use super::faults::Faults;
use super::fleet::Member;
use super::namespace::Namespace;
use super::record::Rule;
use super::shared::Shared;
use super::talk;
use super::verdict::{Book, Wrong};
use crate::harness::{Address, Circlet, Nutcracker, Proxy, Reply, pool_yaml};

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub clients: usize,
    pub think: Duration,
    pub is_circlet: bool,
    /// Whether the proxy has two pools, one of which ejects shards.
    pub ejects: bool,
    /// How many shards each pool has.
    pub shards: usize,
}

/// Everything that takes part.
pub struct Run {
    pub plan: Plan,
    pub proxy: Proxy,
    pub pools: Vec<Pool>,
    pub book: Arc<Book>,
    _network: Network,
}

/// A pool: its shards, and what its clients have in common.
pub struct Pool {
    pub members: Vec<Arc<Member>>,
    pub stage: Arc<Stage>,
}

impl Run {
    pub fn start(plan: Plan) -> Run {
        let network = Network::start();
        let book = Arc::new(Book::new());
        let rules =
            if plan.ejects { &[Rule::Exact, Rule::OwnOrNothing][..] } else { &[Rule::Exact] };
        let fleets: Vec<Vec<Arc<Member>>> =
            rules.iter().map(|rule| fleet(&plan, *rule, &network.handle)).collect();
        let text: String = rules
            .iter()
            .zip(&fleets)
            .map(|(rule, members)| config(&plan, *rule, members))
            .collect();
        let proxy = match plan.is_circlet {
            true => {
                let log = format!("{}/circlet-chaos-log-{}", temporary(), std::process::id());
                Circlet::with_arguments(&text, &["--threads", "2", "-o", &log])
            }
            false => Nutcracker::with_config(&text),
        };
        let pools = rules.iter().zip(fleets).map(|(rule, members)| {
            let Address::Tcp(port) = proxy.address_of(name(*rule)) else { panic!("TCP") };
            let stage = Arc::new(Stage {
                port,
                rule: *rule,
                is_circlet: plan.is_circlet,
                book: Arc::clone(&book),
                shared: Shared::new(*rule),
                think: plan.think,
            });
            Pool { members, stage }
        });
        let pools = pools.collect();
        Run { plan, proxy, pools, book, _network: network }
    }

    /// All clients at work for so long, with faults or without; then all is mended and everything
    /// that was written is read again.
    pub fn round(&mut self, length: Duration, seed: u64, has_faults: bool) {
        let end = Instant::now() + length;
        let faults: Vec<Faults> = match has_faults {
            true => (0..self.pools.len())
                .map(|pool| {
                    let seed = seed.wrapping_add(pool as u64 * 7_919);
                    Faults::begin(&self.pools[pool].members, seed, &self.book)
                })
                .collect(),
            false => Vec::new(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clients = LocalSet::new().block_on(&runtime, self.work(end, seed));
        faults.into_iter().for_each(Faults::end);
        runtime.block_on(self.reckon(clients));
        if !self.proxy.is_alive() {
            self.book.accuse("the proxy", &Wrong::Disconnected("it ended".into()));
        }
    }

    async fn work(&self, end: Instant, seed: u64) -> Vec<(usize, Client)> {
        let mut tasks = Vec::new();
        let each = self.plan.clients / self.pools.len();
        for (index, pool) in self.pools.iter().enumerate() {
            for number in 0..each {
                let mut client = Client::new(number, seed + index as u64, &pool.stage);
                tasks.push(tokio::task::spawn_local(async move {
                    client.run(end).await;
                    (index, client)
                }));
            }
            if self.plan.is_circlet {
                for _ in 0..LISTENERS {
                    tokio::task::spawn_local(talk::listen(Arc::clone(&pool.stage), end));
                }
            }
        }
        let reloads = Rc::new(self.plan.is_circlet);
        let reload = async {
            let mut pause = tokio::time::interval(RELOAD);
            while *reloads && Instant::now() < end {
                pause.tick().await;
                self.reload();
            }
            std::future::pending::<()>().await;
        };
        let all = async {
            let mut clients = Vec::new();
            for task in tasks {
                clients.push(task.await.expect("no client panics"));
            }
            clients
        };
        tokio::select! {
            clients = all => clients,
            () = reload => unreachable!("it waits for ever"),
        }
    }

    /// HUP has circlet open its log anew. The configuration cannot be reloaded yet: once it can,
    /// this is where a changed file is written first (see [`Proxy::config_file`]).
    fn reload(&self) {
        self.proxy.signal(Signal::HUP);
        *self.book.figures().faults.entry("reload (HUP)").or_default() += 1;
    }

    /// Reads again all that was written.
    async fn reckon(&self, clients: Vec<(usize, Client)>) {
        for pool in &self.pools {
            if let Err(what) = pool.serves().await {
                let wrong = Wrong::Missing(format!("not served though all is mended: {what}"));
                self.book.accuse("the proxy", &wrong);
            }
        }
        for (_, mut client) in clients {
            client.reread().await;
        }
        for pool in &self.pools {
            pool.reckon_shared().await;
        }
    }

    /// Removes all that is in the shards, and what is known of it.
    pub fn clear(&self) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for pool in &self.pools {
                pool.stage.shared.clear();
                for member in &pool.members {
                    for words in [&["FLUSHALL"][..], &["BGREWRITEAOF"]] {
                        let _ = member.ask(words).await;
                    }
                }
            }
        });
    }
}

impl Pool {
    /// Waits until requests for all shards succeed.
    async fn serves(&self) -> Result<(), String> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < PATIENCE {
            match self.all_succeed().await {
                Ok(()) => return Ok(()),
                Err(why) => last = why,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(last)
    }

    async fn all_succeed(&self) -> Result<(), String> {
        let told = |broken: Broken| format!("{broken:?}");
        let mut connection = Connection::open("127.0.0.1", self.stage.port).await.map_err(told)?;
        for number in 0..60 {
            let key = format!("probe{number}");
            let reply = connection.ask(&["SET", &key, "x"]).await.map_err(told)?;
            if reply != Reply::ok() {
                return Err(reply.to_string());
            }
        }
        // An ejected shard serves nothing: it has its part again when all keys are at home.
        for member in &self.members {
            let keys = member.ask(&["EXISTS", "probe0", "probe1"]).await;
            keys.map_err(told)?;
        }
        Ok(())
    }

    async fn reckon_shared(&self) {
        for counter in 0..super::shared::COUNTERS {
            let key = Shared::key(counter);
            let Ok(mut connection) = Connection::open("127.0.0.1", self.stage.port).await else {
                continue;
            };
            let value = match connection.ask(&["GET", &key]).await {
                Ok(Reply::Bulk(digits)) => String::from_utf8_lossy(&digits).parse().unwrap_or(-1),
                _ => 0,
            };
            if let Err(wrong) = self.stage.shared.judge(counter, value) {
                self.stage.book.accuse("shared counters", &wrong);
            }
        }
    }
}

impl Member {
    /// Asks the shard itself.
    pub async fn ask(&self, words: &[&str]) -> Result<Reply, Broken> {
        let host = self.address.ip().to_string();
        Connection::open(&host, self.address.port()).await?.ask(words).await
    }
}

/// The thread that moves the bytes of all wires.
struct Network {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
}

impl Network {
    fn start() -> Network {
        let (tell, told) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            tell.send(runtime.handle().clone()).expect("it is awaited");
            let _ = runtime.block_on(ended);
        });
        Network { handle: told.recv().expect("the thread tells"), end: Some(end) }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
    }
}

fn fleet(plan: &Plan, rule: Rule, handle: &Handle) -> Vec<Arc<Member>> {
    let start = |number: usize| {
        // One shard that a partition can cut off, where the machine allows.
        let namespace = match (rule, number) {
            (Rule::Exact, 2) => Namespace::create()
                .inspect_err(|why| println!("chaos: no partitions by namespaces here: {why}"))
                .ok(),
            _ => None,
        };
        let name = format!("{}{number}", name(rule));
        Arc::new(Member::start(&name, handle, namespace))
    };
    (0..plan.shards).map(start).collect()
}

fn config(plan: &Plan, rule: Rule, members: &[Arc<Member>]) -> String {
    let servers: Vec<String> =
        members.iter().map(|member| member.wire.server(&member.name)).collect();
    let mut settings = format!(
        "hash: md5\nhash_tag: \"{{}}\"\ntimeout: 1500\nserver_retry_timeout: 500\n\
         server_failure_limit: 2\nauto_eject_hosts: {}",
        rule == Rule::OwnOrNothing
    );
    if plan.is_circlet {
        settings += "\nheartbeat_interval: 200\nheartbeat_timeout: 1000\nconnect_timeout: 1000";
    }
    pool_yaml(name(rule), &servers, &settings)
}

fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::Exact => "keep",
        Rule::OwnOrNothing => "eject",
    }
}

fn temporary() -> String {
    std::env::temp_dir().display().to_string()
}

/// Listeners to all channels of a pool.
const LISTENERS: usize = 2;
const RELOAD: Duration = Duration::from_secs(3);
/// How long shards may take to be served again once all is mended.
const PATIENCE: Duration = Duration::from_secs(20);
