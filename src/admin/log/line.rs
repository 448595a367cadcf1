//! A line of the log for people.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Timestamp;

/// `[2026-11-22 19:00:32.847Z] WARN circlet::shard: message field=value`, with the level in colour
/// where the writer has colours. Fields that the message tells already are for programs only.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let (time, level) = (Timestamp(SystemTime::now()), metadata.level());
        match writer.has_ansi_escapes() {
            true => write!(writer, "[{time}] {}{level}{PLAIN} ", colour(*level))?,
            false => write!(writer, "[{time}] {level} ")?,
        }
        let mut said = Said::default();
        event.record(&mut said);
        let (message, fields) = (tidy(&said.message), tidy(&said.fields));
        writeln!(writer, "{}: {message}{fields}", metadata.target())
    }
}

/// The parts of a line. Tracing hands the message over first.
#[derive(Default)]
struct Said {
    message: String,
    fields: String,
}

/// What a message may tell in its own words.
const TOLD: [&str; 3] = ["pool", "shard", "cause"];

impl Said {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = write!(self.fields, " {}={value}", field.name());
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            name if TOLD.contains(&name) && self.message.contains(value) => {}
            _ => self.add(field, format_args!("{value:?}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name if TOLD.contains(&name) && self.message.contains(&format!("{value:?}")) => {}
            _ => self.add(field, format_args!("{value:?}")),
        }
    }
}

/// What came from outside must not pass for a line of its own, nor speak to the terminal.
fn tidy(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        false => Cow::Borrowed(text),
        true => {
            let escaped = |character: char| match character.is_control() {
                true => character.escape_default().to_string(),
                false => character.to_string(),
            };
            Cow::Owned(text.chars().map(escaped).collect())
        }
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
