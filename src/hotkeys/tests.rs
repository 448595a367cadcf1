//! What is told of streams of commands, held against exact counts that fade in the same way.

use std::collections::HashMap;
use std::time::Duration;

use super::hitters::Noted;
use super::key::Key;
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
        tracker.key(&noted, weight);
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
        self.report().hot.iter().take(count).filter(|told| self.rate(told) >= least).count()
    }

    fn figures(&self) -> Figures {
        let report = self.report();
        let error = |told: &HotKey| (told.rate - self.rate(told)).abs();
        let hottest = &report.hot[..report.hot.len().min(10)];
        let errors: Vec<f64> =
            hottest.iter().map(|told| error(told) / self.rate(told).max(1.0)).collect();
        let held = report.hot.iter().filter(|told| error(told) <= told.error).count();
        Figures {
            told: report.hot.len(),
            recall_10: self.recall(10),
            recall_20: self.recall(20),
            mean_error: errors.iter().sum::<f64>() / errors.len() as f64,
            worst_error: errors.iter().copied().fold(0.0, f64::max),
            bounds_held: held as f64 / report.hot.len() as f64,
            pool_error: (report.rate * self.seconds / self.all - 1.0).abs(),
        }
    }
}

/// How good what is told is.
#[derive(Debug)]
struct Figures {
    /// Keys that are told of.
    told: usize,
    /// How many of the truly hottest ten, and twenty, are told first.
    recall_10: usize,
    recall_20: usize,
    /// How far the rates of the ten told first are from the truth.
    mean_error: f64,
    worst_error: f64,
    /// The share of all keys told whose true rate is within their error.
    bounds_held: f64,
    /// How far the pool's rate is from the truth.
    pool_error: f64,
}

/// The figures after so many seconds of so many commands.
fn play(exponent: f64, seconds: usize, commands: usize) -> Figures {
    let mut stream = Stream::zipf(exponent, SAMPLES);
    (0..seconds).for_each(|_| stream.second(commands, 0.0));
    stream.figures()
}

/// A key that the streams otherwise nearly never have.
const HOT: usize = KEYS - 7;

#[test]
fn the_hottest_keys_of_skewed_streams_are_found_with_their_rates() {
    for (exponent, recall) in [(0.8, 8), (1.0, 9), (1.2, 9)] {
        let figures = play(exponent, 15, 20_000);
        assert!(figures.recall_10 >= recall, "{exponent}: {figures:?}");
        assert!(figures.recall_20 >= recall * 2, "{exponent}: {figures:?}");
        assert!(figures.mean_error < 0.2, "{exponent}: {figures:?}");
        assert!(figures.bounds_held > 0.85, "{exponent}: {figures:?}");
        assert!(figures.pool_error < 0.02, "{exponent}: {figures:?}");
        assert!(figures.worst_error < 0.6 && figures.told >= 20, "{exponent}: {figures:?}");
    }
}

#[test]
fn where_all_keys_are_alike_none_is_hot() {
    let mut stream = Stream::zipf(0.0, SAMPLES);
    (0..15).for_each(|_| stream.second(20_000, 0.0));
    let report = stream.report();
    assert!(report.hot.len() <= 12, "{:?}", report.hot);
    assert!(report.hot.iter().all(|told| told.share < 0.001), "{:?}", report.hot);
}

#[test]
fn a_key_that_becomes_hot_is_told_within_seconds_and_fades_when_it_is_over() {
    let mut stream = Stream::zipf(1.0, SAMPLES);
    let place = |stream: &Stream| {
        let hot = stream.report().hot;
        let name = format!("key:{HOT}").into_bytes();
        hot.iter().position(|told| told.key.start == name).map(|place| (place, hot[place].share))
    };
    (0..15).for_each(|_| stream.second(10_000, 0.0));
    assert_eq!(place(&stream), None);
    stream.second(10_000, 0.2);
    let (after_1_s, _) = place(&stream).expect("it is told after a second");
    assert!(after_1_s < 20, "{after_1_s}");
    (0..9).for_each(|_| stream.second(10_000, 0.2));
    let (after_10_s, share) = place(&stream).expect("it is told");
    assert_eq!(after_10_s, 0);
    assert!((0.08..0.16).contains(&share), "half of 20 % or a little more is {share}");
    (0..60).for_each(|_| stream.second(5_000, 0.0));
    let after_a_minute = place(&stream).map_or(0.0, |(_, share)| share);
    assert!(after_a_minute < 0.01, "{after_a_minute}");
}

#[test]
fn few_commands_are_counted_exactly() {
    let mut stream = Stream::zipf(1.2, SAMPLES);
    (0..5).for_each(|_| stream.second(100, 0.5));
    let told = &stream.report().hot[0];
    assert!((told.rate / stream.rate(told) - 1.0).abs() < 0.001, "{told:?}");
    assert!(told.error < 0.001, "{told:?}");
}

#[test]
fn memory_does_not_grow_with_the_keys() {
    let mut worker = HotKeys::default();
    worker.begin(SAMPLES);
    let now = Instant::now();
    let tracker = tracker_of(&mut worker.trackers, 0);
    for key in 0..20_000 {
        let text = format!("{key:0500}:{key}");
        let (key, hash) = (text.as_bytes(), key::hash(text.as_bytes()));
        let (command, writes, bytes, shard) = ("set", true, 100_000 + text.len(), 1);
        let noted = Noted { key, hash, shard, command, writes, bytes, stands_for: 1.0 };
        tracker.key(&noted, 1.0);
        tracker.big.note(&noted.transfer(), 1.0, now);
    }
    let keys = tracker.hitters.listed().iter().map(|hitter| &hitter.key);
    let keys: Vec<&Key> = keys.chain(tracker.big.listed(now).map(|big| &big.key)).collect();
    assert_eq!(keys.len(), hitters::LISTED + big::LISTED);
    assert!(keys.iter().all(|key| key.start.capacity() <= key::KEPT && key.length > 500));
}

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
