//! A run: a proxy over two pools of shards, the clients of both, faults, and the reckoning.

use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::client::{Client, Stage};
use super::faults::Faults;
use super::fleet::Member;
use super::liar::{Liar, Lie};
use super::planted::Place;
use super::record::Rule;
use super::scene::{Network, config, fleet, name};
use super::shared::Shared;
use super::talk;
use super::verdict::{Book, Wrong};
use crate::harness::{Address, Circlet, Nutcracker, Proxy};

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
    /// How long a reply may take: longer than any fault lasts, and than a busy machine hesitates.
    pub patience: Duration,
    /// Who lies, and where.
    pub liar: Option<(Lie, Place)>,
}

/// Everything that takes part.
pub struct Run {
    pub plan: Plan,
    pub proxy: Proxy,
    pub pools: Vec<Pool>,
    pub book: Arc<Book>,
    _liars: Vec<Liar>,
    _network: Network,
    _log: TempDir,
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
        let mut liars = Vec::new();
        let mut lied_to = |place: Place, port: u16| match plan.liar {
            Some((lie, at)) if at == place => {
                liars.push(Liar::before(port, lie));
                liars[liars.len() - 1].port()
            }
            _ => port,
        };
        let mut text = String::new();
        for (rule, members) in rules.iter().zip(&fleets) {
            let server = |member: &Arc<Member>| {
                let port = lied_to(Place::BeforeTheShards, member.wire.port());
                format!("127.0.0.1:{port}:1 {}", member.name)
            };
            text += &config(&plan, *rule, &members.iter().map(server).collect::<Vec<_>>());
        }
        let log = tempfile::tempdir().expect("a temporary directory");
        let proxy = match plan.is_circlet {
            true => {
                let log = log.path().join("log").display().to_string();
                Circlet::with_arguments(&text, &["--threads", "2", "-o", &log])
            }
            false => Nutcracker::with_config(&text),
        };
        let pools = rules.iter().zip(fleets).map(|(rule, members)| {
            let Address::Tcp(port) = proxy.address_of(name(*rule)) else { panic!("TCP") };
            let stage = Arc::new(Stage {
                port: lied_to(Place::BeforeTheProxy, port),
                rule: *rule,
                is_circlet: plan.is_circlet,
                book: Arc::clone(&book),
                shared: Shared::new(*rule),
                think: plan.think,
                patience: plan.patience,
            });
            Pool { members, stage }
        });
        let pools = pools.collect();
        Run { plan, proxy, pools, book, _liars: liars, _network: network, _log: log }
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
                let mut client = Client::new(number, seed.wrapping_add(index as u64), &pool.stage);
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

    /// HUP has circlet open its log anew and take over the configuration, of which something is
    /// different each time that moves no key.
    fn reload(&self) {
        let reloads = *self.book.figures().faults.entry("reload (HUP)").or_default();
        let limit = format!("  client_pipeline_limit: {}\n", 4_000 + reloads % 100);
        let settings = format!("{limit}  server_connections: {}\n", 1 + reloads % 2);
        let is_ours = |line: &&str| {
            let line = line.trim_start();
            !line.starts_with("client_pipeline_limit:") && !line.starts_with("server_connections:")
        };
        let text: String = self
            .proxy
            .config_text()
            .lines()
            .filter(is_ours)
            .map(|line| format!("{line}\n"))
            .collect();
        let text = text.replace("  servers:\n", &format!("{settings}  servers:\n"));
        let new = self.proxy.directory().join("new.yml");
        fs::write(&new, text).expect("a file in our own directory");
        fs::rename(new, self.proxy.config_file()).expect("a file in our own directory");
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

/// Listeners to all channels of a pool.
const LISTENERS: usize = 2;
const RELOAD: Duration = Duration::from_secs(3);
