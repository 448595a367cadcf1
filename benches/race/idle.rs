//! What a connection costs that does nothing.

use rustix::process::{Pid, Signal, kill_process};

use crate::contestants::Entry;
use crate::harness::{Client, Reply, Shard, encode};
use crate::measure::resident_bytes;

/// How the connections came to be idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Past {
    /// Each has sent a PING and read its answer before the next one did.
    OneByOne,
    /// All have sent a PING before the first of them was answered.
    AllAtOnce,
}

impl Past {
    /// Both, in the order of the report.
    pub const ALL: [Past; 2] = [Past::OneByOne, Past::AllAtOnce];

    /// How it is named in the report.
    pub fn title(self) -> &'static str {
        match self {
            Past::OneByOne => "5,000 connections, one PING after the other",
            Past::AllAtOnce => "5,000 connections, all PINGs at once",
        }
    }
}

/// Bytes of resident memory that one idle connection adds to a fresh process, over many of them.
pub fn bytes_per_connection(entry: &Entry, shards: &[Shard], past: Past) -> Option<f64> {
    let contestant = entry.start(shards).ok()?;
    let pid = contestant.pid.filter(|_| !contestant.two_workers)?;
    let connect = || Client::try_connect(&contestant.address).ok();
    // The first ones pay for what is made once.
    let mut first: Vec<Client> = (0..FIRST).map_while(|_| connect()).collect();
    ping_in_turn(&mut first);
    let before = resident_bytes(pid);
    let mut many: Vec<Client> = (0..CONNECTIONS).map_while(|_| connect()).collect();
    let answered = match past {
        Past::OneByOne => ping_in_turn(&mut many),
        Past::AllAtOnce => ping_at_once(&mut many, pid),
    };
    let grown = resident_bytes(pid) - before;
    if answered < CONNECTIONS {
        println!("{:>12}: only {answered} connections were answered", entry.name);
    }
    (answered > 0).then(|| grown / answered as f64)
}

fn ping_in_turn(clients: &mut [Client]) -> usize {
    let answers = clients.iter_mut().filter_map(|client| client.try_command(&["PING"]).ok());
    answers.filter(is_pong).count()
}

/// The proxy is suspended while the PINGs are sent, so that it meets all of them in one turn.
fn ping_at_once(clients: &mut [Client], pid: u32) -> usize {
    let signal = |signal| {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    };
    signal(Signal::STOP);
    let mut sent = Vec::new();
    for client in clients {
        if client.try_send(&encode(&["PING"])).is_ok() {
            sent.push(client);
        }
    }
    signal(Signal::CONT);
    let answers = sent.into_iter().filter_map(|client| client.try_read_reply().ok());
    answers.filter(is_pong).count()
}

fn is_pong(reply: &Reply) -> bool {
    matches!(reply, Reply::Simple(text) if text == "PONG")
}

const FIRST: usize = 10;
const CONNECTIONS: usize = 5000;
