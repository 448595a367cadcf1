//! A monitor on a thread of its own, and what it published and logged.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use circlet::admin::counters::HealthCounters;
use circlet::config::Config;
use circlet::shard::health::{Failure, ShardHealth, State};
use circlet::shard::monitor::Monitor;
use circlet::tls::keeper::Certificates;
use tokio::sync::{mpsc, oneshot};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

type Published = Vec<(Instant, usize, Vec<ShardHealth>)>;

pub struct Watch {
    published: Arc<Mutex<Published>>,
    log: Log,
    pub counters: Arc<HealthCounters>,
    failures: mpsc::UnboundedSender<Failure>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    pub fn start(config: &Config) -> Self {
        let monitor = Monitor::new(config, &Certificates::load(config).expect("no files"));
        let counters = monitor.counters();
        let (published, log) = (Arc::<Mutex<Published>>::default(), Log::default());
        let (failures, receiver) = mpsc::unbounded_channel();
        let (shutdown, stop) = oneshot::channel::<()>();
        let (shared, writer) = (Arc::clone(&published), log.clone());
        let thread = std::thread::spawn(move || {
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            let _guard = tracing::subscriber::set_default(subscriber);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let publish = move |pool, health| {
                shared.lock().unwrap().push((Instant::now(), pool, health));
            };
            let stopped = async { drop(stop.await) };
            runtime.block_on(monitor.run(receiver, publish, stopped));
        });
        let watch = Self {
            published,
            log,
            counters,
            failures,
            shutdown: Some(shutdown),
            thread: Some(thread),
        };
        watch.until("the first publication", || !watch.published.lock().unwrap().is_empty());
        watch
    }

    /// The state of a shard of the first pool.
    pub fn state(&self, shard: usize) -> State {
        self.health(shard).state
    }

    pub fn health(&self, shard: usize) -> ShardHealth {
        let published = self.published.lock().unwrap();
        let last = published.iter().rfind(|(_, pool, _)| *pool == 0).unwrap();
        last.2[shard].clone()
    }

    pub fn publications(&self) -> usize {
        self.published.lock().unwrap().len()
    }

    pub fn fail(&self, shard: usize) {
        self.failures.send(Failure::now(0, shard, "Connection reset by peer")).unwrap();
    }

    /// Waits until the shard is in this state; how long that took.
    pub fn until_state(&self, shard: usize, state: State) -> Duration {
        self.until(&format!("{state:?}"), || self.state(shard) == state)
    }

    pub fn until_log(&self, text: &str) -> Duration {
        self.until(text, || self.log().contains(text))
    }

    pub fn log(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) -> Duration {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "waited for {what}; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        start.elapsed()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the monitor panicked");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
