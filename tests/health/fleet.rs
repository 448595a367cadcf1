//! Shards to be watched: real ones, and fakes for what a real one cannot be made to do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use circlet::access::Limits;
use circlet::config::{
    Address, Config, Distribution, Ejection, Hash, KeyBytes, Listen, Pool, Rejoin, Server,
    UserScripts,
};

/// A pool with short times.
pub fn pool(name: &str, servers: Vec<Server>) -> Pool {
    Pool {
        name: name.into(),
        listen: Some(Listen::Tcp { host: "127.0.0.1".into(), port: 1 }),
        servers,
        hash: Hash::Fnv1a64,
        hash_tag: None,
        key_bytes: KeyBytes::Signed,
        distribution: Distribution::Ketama,
        timeout: None,
        proxy_protocol_from: None,
        authentication_timeout: None,
        backlog: 512,
        client_connections: 0,
        redis_auth: None,
        tls: Default::default(),
        auth: None,
        users: None,
        users_file: None,
        user_scripts: UserScripts::Refuse,
        commands: None,
        protected_mode: true,
        limits: Limits::default(),
        redis_db: 0,
        preconnect: false,
        tcpkeepalive: false,
        tcp_keepalive_time: Duration::ZERO,
        tcp_user_timeout: Duration::ZERO,
        server_tcp_user_timeout: None,
        client_idle_timeout: Duration::ZERO,
        reuseport: false,
        auto_eject_hosts: true,
        server_connections: 1,
        server_retry_timeout: Duration::from_millis(600),
        server_failure_limit: 2,
        ejection: Ejection::Skip,
        rejoin: Rejoin::Keep,
        rejoin_limit: 0,
        slow_start: Duration::ZERO,
        heartbeat_interval: Duration::from_millis(100),
        heartbeat_timeout: Duration::from_millis(300),
        heartbeat_successes: 2,
        connect_timeout: Duration::from_millis(300),
        max_bulk: 512 << 20,
        max_arguments: 1 << 20,
        max_inline: 64 << 10,
        max_command: 1 << 30,
        max_reply: 1 << 30,
        max_nesting: 8192,
        client_output_limit: 1 << 20,
        pubsub_output_limit: 0,
        pubsub_output_soft_limit: 0,
        pubsub_output_soft_seconds: 0,
        link_output_limit: 1 << 20,
        link_pipeline_limit: 65_536,
        client_pipeline_limit: 1024,
        private_links: 1024,
        script_cache: 0,
        displaced_limit: circlet::config::DisplacedLimit::Auto,
        cross_shard: circlet::config::CrossShard::Refuse,
        cluster_emulation: false,
    }
}

/// A configuration of one pool named alpha.
pub fn alpha(servers: Vec<Server>, set: impl FnOnce(&mut Pool)) -> Config {
    let mut pool = pool("alpha", servers);
    set(&mut pool);
    Config { pools: vec![pool] }
}

/// A server on loopback.
pub fn at(port: u16) -> Server {
    let address = Address::Tcp { host: "127.0.0.1".into(), port };
    Server { name: format!("127.0.0.1:{port}"), address, weight: 1, is_removed: false }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A redis-server that dies with this value.
pub struct Redis {
    child: Child,
    pub port: u16,
    options: Vec<String>,
}

impl Redis {
    pub fn start(options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::start_at(free_port(), options)
    }

    fn start_at(port: u16, options: Vec<String>) -> Self {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(&options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { child, port, options };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        redis
    }

    pub fn server(&self) -> Server {
        at(self.port)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        *self = Self::start_at(self.port, std::mem::take(&mut self.options));
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Sends a command without waiting for its reply.
    pub fn send(&self, command: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        stream
    }

    /// Sends a command; its reply's first bytes.
    pub fn ask(&self, command: &str) -> String {
        let mut reply = [0; 1024];
        let count = self.send(command).read(&mut reply).unwrap();
        String::from_utf8_lossy(&reply[..count]).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shard that answers whatever the test wants; an empty answer closes the connection.
pub struct Fake {
    pub port: u16,
    says: Arc<Mutex<Vec<u8>>>,
    pub heard: Arc<Mutex<Vec<Instant>>>,
    pub accepted: Arc<AtomicUsize>,
}

impl Fake {
    pub fn start(says: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Self {
            port,
            says: Arc::new(Mutex::new(says.into())),
            heard: Arc::default(),
            accepted: Arc::default(),
        };
        let (says, heard) = (Arc::clone(&fake.says), Arc::clone(&fake.heard));
        let accepted = Arc::clone(&fake.accepted);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::Relaxed);
                let (says, heard) = (Arc::clone(&says), Arc::clone(&heard));
                std::thread::spawn(move || Self::talk(stream, &says, &heard));
            }
        });
        fake
    }

    pub fn say(&self, answer: &[u8]) {
        *self.says.lock().unwrap() = answer.into();
    }

    fn talk(mut stream: TcpStream, says: &Mutex<Vec<u8>>, heard: &Mutex<Vec<Instant>>) {
        let mut command = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut command) {
            // Between two heartbeats it is asked for its commands.
            if command[..count].windows(4).any(|word| word == b"PING") {
                heard.lock().unwrap().push(Instant::now());
            }
            let answer = says.lock().unwrap().clone();
            if answer.is_empty() || stream.write_all(&answer).is_err() {
                return;
            }
        }
    }
}
