//! What is told of streams of commands, held against exact counts that fade in the same way.

use std::collections::HashMap;
use std::time::Duration;

use super::hitters::Noted;
use super::report::{HotKey, PoolReport, merge};
use super::*;

/// Keys of which a stream is drawn.
const KEYS: usize = 1_000_000;

/// A stream of commands, spread over two workers, in a time that only its seconds make pass.
struct Stream {
    workers: [HotKeys; 2],
    now: Instant,
    /// The share of all keys up to each, in the order of their popularity.
    shares: Vec<f64>,
    /// Commands of each key with the weight of their moment, and the seconds.
    exact: HashMap<usize, f64>,
    all: f64,
    seconds: f64,
    random: fastrand::Rng,
}

impl Stream {
    /// The key of rank `r` comes `1 / r^exponent` as often as the first; exponent 0 is uniform.
    fn zipf(exponent: f64, samples: u32) -> Self {
        // The samplers draw from the thread's own generator.
        fastrand::seed(11);
        let mut sum = 0.0;
        let mut shares: Vec<f64> = (1..=KEYS)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        shares.iter_mut().for_each(|share| *share /= sum);
        let mut workers = [HotKeys::default(), HotKeys::default()];
        workers.iter_mut().for_each(|worker| worker.begin(samples));
        Self {
            workers,
            now: Instant::now(),
            shares,
            exact: HashMap::new(),
            all: 0.0,
            seconds: 0.0,
            random: fastrand::Rng::with_seed(5),
        }
    }

    /// A second with so many commands; `hot` is the chance that one is for key [`HOT`] instead.
    fn second(&mut self, commands: usize, hot: f64) {
        for _ in 0..commands {
            let key = match self.random.f64() < hot {
                true => HOT,
                false => {
                    let place = self.random.f64();
                    self.shares.partition_point(|&share| share < place)
                }
            };
            *self.exact.entry(key).or_default() += 1.0;
            let worker = self.random.usize(..2);
            self.command(worker, key);
        }
        self.all += commands as f64;
        self.seconds += 1.0;
        self.now += Duration::from_secs(1);
        let fade = 0.5f64.powf(1.0 / decay::HALF_LIFE.as_secs_f64());
        self.exact.values_mut().for_each(|count| *count *= fade);
        (self.all, self.seconds) = (self.all * fade, self.seconds * fade);
        self.workers.iter_mut().for_each(|worker| worker.tick(self.now));
    }

    fn command(&mut self, worker: usize, key: usize) {
        let worker = &mut self.workers[worker];
        if !worker.sampler.is_due() {
            return;
        }
        let stands_for = worker.sampler.take().expect("it is on") as f32;
        let weight = worker.decay.weight();
        let tracker = tracker_of(&mut worker.trackers, 0);
        tracker.command(stands_for, weight);
        let text = format!("key:{key}");
        let (key, hash) = (text.as_bytes(), key::hash(text.as_bytes()));
        let (command, writes, bytes, shard) = ("get", false, 30, 0);
        let noted = Noted { key, hash, shard, command, writes, bytes, stands_for };
        tracker.key(&noted, weight, self.now);
        worker.sampler.noted(1);
    }

    fn report(&self) -> PoolReport {
        let known =
            self.workers.iter().map(|worker| worker.known(0, "pool", self.now, |_, _| (0, None)));
        merge(known.collect()).expect("two workers")
    }

    /// The true rate of a key that is told of.
    fn rate(&self, told: &HotKey) -> f64 {
        let key = String::from_utf8_lossy(&told.key.start);
        let key: usize = key["key:".len()..].parse().unwrap();
        self.exact.get(&key).copied().unwrap_or(0.0) / self.seconds
    }

    /// How many of the truly hottest `count` keys are among those told first. Keys as hot as the
    /// last of them to within a tenth may stand for each other.
    fn recall(&self, count: usize) -> usize {
        let mut rates: Vec<f64> = self.exact.values().map(|all| all / self.seconds).collect();
        rates.sort_by(|one, other| other.total_cmp(one));
        let least = rates[count - 1] * 0.9;
        self.report().hot[..count].iter().filter(|told| self.rate(told) >= least).count()
    }

    fn figures(&self) -> Figures {
        let report = self.report();
        let errors: Vec<f64> = report.hot[..10]
            .iter()
            .map(|told| (told.rate - self.rate(told)).abs() / self.rate(told).max(1.0))
            .collect();
        let held =
            report.hot.iter().filter(|told| (told.rate - self.rate(told)).abs() <= told.error);
        Figures {
            recall_10: self.recall(10),
            recall_20: self.recall(20),
            mean_error: errors.iter().sum::<f64>() / 10.0,
            worst_error: errors.iter().copied().fold(0.0, f64::max),
            bounds_held: held.count() as f64 / report.hot.len() as f64,
            rate_error: (report.rate - self.all / self.seconds).abs() / (self.all / self.seconds),
        }
    }
}

/// How good what is told is.
#[derive(Debug)]
struct Figures {
    recall_10: usize,
    recall_20: usize,
    mean_error: f64,
    worst_error: f64,
    bounds_held: f64,
    rate_error: f64,
}

fn play(exponent: f64, seconds: usize, commands: usize) -> Figures {
    let mut stream = Stream::zipf(exponent, SAMPLES);
    (0..seconds).for_each(|_| stream.second(commands, 0.0));
    stream.figures()
}

/// A key that the streams otherwise nearly never have.
const HOT: usize = KEYS - 7;

/// The figures of the documentation: `cargo test --release --lib hotkeys::tests -- --ignored
/// --nocapture`.
#[test]
#[ignore = "takes minutes unless optimized"]
fn figures() {
    for commands in [20_000, 200_000] {
        for exponent in [0.0, 0.8, 1.0, 1.2] {
            println!("{exponent} {commands}: {:.3?}", play(exponent, 60, commands));
        }
    }
}
