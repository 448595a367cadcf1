//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::{Client, PATIENCE, within};
use crate::real_clients::Fleet;

#[test]
fn subscribes() {
    let fleet = Fleet::start();
    let mut publisher = Client::connect(&fleet.address());
    for version in ["2", "3"] {
        let mut terminal = Terminal::open(&fleet, &[&format!("-{version}")]);
        terminal.types("subscribe news sport");
        terminal.expect("2) \"sport\"\n3) (integer) 2\n");
        assert_eq!(publisher.command(&["PUBLISH", "news", "hello"]).integer(), 1);
        terminal.expect("1) \"message\"\n2) \"news\"\n3) \"hello\"\n");
        terminal.presses(CONTROL_C);
        terminal.expect("> ");
        terminal.types("psubscribe n*");
        terminal.expect("2) \"n*\"\n3) (integer) 1\n");
        assert_eq!(publisher.command(&["PUBLISH", "news", "again"]).integer(), 1);
        terminal.expect("2) \"n*\"\n3) \"news\"\n4) \"again\"\n");
        terminal.presses(CONTROL_C);
        terminal.expect("> ");
        terminal.types("set after it");
        terminal.expect("OK\n");
        terminal.types("quit");
        terminal.expect_end();
    }
}

#[test]
fn has_transactions() {
    let fleet = Fleet::start();
    let mut terminal = Terminal::open(&fleet, &[]);
    terminal.types("multi");
    terminal.expect("OK\n");
    terminal.expect("(TX)> ");
    terminal.types("set {t}a 1");
    terminal.expect("QUEUED\n");
    terminal.types("incr {t}a");
    terminal.expect("QUEUED\n");
    terminal.types("exec");
    terminal.expect("1) OK\n2) (integer) 2\n");
    terminal.types("watch {t}a");
    terminal.expect("OK\n");
    Client::connect(&fleet.address()).command(&["SET", "{t}a", "9"]);
    terminal.types("multi");
    terminal.expect("OK\n");
    terminal.types("incr {t}a");
    terminal.expect("QUEUED\n");
    terminal.types("exec");
    terminal.expect("(nil)\n");
    terminal.types("multi");
    terminal.expect("OK\n");
    terminal.types("incr");
    terminal.expect("(error) ERR wrong number of arguments for 'incr' command\n");
    terminal.types("exec");
    terminal.expect("(error) EXECABORT Transaction discarded because of previous errors.\n");
    terminal.types("get {t}a");
    terminal.expect("\"9\"\n");
}

#[test]
fn speaks_both_protocols_and_asks_for_help() {
    let fleet = Fleet::start();
    let mut terminal = Terminal::open(&fleet, &[]);
    terminal.types("hset hash f v");
    terminal.expect("(integer) 1\n");
    terminal.types("hello 3");
    terminal.expect("\"proto\" => (integer) 3\n");
    terminal.types("hgetall hash");
    terminal.expect("1# \"f\" => \"v\"\n");
    terminal.types("select 3");
    terminal.expect("[3]> ");
    terminal.types("dbsize");
    terminal.expect("(integer) 0\n");
    terminal.types("help get");
    terminal.expect("Get the value of a key");
}

#[test]
fn watches_the_commands_of_others() {
    let fleet = Fleet::start();
    let mut terminal = Terminal::open(&fleet, &[]);
    terminal.types("monitor");
    terminal.expect("OK\n");
    for number in 0..6 {
        let key = format!("{number}k");
        Client::connect(&fleet.address()).command(&["SET", &key, "v"]);
        terminal.expect(&format!("\"SET\" \"{key}\" \"v\"\n"));
    }
}

/// redis-cli on a terminal of its own, that of script(1).
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
    read: usize,
}

const CONTROL_C: u8 = 3;

impl Terminal {
    fn open(fleet: &Fleet, arguments: &[&str]) -> Terminal {
        let program = format!("redis-cli -p {} {}", fleet.port(), arguments.join(" "));
        let mut command = Command::new("script");
        command.args(["-qefc", &program, "/dev/null"]);
        // Plain lines; and no settings or history of whoever runs the tests.
        command.env("TERM", "dumb").env("HOME", "/nonexistent");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("Debian's essential script(1)");
        let keyboard = child.stdin.take().expect("it is piped");
        let mut output = child.stdout.take().expect("it is piped");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..count]).replace('\r', "");
                shown.lock().expect("no holder panics").push_str(&text);
            }
        });
        let mut terminal = Terminal { child, keyboard, screen, read: 0 };
        terminal.expect("> ");
        terminal
    }

    fn types(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").expect("redis-cli reads");
        self.expect(&format!("{line}\n"));
    }

    fn presses(&mut self, key: u8) {
        self.keyboard.write_all(&[key]).expect("redis-cli reads");
    }

    /// Waits until this is shown after what was last waited for.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let mut found = None;
        let came = within(PATIENCE, || {
            let screen = self.screen.lock().expect("no holder panics");
            found = screen[self.read..].find(text);
            found.is_some()
        });
        let screen = self.screen.lock().expect("no holder panics");
        assert!(came, "no {text:?} in {:?} after:\n{}", &screen[self.read..], &screen[..self.read]);
        self.read += found.expect("it came") + text.len();
    }

    #[track_caller]
    fn expect_end(&mut self) {
        let ended = within(PATIENCE, || self.child.try_wait().is_ok_and(|status| status.is_some()));
        assert!(ended, "redis-cli does not end");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An error says that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
