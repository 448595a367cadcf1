//! `circlet top`: what a circlet that runs is doing.
//!
//! ```text
//!   admin address: /api/state of each pool, /metrics.json ─┐
//!   or the statistics' one line ───────────────────────────┴─▶ Reading ─ two of them ─▶ view
//! ```

mod reading;
mod screen;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::thread;
use std::time::{Duration, Instant};

use self::reading::{Reading, Source};
use self::screen::{Pressed, Screen};
use self::view::lines;

/// Shows it until `q` is pressed, or prints it once.
///
/// # Errors
/// There is no circlet at the address, or no terminal to be had.
pub(super) fn run(address: Option<&str>, once: bool) -> Result<(), String> {
    let source = Source::find(address)?;
    let before = source.read()?;
    if once || !stdout().is_terminal() || !stdin().is_terminal() {
        thread::sleep(EACH);
        let told = lines(&before, &source.read()?, usize::MAX);
        return super::print(&(told.join("\n") + "\n"));
    }
    watch(&source, before)
}

fn watch(source: &Source, mut before: Reading) -> Result<(), String> {
    let screen = Screen::open().map_err(|error| format!("cannot use the terminal: {error}"))?;
    let mut now = before.clone();
    let mut trouble = None;
    loop {
        let (width, height) = screen.size();
        let mut shown = lines(&before, &now, width);
        if let Some(trouble) = &trouble {
            shown.insert(0, view::cut(&format!("{trouble}; trying again"), width));
        }
        screen.draw(&shown, height);
        let next = Instant::now() + EACH;
        let mut size = (width, height);
        while let Some(left) = next.checked_duration_since(Instant::now()) {
            match screen.wait(left.min(LOOK)) {
                Pressed::Quit => return Ok(()),
                Pressed::Nothing if screen.size() != size => {
                    size = screen.size();
                    screen.draw(&lines(&before, &now, size.0), size.1);
                }
                Pressed::Nothing => {}
            }
        }
        match source.read() {
            Ok(reading) => {
                before = std::mem::replace(&mut now, reading);
                trouble = None;
            }
            Err(error) => trouble = Some(error),
        }
    }
}

const EACH: Duration = Duration::from_secs(1);
/// How soon a change of the terminal's size is seen.
const LOOK: Duration = Duration::from_millis(150);
