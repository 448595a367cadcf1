//! What is written down of single requests: the slow ones, the sampled ones, and those that failed.
//!
//! ```text
//!   reply paired ─ slower than slow_threshold? ─► slow log      PROXY SLOWLOG, GET /slowlog
//!        └──────── sampled at arrival? ─────────► access log    a file, by a thread of its own
//!   error to a client ──────────────────────────► error log     PROXY ERRORS, GET /errors
//! ```
//!
//! Nothing here is on the way of a request that is fast, well and not sampled. What such a request
//! said is known until its reply is paired, because the buffers that were written to the shard are
//! kept so long ([`kept`]).

pub mod access;
pub mod errors;
pub mod kept;
pub mod pages;
pub mod redact;
pub mod slow;
#[cfg(feature = "otel")]
pub mod spans;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use access::{Access, AccessLog};
use redact::{Redaction, Redactor};
use slow::{SlowLog, SlowRequest};

/// What the process's settings say of all this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Requests that take longer, in microseconds, are slow; negative: none is.
    pub slow_threshold: i64,
    /// Slow requests that are kept for each pool.
    pub slow_log_max_len: usize,
    /// Where sampled and slow requests are written, if anywhere.
    pub access_log: Option<PathBuf>,
    /// Where spans of sampled requests are sent, if anywhere.
    pub otel_endpoint: Option<String>,
    /// One in so many requests is sampled; 0 for none.
    pub access_log_sample: u32,
    /// How keys are shown.
    pub redaction: Redaction,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            slow_threshold: SLOW_THRESHOLD,
            slow_log_max_len: SLOW_LOG_MAX_LEN,
            access_log: None,
            otel_endpoint: None,
            access_log_sample: 0,
            redaction: Redaction::Off,
        }
    }
}

/// What the workers of a process write down together.
#[derive(Debug)]
pub struct Journal {
    threshold: AtomicI64,
    sample: AtomicU32,
    redactor: ArcSwap<Redactor>,
    /// By pool's name; how many each keeps.
    slow: Mutex<(BTreeMap<String, SlowLog>, usize)>,
    access: OnceLock<AccessLog>,
    #[cfg(feature = "otel")]
    spans: OnceLock<spans::Spans>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            threshold: AtomicI64::new(SLOW_THRESHOLD),
            sample: AtomicU32::new(0),
            redactor: ArcSwap::default(),
            slow: Mutex::new((BTreeMap::new(), SLOW_LOG_MAX_LEN)),
            access: OnceLock::new(),
            #[cfg(feature = "otel")]
            spans: OnceLock::new(),
        }
    }
}

impl Journal {
    /// Does as the settings say from now on. An access log that is open stays.
    ///
    /// # Errors
    /// When the access log cannot be opened, or spans cannot be exported; a sentence.
    pub fn set(&self, settings: &JournalSettings) -> Result<(), String> {
        if let Some(path) = &settings.access_log
            && self.access.get().is_none()
        {
            let opened = AccessLog::open(path);
            let opened = opened.map_err(|error| {
                format!("cannot open the access log {}: {error}", path.display())
            })?;
            let _ = self.access.set(opened);
        }
        if let Some(endpoint) = &settings.otel_endpoint {
            self.export_spans(endpoint)?;
        }
        self.threshold.store(settings.slow_threshold, Ordering::Relaxed);
        self.sample.store(settings.access_log_sample, Ordering::Relaxed);
        let mut redactor = Redactor::clone(&self.redactor());
        redactor.redaction = settings.redaction;
        self.redactor.store(Arc::new(redactor));
        self.with_slow(|logs, most| {
            *most = settings.slow_log_max_len;
            logs.values_mut().for_each(|log| log.keep(*most));
        });
        Ok(())
    }

    /// From how many microseconds on a request is slow; the largest number if none is.
    pub fn slow_threshold(&self) -> u64 {
        u64::try_from(self.threshold.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
    }

    /// One in so many requests is sampled; 0 for none.
    pub fn sample(&self) -> u32 {
        self.sample.load(Ordering::Relaxed)
    }

    #[cfg(feature = "otel")]
    fn export_spans(&self, endpoint: &str) -> Result<(), String> {
        let started = spans::Spans::start(endpoint.parse()?);
        let started = started.map_err(|error| format!("cannot export spans: {error}"))?;
        let _ = self.spans.set(started);
        Ok(())
    }

    #[cfg(not(feature = "otel"))]
    fn export_spans(&self, endpoint: &str) -> Result<(), String> {
        Err(format!(
            "spans cannot be exported to {endpoint}: this circlet was built without the feature \
             otel (cargo build --features otel); write nothing as setting otel_endpoint"
        ))
    }

    /// Whether anybody wants to know of sampled requests.
    pub(crate) fn wants_samples(&self) -> bool {
        #[cfg(feature = "otel")]
        if self.spans.get().is_some() {
            return true;
        }
        self.access().is_some()
    }

    /// Hands on what is known of a sampled request.
    pub(crate) fn write_sample(&self, access: Access) {
        #[cfg(feature = "otel")]
        if let Some(spans) = self.spans.get() {
            spans.send(access.clone());
        }
        if let Some(log) = self.access() {
            log.write(access);
        }
    }

    /// How requests are shown.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor.load_full()
    }

    /// The access log, if there is one.
    pub fn access(&self) -> Option<&AccessLog> {
        self.access.get()
    }

    /// Has the files opened anew under their names, after something renamed them.
    pub fn reopen(&self) {
        if let Some(access) = self.access() {
            access.reopen();
        }
    }

    /// Keeps a slow request of the pool that it names.
    pub fn push_slow(&self, request: SlowRequest) {
        self.with_slow(|logs, most| match logs.get_mut(&request.pool) {
            Some(log) => log.push(request),
            None => {
                let log = logs.entry(request.pool.clone()).or_insert_with(|| SlowLog::new(*most));
                log.push(request);
            }
        });
    }

    /// Does something with the slow log of the pool called `pool`.
    pub fn slow_log<T>(&self, pool: &str, look: impl FnOnce(&mut SlowLog) -> T) -> T {
        self.with_slow(|logs, most| {
            look(logs.entry(pool.to_owned()).or_insert_with(|| SlowLog::new(*most)))
        })
    }

    /// The newest `count` slow requests of all pools, newest first.
    pub fn newest_slow(&self, count: usize) -> Vec<SlowRequest> {
        let mut all: Vec<SlowRequest> =
            self.with_slow(|logs, _| logs.values().flat_map(|log| log.newest(count)).collect());
        all.sort_by_key(|slow| std::cmp::Reverse(slow.at_us));
        all.truncate(count);
        all
    }

    fn with_slow<T>(
        &self,
        look: impl FnOnce(&mut BTreeMap<String, SlowLog>, &mut usize) -> T,
    ) -> T {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let (logs, most) = &mut *slow;
        look(logs, most)
    }
}

/// The present moment in microseconds since 1970.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}

/// Redis's slowlog-log-slower-than.
const SLOW_THRESHOLD: i64 = 10_000;
/// Redis's slowlog-max-len.
const SLOW_LOG_MAX_LEN: usize = 128;
