//! A bar on a terminal that shows how far a survey has come. Elsewhere nothing is shown.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Shown on standard error, if that is a terminal; gone when dropped.
#[derive(Debug)]
pub struct Progress {
    what: String,
    done: usize,
    all: usize,
    drawn: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// A bar of `all` steps, none of them done. `what` they are stands before it.
    pub fn new(what: impl Into<String>, all: usize) -> Self {
        Self { what: what.into(), done: 0, all, drawn: None, is_shown: stderr().is_terminal() }
    }

    /// So many more are done.
    pub fn add(&mut self, steps: usize) {
        self.done += steps;
        let is_time = self.drawn.is_none_or(|drawn| drawn.elapsed() > BETWEEN);
        if self.is_shown && is_time {
            self.drawn = Some(Instant::now());
            // A terminal that has gone away takes nothing of what this is for along.
            let _ = write!(stderr(), "\r{}\x1b[K", self.line());
        }
    }

    fn line(&self) -> String {
        let (done, all) = (self.done.min(self.all), self.all.max(1));
        let full = WIDTH * done / all;
        let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
        format!("{} [{bar}] {done}/{}", self.what, self.all)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

const WIDTH: usize = 30;
const BETWEEN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_never_overflows() {
        let mut progress = Progress::new("keys", 10);
        assert_eq!(progress.line(), format!("keys [{}] 0/10", ".".repeat(30)));
        progress.add(5);
        assert_eq!(progress.line(), format!("keys [{}{}] 5/10", "#".repeat(15), ".".repeat(15)));
        progress.add(9);
        assert_eq!(progress.line(), format!("keys [{}] 10/10", "#".repeat(30)));
        assert_eq!(Progress::new("keys", 0).line(), format!("keys [{}] 0/0", ".".repeat(30)));
    }
}
