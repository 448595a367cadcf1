//! Real shards: redis-servers that die with the test.

use std::cell::RefCell;
use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Some redis-servers, each on a TCP port and on a unix socket.
pub struct Fleet {
    pub shards: Vec<Shard>,
    pub directory: TempDir,
}

/// One redis-server.
pub struct Shard {
    pub host: String,
    pub port: u16,
    pub socket: PathBuf,
    connection: RefCell<Option<redis::Connection>>,
    process: Child,
}

impl Fleet {
    /// Starts `count` shards. The first listens on memcached's port 11211, which twemproxy
    /// leaves out of a server's name, on a loopback address of its own.
    pub fn start(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shards: Vec<Shard> = (0..count).map(|n| Shard::start(&directory, n)).collect();
        shards.iter().for_each(Shard::wait);
        Self { shards, directory }
    }
}

impl Shard {
    fn start(directory: &TempDir, number: usize) -> Self {
        let (host, port) = if number == 0 {
            let pick = || fastrand::u8(1..255);
            (format!("127.{}.{}.{}", pick(), pick(), pick()), 11211)
        } else {
            ("127.0.0.1".into(), free_port())
        };
        let socket = directory.path().join(format!("s{number}.sock"));
        let process = dying_with_us("redis-server")
            .args(["--save", "", "--appendonly", "no", "--maxclients", "256"])
            .args(["--bind", &host, "--port", &port.to_string()])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn();
        let process = started(process, "redis-server");
        Self { host, port, socket, connection: RefCell::default(), process }
    }

    /// Every key that lives here.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.ask(redis::cmd("KEYS").arg("*"))
    }

    /// Forgets all keys.
    pub fn clear(&self) {
        self.ask(&redis::cmd("FLUSHALL"))
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let mut connection = self.connection.borrow_mut();
        command.query(connection.as_mut().expect("the fleet waited for it")).unwrap()
    }

    /// Ends the shard for good.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn try_connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("unix://{}", self.socket.display()))?.get_connection()
    }

    fn wait(&self) {
        let start = Instant::now();
        let connection = loop {
            match self.try_connect() {
                Ok(connection) => break connection,
                Err(error) if start.elapsed() > Duration::from_secs(20) => {
                    panic!("no shard at {}: {error}", self.socket.display())
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        self.connection.replace(Some(connection));
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command that the kernel kills when the test ends, however it ends.
pub fn dying_with_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]).stdin(Stdio::null());
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()));
    assert!(found, "this test needs {program}: apt-get install redis-server nutcracker");
    command
}

/// The process, or the reason why there is none.
pub fn started(process: std::io::Result<Child>, program: &str) -> Child {
    match process {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{program} is started through setpriv: apt-get install util-linux")
        }
        Err(error) => panic!("{program} did not start: {error}"),
    }
}

/// A port that nobody has now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file for a process's output.
pub fn log_file(directory: &TempDir, name: &str) -> File {
    File::create(directory.path().join(name)).unwrap()
}
