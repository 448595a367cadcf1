//! The log: to standard error or a file, as text or JSON, with a level that signals change.
//!
//! ```text
//! [2026-11-22 19:00:32.847Z] WARN circlet::shard: pool alpha, shard cache1: ejected …
//! ```

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, reload};

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

/// The running log. Signals turn its level and reopen its file.
#[derive(Debug)]
pub struct Logging {
    level: AtomicU8,
    filter: reload::Handle<LevelFilter, Registry>,
    output: Output,
}

impl Logging {
    /// Opens the log and makes it the process's. `level` is twemproxy's, 0 to 11; without a `file`
    /// the log goes to standard error.
    ///
    /// # Errors
    /// When the file cannot be opened, or the process has a log already.
    pub fn start(level: u8, format: LogFormat, file: Option<&Path>) -> io::Result<Self> {
        let (subscriber, logging) = Self::build(level, format, file)?;
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(logging)
    }

    fn build(
        level: u8,
        format: LogFormat,
        file: Option<&Path>,
    ) -> io::Result<(impl Subscriber + Send + Sync, Self)> {
        let level = level.min(MAX_LEVEL);
        let output = Output::open(file)?;
        let (layer, filter) = reload::Layer::new(filter_of(level));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(output.clone());
        let lines = match format {
            LogFormat::Text => lines.event_format(Line).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let logging = Self { level: AtomicU8::new(level), filter, output };
        Ok((Registry::default().with(layer).with(lines), logging))
    }

    /// The level, 0 to 11.
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Logs one level more (signal TTIN), and returns the new level.
    pub fn level_up(&self) -> u8 {
        self.turn(|level| level.saturating_add(1).min(MAX_LEVEL))
    }

    /// Logs one level less (signal TTOU), and returns the new level.
    pub fn level_down(&self) -> u8 {
        self.turn(|level| level.saturating_sub(1))
    }

    /// Opens the log's file anew under its name (signal HUP), after something renamed it.
    ///
    /// # Errors
    /// When the file cannot be opened; the log then goes on into the old one.
    pub fn reopen(&self) -> io::Result<()> {
        self.output.reopen()
    }

    fn turn(&self, change: impl Fn(u8) -> u8) -> u8 {
        let level = change(self.level());
        self.level.store(level, Ordering::Relaxed);
        if let Err(error) = self.filter.reload(filter_of(level)) {
            tracing::error!("the log level cannot be changed: {error}");
        }
        level
    }
}

/// What of our five levels twemproxy's twelve show: 0–3 EMERG to ERR, 4 WARN, 5 NOTICE (what an
/// operator wants to know), 6 INFO and 7 DEBUG (each connection), from 8 everything.
fn filter_of(level: u8) -> LevelFilter {
    match level {
        0..=3 => LevelFilter::ERROR,
        4 => LevelFilter::WARN,
        5 => LevelFilter::INFO,
        6..=7 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Where lines go: a file that can be opened anew, or standard error.
#[derive(Debug, Clone)]
struct Output {
    path: Option<PathBuf>,
    file: Arc<ArcSwapOption<File>>,
}

impl Output {
    fn open(path: Option<&Path>) -> io::Result<Self> {
        let output =
            Self { path: path.map(Path::to_owned), file: Arc::new(ArcSwapOption::empty()) };
        output.reopen()?;
        Ok(output)
    }

    fn reopen(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // The mode is given because a daemon's umask is 0.
        let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
        self.file.store(Some(Arc::new(file)));
        Ok(())
    }
}

/// A line on its way: written whole in one call, so lines of several threads do not mix.
enum LineWriter {
    File(Arc<File>),
    Stderr(io::Stderr),
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        match self.file.load_full() {
            Some(file) => LineWriter::File(file),
            None => LineWriter::Stderr(io::stderr()),
        }
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stderr(stderr) => stderr.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text format.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let time = Timestamp(SystemTime::now());
        write!(writer, "[{time}] {} {}: ", metadata.level(), metadata.target())?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// A moment as `2026-11-22 19:00:32.847Z`, in UTC.
struct Timestamp(SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since: Duration = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (year, month, day) = civil(since.as_secs() / 86_400);
        let second = since.as_secs() % 86_400;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let millisecond = since.subsec_millis();
        write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

/// The date of a day counted from 1970-01-01 (H. Hinnant, "chrono-compatible low-level date
/// algorithms"): years begin in March, so that the leap day is the last.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_dates() {
        let at = |second| Timestamp(UNIX_EPOCH + Duration::from_millis(second)).to_string();
        assert_eq!(at(0), "1970-01-01 00:00:00.000Z");
        assert_eq!(at(951_782_400_000), "2000-02-29 00:00:00.000Z");
        assert_eq!(at(1_795_374_032_847), "2026-11-22 19:00:32.847Z");
        assert_eq!(at(4_107_542_399_999), "2100-02-28 23:59:59.999Z");
    }

    #[test]
    fn levels_turn_while_running_and_stop_at_the_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (subscriber, logging) = Logging::build(5, LogFormat::Text, Some(&path)).unwrap();
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
        let (subscriber, logging) = Logging::build(5, LogFormat::Json, Some(&path)).unwrap();
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
}
