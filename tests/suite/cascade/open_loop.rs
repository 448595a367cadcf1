//! Clients who do not wait for each other: requests come at random times at a given rate, whatever
//! became of those before, and a request's time counts from when it was meant to be sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::{Address, Client, Reply, encode};

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to.
    pub address: Address,
    /// The keys of each shard.
    pub keys: Vec<Vec<String>>,
    /// How many requests a second each shard's keys are asked for.
    pub rates: Vec<f64>,
}

/// A request and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was to be sent.
    pub at: Instant,
    /// The shard that its key is at home on.
    pub home: usize,
    /// How long it took from then.
    pub latency: Duration,
    /// What came back.
    pub outcome: Outcome,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was served.
    Served,
    /// `-TRYAGAIN`
    Refused,
    /// Another error, or no reply.
    Failed,
}

/// A load that runs.
pub struct Load {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<()>,
    seats: Vec<Arc<Seat>>,
    readers: Vec<JoinHandle<()>>,
}

/// One connection: what is awaited on it, oldest first, and what has come.
#[derive(Default)]
struct Seat {
    awaited: Mutex<VecDeque<(Instant, usize)>>,
    samples: Mutex<Vec<Sample>>,
}

impl Load {
    /// Begins to send.
    pub fn start(plan: Plan) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut seats, mut readers, mut senders) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let seat = Arc::new(Seat::default());
            let client = Client::connect(&plan.address);
            senders.push(client.sender());
            let own = Arc::clone(&seat);
            readers.push(thread::spawn(move || own.read(client)));
            seats.push(seat);
        }
        let (all, stopped) = (seats.clone(), Arc::clone(&stop));
        let sender = thread::spawn(move || send(&plan, senders, &all, &stopped));
        Load { stop, sender, seats, readers }
    }

    /// Sends no more, waits a while for what is owed, and gives all that was sent.
    pub fn finish(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::SeqCst);
        // It closes the connections, and with that ends the readers.
        self.sender.join().expect("the sender does not panic");
        for reader in self.readers {
            reader.join().expect("no reader panics");
        }
        self.seats.iter().flat_map(|seat| std::mem::take(&mut *lock(&seat.samples))).collect()
    }
}

impl Seat {
    fn read(&self, mut client: Client) {
        loop {
            let reply = client.try_read_reply();
            let now = Instant::now();
            let Some((at, home)) = lock(&self.awaited).pop_front() else { return };
            let outcome = match &reply {
                Ok(Reply::Error(text)) if text.starts_with("TRYAGAIN") => Outcome::Refused,
                Ok(Reply::Error(_)) | Err(_) => Outcome::Failed,
                Ok(_) => Outcome::Served,
            };
            lock(&self.samples).push(Sample { at, home, latency: now - at, outcome });
        }
    }

    fn waiting(&self) -> usize {
        lock(&self.awaited).len()
    }
}

fn send(plan: &Plan, mut clients: Vec<Client>, seats: &[Arc<Seat>], stop: &AtomicBool) {
    let total: f64 = plan.rates.iter().sum();
    let mut at = Instant::now();
    let mut turn = 0;
    while !stop.load(Ordering::SeqCst) {
        at += Duration::from_secs_f64(-(1.0 - fastrand::f64()).ln() / total);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let home = draw(&plan.rates, fastrand::f64() * total);
        let key = &plan.keys[home][fastrand::usize(..plan.keys[home].len())];
        turn = free_seat(seats, turn + 1);
        lock(&seats[turn].awaited).push_back((at, home));
        // A connection that the proxy closed shows where it is read.
        let _ = clients[turn].try_send(&encode(&["GET", key]));
    }
    let patience = Instant::now();
    while seats.iter().any(|seat| seat.waiting() > 0) && patience.elapsed() < LONGEST_OWED {
        thread::sleep(Duration::from_millis(5));
    }
    for client in &clients {
        client.close_writing();
    }
}

/// The next connection on which nothing is awaited, as a client's pool would give it; the next one
/// where there is none.
fn free_seat(seats: &[Arc<Seat>], from: usize) -> usize {
    let mut turns = (0..seats.len()).map(|step| (from + step) % seats.len());
    turns.find(|&turn| seats[turn].waiting() == 0).unwrap_or(from % seats.len())
}

fn draw(rates: &[f64], mut chance: f64) -> usize {
    for (index, rate) in rates.iter().enumerate() {
        if chance < *rate {
            return index;
        }
        chance -= rate;
    }
    rates.len() - 1
}

/// The latency below which so many of a hundred of these samples are; 0 of none.
pub fn percentile<'a>(samples: impl Iterator<Item = &'a Sample>, percent: usize) -> Duration {
    let mut latencies: Vec<Duration> = samples.map(|sample| sample.latency).collect();
    latencies.sort_unstable();
    let place = latencies.len() * percent / 100;
    latencies.get(place.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const CONNECTIONS: usize = 64;
/// Without a guard the last requests wait for seconds.
const LONGEST_OWED: Duration = Duration::from_secs(15);
