//! A child process that lives no longer than its value, nor than the test program.

use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};

use rustix::process::{Pid, Signal, kill_process};

use super::within;

/// A running child process; dropped, it is killed.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts `program`, which must not outlive this program however that one ends.
    pub fn start(program: &str, configure: impl FnOnce(&mut Command)) -> io::Result<Process> {
        // The kernel kills the child when the *thread* that started it ends, so all children
        // are started by one thread that ends with the program, not by a test's.
        static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
        let starter = STARTER.get_or_init(|| Mutex::new(starter_thread()));
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]);
        configure(&mut command);
        let (answer, started) = channel();
        let sent = starter.lock().expect("no starter panics").send((command, answer));
        sent.expect("the starter thread lives as long as the program");
        started.recv().expect("the starter answers every order").map(Process)
    }

    /// Its standard input and output, where both are pipes; only once.
    pub fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.0.stdin.take().zip(self.0.stdout.take())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("the child is not reaped yet");
    }

    /// Kills it at once and waits until it is gone.
    pub fn kill(&mut self) {
        // An error says that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// How it ended, when it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("the child is ours")
    }

    /// How it ended; panics when it does not within [`super::PATIENCE`].
    pub fn wait(&mut self) -> ExitStatus {
        assert!(within(super::PATIENCE, || self.exited().is_some()), "process does not end");
        self.exited().expect("it ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process with this id exists and is not a zombie.
pub fn process_runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

type Order = (Command, Sender<io::Result<Child>>);

fn starter_thread() -> Sender<Order> {
    let (orders, inbox) = channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, answer) in inbox {
            let _ = answer.send(command.spawn());
        }
    });
    orders
}
