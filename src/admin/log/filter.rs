//! What is logged: a level, and others for single modules.
//!
//! ```text
//!   info,shard=debug,client::users=trace
//! ```

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// A filter as an operator writes it (`log_filter`, `PROXY LOG`, `POST /log`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The level for all modules that are not named, if it says one: twemproxy's number.
    pub level: Option<u8>,
    modules: Vec<(String, LevelFilter)>,
}

impl LogFilter {
    /// What is let through where modules that are not named have twemproxy's level `level`.
    pub(super) fn targets(&self, level: u8) -> Targets {
        let named = self.modules.iter().map(|(module, level)| (target(module), *level));
        Targets::new().with_default(of_number(level)).with_targets(named)
    }

    /// As it would be written for twemproxy's level `level`.
    pub(super) fn text(&self, level: u8) -> String {
        let all = of_number(level).to_string();
        let named = self.modules.iter().map(|(module, level)| format!("{module}={level}"));
        [all].into_iter().chain(named).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for LogFilter {
    type Err = String;

    /// Reads `LEVEL`, `MODULE=LEVEL` or several of them with commas between; the last that names a
    /// module counts. Modules may be written with or without `circlet::` before them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None => filter.level = Some(number(part)?),
                Some((module, level)) => {
                    let module = module.trim();
                    let module = module.strip_prefix("circlet::").unwrap_or(module);
                    let station = module.split("::").next().unwrap_or_default();
                    if !modules().any(|known| known == station) && module != "circlet" {
                        return Err(no_module(module));
                    }
                    filter.modules.retain(|(known, _)| known != module);
                    filter.modules.push((module.to_owned(), word(level.trim())?));
                }
            }
        }
        Ok(filter)
    }
}

/// What of our five levels twemproxy's twelve show: 0–3 EMERG to ERR, 4 WARN, 5 NOTICE (what an
/// operator wants to know), 6 INFO and 7 DEBUG (each connection), from 8 everything.
pub(super) fn of_number(level: u8) -> LevelFilter {
    match level {
        0..=3 => LevelFilter::ERROR,
        4 => LevelFilter::WARN,
        5 => LevelFilter::INFO,
        6..=7 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// The least of twemproxy's levels that shows a word's.
fn number(level: &str) -> Result<u8, String> {
    match word(level)? {
        LevelFilter::ERROR => Ok(3),
        LevelFilter::WARN => Ok(4),
        LevelFilter::INFO => Ok(5),
        LevelFilter::DEBUG => Ok(6),
        LevelFilter::TRACE => Ok(8),
        _ => Err("'off' is for single modules; 'error' is the least for all".into()),
    }
}

fn word(level: &str) -> Result<LevelFilter, String> {
    match &level.to_ascii_lowercase()[..] {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(format!("'{level}' is no level: write off, error, warn, info, debug or trace")),
    }
}

fn no_module(module: &str) -> String {
    let modules = modules().collect::<Vec<_>>().join(", ");
    format!("there is no module '{module}': write one of {modules}, or a path in it")
}

fn target(module: &str) -> String {
    match module {
        "circlet" => module.to_owned(),
        _ => format!("circlet::{module}"),
    }
}

/// The modules of circlet, as the library declares them.
fn modules() -> impl Iterator<Item = &'static str> {
    let declared = include_str!("../../lib.rs").lines();
    declared.filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_written() {
        let filter: LogFilter =
            "info, shard=debug,circlet::tls=off,client::users=TRACE".parse().unwrap();
        assert_eq!(filter.level, Some(5));
        assert_eq!(filter.text(5), "info,shard=debug,tls=off,client::users=trace");
        assert_eq!(filter.text(7), "debug,shard=debug,tls=off,client::users=trace");
        let again: LogFilter = "shard=debug,shard=warn".parse().unwrap();
        assert_eq!((again.level, again.text(4)), (None, "warn,shard=warn".into()));
        assert_eq!("".parse(), Ok(LogFilter::default()));
    }

    #[test]
    fn what_is_no_filter_says_so() {
        let wrong = |text: &str| text.parse::<LogFilter>().unwrap_err();
        assert!(wrong("loud").contains("no level: write off, error"), "{}", wrong("loud"));
        assert!(wrong("shard=5").contains("'5' is no level"));
        assert!(wrong("shards=debug").contains("no module 'shards': write one of access, admin"));
        assert!(wrong("off").contains("for single modules"));
    }

    #[test]
    fn every_module_can_be_named() {
        assert!(modules().count() > 15 && modules().any(|module| module == "worker"));
        for module in modules() {
            assert!(format!("{module}=debug").parse::<LogFilter>().is_ok(), "{module}");
        }
    }
}
