//! The terminal while `circlet top` has it: keys come one by one, and what was there returns.

use std::io::{self, Read, Write, stdin, stdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// See the module. Dropped, it gives the terminal back as it was.
pub(super) struct Screen {
    before: Termios,
}

/// What came from the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    /// `q`, Ctrl-C, or there is no keyboard any more.
    Quit,
    /// Nothing of consequence.
    Nothing,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        let screen = Self { before };
        show("\x1b[?1049h\x1b[?25l");
        Ok(screen)
    }

    /// Columns and rows. A terminal that does not know has 80 and 24.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_col > 0 => (size.ws_col.into(), size.ws_row.max(1).into()),
            _ => (80, 24),
        }
    }

    /// Shows as many of the lines as there are rows.
    pub(super) fn draw(&self, lines: &[String], rows: usize) {
        let mut text = "\x1b[H".to_owned();
        for (row, line) in lines.iter().take(rows).enumerate() {
            text += if row == 0 { "" } else { "\r\n" };
            text += &printable(line);
            text += "\x1b[K";
        }
        text += "\x1b[J";
        show(&text);
    }

    /// Waits for a key, at most so long.
    pub(super) fn wait(&self, time: Duration) -> Pressed {
        let keyboard = stdin();
        let mut polled = [PollFd::new(&keyboard, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) as _ };
        match poll(&mut polled, Some(&limit)) {
            Ok(0) | Err(_) => return Pressed::Nothing,
            Ok(_) => {}
        }
        let mut keys = [0; 16];
        match stdin().lock().read(&mut keys) {
            Ok(0) | Err(_) => Pressed::Quit,
            Ok(count) if keys[..count].iter().any(|key| QUIT.contains(key)) => Pressed::Quit,
            Ok(_) => Pressed::Nothing,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        show("\x1b[?25h\x1b[?1049l");
        // A terminal that is gone needs nothing back.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Names come from elsewhere: none may steer the terminal.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn show(text: &str) {
    // A terminal that is gone ends the loop at its keyboard.
    let _ = stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush());
}

/// `q`, `Q`, Ctrl-C and Ctrl-D, which mean nothing else to a raw terminal.
const QUIT: &[u8] = b"qQ\x03\x04";
