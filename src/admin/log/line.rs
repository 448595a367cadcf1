//! A line of the log for people.

use std::fmt;
use std::time::SystemTime;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Timestamp;

/// `[2026-11-22 19:00:32.847Z] WARN circlet::shard: message field=value`, with the level in colour
/// where the writer has colours.
pub(super) struct Line;

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
        let (time, level) = (Timestamp(SystemTime::now()), metadata.level());
        match writer.has_ansi_escapes() {
            true => write!(writer, "[{time}] {}{level}{PLAIN} ", colour(*level))?,
            false => write!(writer, "[{time}] {level} ")?,
        }
        write!(writer, "{}: ", metadata.target())?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

const PLAIN: &str = "\x1b[0m";
