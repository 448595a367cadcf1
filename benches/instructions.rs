//! Instructions an operation, counted by valgrind: the same on a busy machine as on an idle one.
//!
//! The program runs itself under `valgrind --tool=callgrind` with few and with many rounds of a
//! piece of work; the difference, by round, is what one costs.

use std::hint::black_box;
use std::process::{Command, ExitCode};

use circlet::command::{self, keys};
use circlet::config::{Distribution, Hash};
use circlet::outbox::{Outbox, SpareBuffers};
use circlet::reply::slots::{Frame, Replies};
use circlet::reply::{Merge, MergeKind};
use circlet::resp::{ReplyLimits, ReplyScanner, Request, RequestLimits, RequestScanner};
use circlet::route::ring::{Ring, RingSpec};

const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n";
const BULK: &[u8] = b"$64\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n";

type Work = (&'static str, fn(u64));

const WORKS: &[Work] = &[
    ("scan GET", scan_get),
    ("scan a 64-byte reply", scan_reply),
    ("resolve GET and find its key", resolve_get),
    ("place a key: fnv1a_64, ketama, 3 shards", |rounds| place(rounds, Distribution::Ketama)),
    ("place a key: fnv1a_64, rendezvous, 3 shards", |rounds| {
        place(rounds, Distribution::Rendezvous);
    }),
    ("pair a reply that is due", pair_due),
    ("pair a reply that comes early", pair_early),
    ("merge three integers", merge_integers),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name, rounds] = &arguments[..]
        && flag == "--work"
    {
        let work = WORKS.iter().find(|(known, _)| known == name).expect("a known work").1;
        work(rounds.parse().expect("a number of rounds"));
        return ExitCode::SUCCESS;
    }
    println!("| work | instructions |\n|---|---|");
    for (name, _) in WORKS {
        let (few, many) = (count(name, FEW), count(name, MANY));
        let (Some(few), Some(many)) = (few, many) else {
            eprintln!("valgrind did not count: is it installed?");
            return ExitCode::FAILURE;
        };
        println!("| {name} | {} |", (many - few) / (MANY - FEW));
    }
    ExitCode::SUCCESS
}

/// Instructions of this program doing `rounds` rounds of a work.
fn count(name: &str, rounds: u64) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--work", name, &rounds.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

fn scan_get(rounds: u64) {
    let (mut scanner, limits) = (RequestScanner::default(), RequestLimits::default());
    for _ in 0..rounds {
        black_box(scanner.scan(black_box(GET), &limits).is_ok());
        scanner.reset();
    }
}

fn scan_reply(rounds: u64) {
    let (mut scanner, limits) = (ReplyScanner::default(), ReplyLimits::default());
    for _ in 0..rounds {
        black_box(scanner.scan(black_box(BULK), &limits).is_ok());
        scanner.reset();
    }
}

fn resolve_get(rounds: u64) {
    let mut scanner = RequestScanner::default();
    scanner.scan(GET, &RequestLimits::default()).expect("a command");
    let request = Request::new(GET, scanner.args());
    for _ in 0..rounds {
        let spec = command::resolve(black_box(&request)).expect("a known command");
        let mut positions = command::KeyPositions::new();
        keys::find(spec, &request, &mut positions).expect("one key");
        black_box(&positions);
    }
}

fn place(rounds: u64, distribution: Distribution) {
    let servers = [("127.0.0.1:6379", 1), ("127.0.0.1:6380", 1), ("127.0.0.1:6381", 1)];
    let spec = RingSpec { hash: Hash::Fnv1a64, distribution, ..RingSpec::new(&servers) };
    let ring: Ring = spec.build();
    for _ in 0..rounds {
        black_box(ring.shard(black_box(b"key:000000012345")));
    }
}

fn pair_due(rounds: u64) {
    let (mut replies, mut out, mut spare) = <(Replies, Outbox, SpareBuffers)>::default();
    for _ in 0..rounds {
        let sequence = replies.reserve();
        replies.fill(sequence, Frame::Small(black_box(BULK)), &mut out, &mut spare);
        out.clear(&mut spare);
    }
}

fn pair_early(rounds: u64) {
    let (mut replies, mut out, mut spare) = <(Replies, Outbox, SpareBuffers)>::default();
    for _ in 0..rounds / 2 {
        let (first, second) = (replies.reserve(), replies.reserve());
        replies.fill(second, Frame::Small(black_box(BULK)), &mut out, &mut spare);
        replies.fill(first, Frame::Small(black_box(BULK)), &mut out, &mut spare);
        out.clear(&mut spare);
    }
}

fn merge_integers(rounds: u64) {
    let mut out = Vec::new();
    for _ in 0..rounds {
        let mut merge = Merge::new(MergeKind::Sum, 3);
        for part in 0..3 {
            merge.fill(part, black_box(b":12\r\n"));
        }
        out.clear();
        merge.write(&mut out);
        black_box(&out);
    }
}

/// Enough for both to be past the first touches of memory.
const FEW: u64 = 1_000;
const MANY: u64 = 101_000;
