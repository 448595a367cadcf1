//! The log: to standard error or a file, as text or JSON, with a level for each module that can be
//! changed while running.
//!
//! ```text
//! [2026-11-22 19:00:32.847Z] WARN circlet::shard: pool alpha, shard cache1: ejected …
//! ```

mod filter;
mod floods;
mod line;
mod output;
mod time;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

pub use filter::LogFilter;
use floods::Floods;
use line::Line;
pub(crate) use output::Output;
pub use time::Timestamp;

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Time, level, target, message: for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// twemproxy's highest level.
pub const MAX_LEVEL: u8 = 11;

/// The running log. Signals and commands turn its level, signals reopen its file.
#[derive(Debug)]
pub struct Logging {
    shown: Mutex<Shown>,
    filter: reload::Handle<Targets, Registry>,
    floods: Floods,
    output: Output,
}

/// What is logged at present.
#[derive(Debug, Clone)]
struct Shown {
    /// twemproxy's, for the modules that `filter` does not name.
    level: u8,
    filter: LogFilter,
}

static RUNNING: OnceLock<Logging> = OnceLock::new();

impl Logging {
    /// Opens the log and makes it the process's. `level` is twemproxy's, 0 to 11, unless `filter`
    /// says one; without a `file` the log goes to standard error.
    ///
    /// # Errors
    /// When the file cannot be opened, or the process has a log already.
    pub fn start(
        level: u8,
        filter: LogFilter,
        format: LogFormat,
        file: Option<&Path>,
    ) -> io::Result<&'static Self> {
        let (subscriber, logging) = Self::build(level, filter, format, file)?;
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(RUNNING.get_or_init(|| logging))
    }

    /// The process's log, if it has one: a program that embeds circlet may have its own.
    pub fn running() -> Option<&'static Self> {
        RUNNING.get()
    }

    fn build(
        level: u8,
        filter: LogFilter,
        format: LogFormat,
        file: Option<&Path>,
    ) -> io::Result<(impl Subscriber + Send + Sync, Self)> {
        let level = filter.level.unwrap_or(level).min(MAX_LEVEL);
        let output = Output::open(file)?;
        let has_colours = file.is_none() && format == LogFormat::Text && wants_colours();
        let (layer, handle) = reload::Layer::new(filter.targets(level));
        let lines =
            tracing_subscriber::fmt::layer().with_ansi(has_colours).with_writer(output.clone());
        let lines = match format {
            LogFormat::Text => lines.event_format(Line).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let floods = Floods::default();
        let subscriber = Registry::default().with(layer).with(lines.with_filter(floods.clone()));
        let shown = Mutex::new(Shown { level, filter });
        Ok((subscriber, Self { shown, filter: handle, floods, output }))
    }

    /// The level of all modules that have none of their own, 0 to 11.
    pub fn level(&self) -> u8 {
        self.shown().level
    }

    /// What is logged, as [`LogFilter`] is written.
    pub fn filter(&self) -> String {
        let shown = self.shown();
        shown.filter.text(shown.level)
    }

    /// Logs one level more (signal TTIN), and returns the new level.
    pub fn level_up(&self) -> u8 {
        self.turn(|shown| shown.level = shown.level.saturating_add(1).min(MAX_LEVEL)).level
    }

    /// Logs one level less (signal TTOU), and returns the new level.
    pub fn level_down(&self) -> u8 {
        self.turn(|shown| shown.level = shown.level.saturating_sub(1)).level
    }

    /// Logs what `filter` says from now on. The level of modules that it does not name stays
    /// unless it says one.
    pub fn set_filter(&self, filter: LogFilter) {
        self.turn(|shown| {
            shown.level = filter.level.unwrap_or(shown.level);
            shown.filter = filter;
        });
    }

    /// Opens the log's file anew under its name (signal HUP), after something renamed it.
    ///
    /// # Errors
    /// When the file cannot be opened; the log then goes on into the old one.
    pub fn reopen(&self) -> io::Result<()> {
        self.output.reopen()
    }

    /// Tells, for as long as it is awaited, how many lines were left out because they repeated.
    pub async fn tell_left_out(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            floods::tell(self.floods.over(Instant::now()));
        }
    }

    fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn turn(&self, change: impl FnOnce(&mut Shown)) -> Shown {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut shown);
        if let Err(error) = self.filter.reload(shown.filter.targets(shown.level)) {
            tracing::error!("the log level cannot be changed: {error}");
        }
        shown.clone()
    }
}

/// Whether standard error is a terminal whose reader does not mind colours
/// (<https://no-color.org>).
fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_turn_while_running_and_stop_at_the_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (subscriber, logging) =
            Logging::build(5, LogFilter::default(), LogFormat::Text, Some(&path)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("first");
            assert_eq!(logging.level_up(), 6);
            tracing::debug!("second");
            assert_eq!(logging.level_down(), 5);
            tracing::debug!("third");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("first") && !text.contains("third"), "{text}");
        assert!(text.contains("DEBUG circlet::admin::log::tests: second"), "{text}");
        for _ in 0..20 {
            logging.level_up();
        }
        assert_eq!(logging.level(), 11);
        for _ in 0..20 {
            logging.level_down();
        }
        assert_eq!(logging.level(), 0);
    }

    #[test]
    fn reopening_leaves_the_renamed_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, renamed) = (folder.path().join("log"), folder.path().join("log.1"));
        let (subscriber, logging) =
            Logging::build(5, LogFilter::default(), LogFormat::Json, Some(&path)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(pool = "alpha", "before");
            std::fs::rename(&path, &renamed).unwrap();
            tracing::info!("between");
            logging.reopen().unwrap();
            tracing::info!("after");
        });
        let old = std::fs::read_to_string(&renamed).unwrap();
        let lines: Vec<serde_json::Value> =
            old.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["message"], &lines[0]["pool"]), (&"before".into(), &"alpha".into()));
        let new = std::fs::read_to_string(&path).unwrap();
        assert!(new.contains("after") && new.lines().count() == 1, "{new}");
    }

    #[test]
    fn a_filter_names_modules_and_is_changed_while_running() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let filter = "warn,admin::log=debug".parse().unwrap();
        let (subscriber, logging) =
            Logging::build(5, filter, LogFormat::Text, Some(&path)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!((logging.level(), &logging.filter()[..]), (4, "warn,admin::log=debug"));
            tracing::debug!("first");
            tracing::info!(target: "circlet::shard", "second");
            logging.set_filter("shard=info".parse().unwrap());
            tracing::debug!("third");
            tracing::info!(target: "circlet::shard", "fourth");
            assert_eq!(logging.level_up(), 5);
            tracing::info!("fifth");
            assert_eq!(logging.filter(), "info,shard=info");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let said: Vec<&str> = text.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(said, ["first", "fourth", "fifth"]);
    }

    #[test]
    fn what_repeats_is_counted_for_each_shard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (subscriber, logging) =
            Logging::build(7, LogFilter::default(), LogFormat::Json, Some(&path)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            for turn in 0..90 {
                for shard in ["a", "b"] {
                    tracing::warn!(pool = "alpha", shard, turn, "link to shard failed");
                }
                tracing::debug!("never left out");
            }
            floods::tell(logging.floods.over(Instant::now()));
            floods::tell(logging.floods.over(Instant::now() + floods::WINDOW));
            tracing::warn!(pool = "alpha", shard = "a", "link to shard failed");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |shard: &str| lines.iter().filter(|line| line["shard"] == shard).count();
        assert_eq!(of("b"), floods::BURST as usize + 1);
        assert_eq!(of("a"), floods::BURST as usize + 2, "a new window begins");
        assert_eq!(lines.iter().filter(|line| line["level"] == "DEBUG").count(), 90);
        let told = lines.iter().find(|line| line["left_out"] == 40).unwrap();
        assert!(
            told["message"].as_str().unwrap().ends_with("10 s: link to shard failed"),
            "{told}"
        );
    }

    #[test]
    fn fields_that_the_message_tells_are_for_programs_and_nothing_forges_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (subscriber, _logging) =
            Logging::build(5, LogFilter::default(), LogFormat::Text, Some(&path)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let (pool, shard) = ("alpha", "one");
            tracing::warn!(pool, shard, count = 3, "shard {shard} of pool alpha is out");
            tracing::warn!(pool, text = %"b", "said: {}", "x\n[2026] ERROR \x1b[31m");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let said: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once("tests: "))
            .map(|(_, said)| said)
            .collect();
        assert_eq!(
            said,
            [
                "shard one of pool alpha is out count=3",
                "said: x\\n[2026] ERROR \\u{1b}[31m pool=\"alpha\" text=b"
            ]
        );
    }
}
