//! Who runs: how each is started, with one worker unless its name says otherwise.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::harness::{
    Address, CIRCLET, Client, Process, Proxy, Shard, free_port, pool_yaml, within,
};

/// Somebody who may start.
#[derive(Debug)]
pub struct Entry {
    /// The name in the report and in `RACE_PROXIES`.
    pub name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Circlet { program: String, threads: usize },
    Nutcracker,
    Haproxy,
    Envoy { program: String },
    Direct,
}

/// Somebody who runs.
#[derive(Debug)]
pub struct Contestant {
    /// The name in the report.
    pub name: String,
    /// Where it accepts clients.
    pub address: Address,
    /// Its process; `None` for the shard without a proxy, which is not judged.
    pub pid: Option<u32>,
    /// Whether it spreads keys over all shards.
    pub knows_all_shards: bool,
    /// Whether it runs with two workers.
    pub two_workers: bool,
    _runs: Runs,
}

/// What ends with the contestant.
#[derive(Debug)]
enum Runs {
    Proxy { _proxy: Proxy },
    Process { _process: Process, _directory: TempDir },
    Nothing,
}

/// All who may start, the judge of all ratios second.
pub fn all() -> Vec<Entry> {
    let circlet = |name: &str, program: String, threads| Entry {
        name: name.to_owned(),
        kind: Kind::Circlet { program, threads },
    };
    let mut entries = vec![
        circlet("circlet", CIRCLET.to_owned(), 1),
        Entry { name: JUDGE.to_owned(), kind: Kind::Nutcracker },
        Entry { name: "haproxy".to_owned(), kind: Kind::Haproxy },
    ];
    let set = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
    if let Some(program) = set("RACE_ENVOY") {
        entries.push(Entry { name: "envoy".to_owned(), kind: Kind::Envoy { program } });
    }
    if let Some(program) = set("RACE_CIRCLET") {
        entries.push(circlet("parent", program, 1));
    }
    entries.push(circlet("circlet-2", CIRCLET.to_owned(), 2));
    entries.push(Entry { name: "direct".to_owned(), kind: Kind::Direct });
    entries
}

/// The contestant whose CPU time a request counts as 1.
pub const JUDGE: &str = "nutcracker";

impl Entry {
    /// Starts it over these shards, or says why it cannot.
    pub fn start(&self, shards: &[Shard]) -> Result<Contestant, String> {
        match &self.kind {
            Kind::Circlet { program, threads } => {
                let threads = threads.to_string();
                self.start_proxy(program, shards, &["--threads", &threads])
            }
            Kind::Nutcracker => self.start_proxy("nutcracker", shards, &[]),
            Kind::Haproxy => self.start_process("haproxy", &["-db", "-f"], "haproxy.cfg", |port| {
                haproxy_config(port, shards[0].address())
            }),
            Kind::Envoy { program } => {
                let arguments = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"];
                let arguments = [arguments.as_slice(), &["-c"]].concat();
                self.start_process(program, &arguments, "envoy.yaml", |port| {
                    envoy_config(port, shards)
                })
            }
            Kind::Direct => Ok(self.contestant(shards[0].address().clone(), None, Runs::Nothing)),
        }
    }

    fn start_proxy(
        &self,
        program: &str,
        shards: &[Shard],
        arguments: &[&str],
    ) -> Result<Contestant, String> {
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let config = pool_yaml("race", &servers, "");
        let arguments = [&["-a", "127.0.0.1"], arguments].concat();
        let proxy = Proxy::try_start(program, &config, &arguments);
        let proxy = proxy.map_err(|refused| {
            format!("{program} ended with {}. {}", refused.status, refused.log)
        })?;
        let (address, pid) = (proxy.address(), proxy.pid());
        answered(self.contestant(address, Some(pid), Runs::Proxy { _proxy: proxy }))
    }

    fn start_process(
        &self,
        program: &str,
        arguments: &[&str],
        file: &str,
        config: impl Fn(u16) -> String,
    ) -> Result<Contestant, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let port = free_port();
        let path = directory.path().join(file);
        fs::write(&path, config(port)).map_err(|error| error.to_string())?;
        let log = directory.path().join("log");
        let mut process = spawn(program, arguments, &path, &log)?;
        let (pid, address) = (process.pid(), Address::Tcp(port));
        within(crate::harness::PATIENCE, || {
            process.exited().is_some() || address.is_listened_on_by(pid)
        });
        if process.exited().is_some() {
            return Err(fs::read_to_string(log).unwrap_or_default());
        }
        let runs = Runs::Process { _process: process, _directory: directory };
        answered(self.contestant(address, Some(pid), runs))
    }

    fn contestant(&self, address: Address, pid: Option<u32>, runs: Runs) -> Contestant {
        Contestant {
            name: self.name.clone(),
            address,
            pid,
            knows_all_shards: !matches!(self.kind, Kind::Haproxy | Kind::Direct),
            two_workers: matches!(self.kind, Kind::Circlet { threads: 2, .. }),
            _runs: runs,
        }
    }
}

fn answered(contestant: Contestant) -> Result<Contestant, String> {
    let reply = Client::try_connect(&contestant.address)
        .and_then(|mut client| client.try_command(&["SET", "key", "value"]));
    match reply {
        Ok(reply) if reply.error().is_none() => Ok(contestant),
        Ok(reply) => Err(format!("it answers {reply}")),
        Err(error) => Err(format!("it does not answer: {error}")),
    }
}

fn spawn(program: &str, arguments: &[&str], config: &Path, log: &Path) -> Result<Process, String> {
    let log = File::create(log).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let started = Process::start(program, |command| {
        command.args(arguments).arg(config);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
    });
    started.map_err(|error| error.to_string())
}

fn haproxy_config(port: u16, shard: &Address) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 9000\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client 1h\n  timeout server 1h\nlisten redis\n  bind 127.0.0.1:{port}\n  \
         server shard {shard}\n"
    )
}

fn envoy_config(port: u16, shards: &[Shard]) -> String {
    let mut text = format!(
        r#"static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.redis_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
          stat_prefix: race
          settings: {{op_timeout: 30s}}
          prefix_routes: {{catch_all_route: {{cluster: shards}}}}
  clusters:
  - name: shards
    type: STATIC
    lb_policy: MAGLEV
    connect_timeout: 5s
    load_assignment:
      cluster_name: shards
      endpoints:
      - lb_endpoints:
"#
    );
    for shard in shards {
        let Address::Tcp(port) = shard.address() else { continue };
        text += &format!(
            "        - endpoint: {{address: {{socket_address: \
             {{address: 127.0.0.1, port_value: {port}}}}}}}\n"
        );
    }
    text
}
