//! The oracle: a real nutcracker, one pool for each question.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, dying_with_us, free_port, log_file, started};

/// A running nutcracker with some pools.
pub struct Nutcracker {
    process: Child,
    directory: PathBuf,
}

/// What a pool of the oracle says in its file, but for its listening socket.
pub struct PoolText {
    pub name: String,
    pub settings: Vec<(&'static str, String)>,
    pub servers: Vec<String>,
}

impl Nutcracker {
    /// Starts nutcracker with these pools, each on a unix socket in the fleet's directory.
    pub fn start(fleet: &Fleet, pools: &[PoolText]) -> Self {
        let directory = fleet.directory.path().to_owned();
        let file = directory.join("nutcracker.yml");
        std::fs::write(&file, yaml(&directory, pools)).unwrap();
        let process = dying_with_us("nutcracker")
            .args(["-a", "127.0.0.1", "-s", &free_port().to_string(), "-c"])
            .arg(&file)
            .stderr(log_file(&fleet.directory, "nutcracker.log"))
            .spawn();
        let nutcracker = Self { process: started(process, "nutcracker"), directory };
        pools.iter().for_each(|pool| drop(nutcracker.connect(&pool.name)));
        nutcracker
    }

    /// Sets every key through a pool, and returns for each whether it answered `+OK`.
    pub fn set(&self, pool: &str, keys: &[Vec<u8>]) -> Vec<bool> {
        let mut stream = self.connect(pool);
        let mut answers = Vec::new();
        for some in keys.chunks(64) {
            stream
                .write_all(&some.iter().flat_map(|key| set_command(key)).collect::<Vec<u8>>())
                .unwrap();
            answers.extend(some.iter().map(|_| read_line(&mut stream) == b"+OK"));
        }
        answers
    }

    fn connect(&self, pool: &str) -> UnixStream {
        let start = Instant::now();
        loop {
            match UnixStream::connect(self.directory.join(pool)) {
                Ok(stream) => return stream,
                Err(error) if start.elapsed() > Duration::from_secs(20) => {
                    let log = std::fs::read_to_string(self.directory.join("nutcracker.log"));
                    panic!("pool {pool}: {error}; nutcracker says: {log:?}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Nutcracker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn yaml(directory: &std::path::Path, pools: &[PoolText]) -> String {
    let mut text = String::new();
    for pool in pools {
        let socket = directory.join(&pool.name);
        let _ = std::fs::remove_file(&socket);
        writeln!(text, "{}:\n  listen: {}\n  redis: true", pool.name, socket.display()).unwrap();
        for (key, value) in &pool.settings {
            writeln!(text, "  {key}: {value}").unwrap();
        }
        text.push_str("  servers:\n");
        for server in &pool.servers {
            writeln!(text, "  - {server}").unwrap();
        }
    }
    text
}

fn set_command(key: &[u8]) -> Vec<u8> {
    let mut command = format!("*3\r\n$3\r\nSET\r\n${}\r\n", key.len()).into_bytes();
    command.extend_from_slice(key);
    command.extend_from_slice(b"\r\n$1\r\nv\r\n");
    command
}

fn read_line(stream: &mut UnixStream) -> Vec<u8> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).expect("nutcracker answers every SET");
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    line
}
