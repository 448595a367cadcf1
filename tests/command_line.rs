//! The program as its operator meets it: flags, exit codes, settings, signals, the background.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use circlet::admin::log::LogFormat;
use circlet::config::Settings;
use rustix::process::{Pid, Signal, kill_process};

fn circlet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_circlet")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn first_line(output: &Output) -> String {
    stderr(output).lines().next().unwrap_or_default().to_owned()
}

/// A folder with a configuration that is free to run.
fn folder() -> (tempfile::TempDir, u16) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let text = format!(
        "alpha:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n   - 127.0.0.1:1:1\n"
    );
    fs::write(folder.path().join("pools.yml"), text).unwrap();
    (folder, port)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came to pass: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn help_version_and_descriptions_go_to_standard_error() {
    for (flag, part) in [
        ("-h", "--stats-interval"),
        ("-?", "--stats-interval"),
        ("-V", concat!("This is circlet-", env!("CARGO_PKG_VERSION"))),
        ("-D", "server_ejected_at"),
    ] {
        let output = circlet(&[flag]);
        assert!(output.status.success() && output.stdout.is_empty(), "{flag}");
        assert!(stderr(&output).contains(part), "{flag}: {}", stderr(&output));
    }
}

#[test]
fn statistics_have_nutcrackers_names_in_its_order() {
    let names = |output: Output| -> Vec<String> {
        let text = stderr(&output);
        let lines = text.lines().filter(|line| line.starts_with("  "));
        lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    };
    let theirs = names(Command::new("nutcracker").arg("-D").output().unwrap());
    let mut ours = names(circlet(&["-D"]));
    for own in ["shed_clients", "displaced_requests", "displaced_refused"] {
        let place = ours.iter().position(|name| name == own).expect(own);
        ours.remove(place);
    }
    assert_eq!(ours, theirs);
    assert_eq!(theirs.len(), 19);
}

#[test]
fn bad_options_are_refused_in_nutcrackers_words() {
    #[rustfmt::skip]
    let cases: [&[&str]; 19] = [
        &["-q"], &["-s"], &["-s", "abc"], &["-s", "-1"], &["-s", "70000"], &["-s", "0"],
        &["-s", ""], &["-v"], &["-v", "x"], &["-v", "3x"], &["-i"], &["-i", "x"], &["-m"],
        &["-m", "3"], &["-m", "99999999"], &["-a"], &["-o"], &["-c"], &["-p"],
    ];
    for arguments in cases {
        let ours = circlet(arguments);
        let theirs = Command::new("nutcracker").args(arguments).output().unwrap();
        let expected = first_line(&theirs).replace("nutcracker", "circlet");
        assert_eq!(first_line(&ours), expected, "{arguments:?}");
        assert_eq!((ours.status.code(), theirs.status.code()), (Some(1), Some(1)));
        assert!(stderr(&ours).contains("Usage: circlet"), "{arguments:?}");
    }
}

#[test]
fn testing_a_configuration_says_nutcrackers_sentence_and_then_why() {
    let (folder, _) = folder();
    let good = folder.path().join("pools.yml").display().to_string();
    let bad = folder.path().join("bad.yml").display().to_string();
    fs::write(&bad, "alpha:\n  listen: here\n  timout: 4\n").unwrap();
    for (file, code, word) in [(&good, 0, "ok"), (&bad, 1, "invalid")] {
        let ours = circlet(&["-t", "-c", file]);
        let theirs = Command::new("nutcracker").args(["-t", "-c", file]).output().unwrap();
        assert_eq!(ours.status.code(), Some(code));
        assert_eq!(first_line(&ours), first_line(&theirs).replace("nutcracker", "circlet"));
        assert!(first_line(&ours).ends_with(&format!("syntax is {word}")));
    }
    let faults = stderr(&circlet(&["-t", "-c", &bad]));
    assert!(
        faults.contains("bad.yml:2:11: pool alpha, key listen: \"here\" has no port"),
        "{faults}"
    );
    assert!(faults.contains("did you mean timeout?"), "{faults}");
    assert_eq!(circlet(&["check", &bad]).status.code(), Some(1));
    assert!(stderr(&circlet(&["check", &good])).contains("is valid; pools: 1, servers: 1"));
    let clamped = circlet(&["-v", "99", "-m", "1024", "-t", "-c", &good]);
    assert!(clamped.status.success());
    assert!(stderr(&clamped).contains("option -m has no effect"), "{}", stderr(&clamped));
}

#[test]
fn servers_may_stand_on_the_command_line() {
    assert!(circlet(&["-t", "127.0.0.1:7001", "127.0.0.1:7002"]).status.success());
    let refused = circlet(&["-t", "127.0.0.1:7001", "127.0.0.1:70000"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("\"70000\" is not a port"), "{}", stderr(&refused));
    let slip = circlet(&["chekc", "pools.yml"]);
    assert!(stderr(&slip).contains("one of the commands check"), "{}", stderr(&slip));
    assert!(stderr(&circlet(&["a:1", "-c", "x"])).contains("either servers or option -c"));
}

#[test]
fn the_reference_can_be_printed() {
    let output = circlet(&["config-reference"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), circlet::config::plain());
    let output = circlet(&["config-reference", "--markdown"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), circlet::config::markdown());
}

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

#[test]
fn flags_override_variables_override_the_file_overrides_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "threads = 2\nlog_level = 4\nstats_port = 1111\nlog_format = 'json'\n")
        .unwrap();
    let environment = variables(&[("CIRCLET_THREADS", "3"), ("CIRCLET_LOG_LEVEL", "7")]);
    let flags = [("threads", "5".to_owned())];
    let all = Settings::resolve(Some(&file), &environment, &flags).unwrap();
    assert_eq!((all.threads, all.log_level, all.stats_port), (5, 7, 1111));
    assert_eq!((all.log_format, all.stats_addr.as_str()), (LogFormat::Json, "0.0.0.0"));
    let named = variables(&[("CIRCLET_SETTINGS", file.to_str().unwrap())]);
    assert_eq!(Settings::resolve(None, &named, &[]).unwrap().threads, 2);
    let defaults = Settings::resolve(None, &HashMap::new(), &[]).unwrap();
    assert_eq!(defaults.threads, std::thread::available_parallelism().unwrap().get());
    assert_eq!(defaults.conf_file, Path::new("conf/nutcracker.yml"));
    assert_eq!((defaults.log_level, defaults.log_format), (5, LogFormat::Text));
    assert_eq!((defaults.stats_port, defaults.stats_interval), (22222, Duration::from_secs(30)));
    assert_eq!((defaults.log_file, defaults.pid_file, defaults.daemonize), (None, None, false));
    assert_eq!(defaults.max_clients, 0);
}

#[test]
fn bad_settings_are_all_told_with_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "threads = -1\nthreds = 2\n\n[log]\nlevel = 3\n").unwrap();
    let environment = variables(&[("CIRCLET_STATS_PORT", "x"), ("CIRCLET_LOG_FORMAT", "xml")]);
    let flags = [("threads", "many".to_owned())];
    let faults = Settings::resolve(Some(&file), &environment, &flags).unwrap_err();
    let told: Vec<_> = faults
        .0
        .iter()
        .map(|fault| (fault.line, fault.key.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        (Some(1), "threads"),
        (Some(2), "threds"),
        (Some(4), ""),
        (None, "CIRCLET_LOG_FORMAT"),
        (None, "CIRCLET_STATS_PORT"),
        (None, "threads"),
    ];
    assert_eq!(told, expected, "{faults}");
    assert_eq!(faults.0[1].right, "did you mean threads?");
    let missing = Settings::resolve(Some(Path::new("/missing.toml")), &HashMap::new(), &[]);
    assert!(missing.unwrap_err().to_string().contains("/missing.toml"));
}

#[test]
fn a_variable_that_sets_nothing_is_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_circlet"));
    command.args(["-t", "a:1"]).env("CIRCLET_THREDS", "3").env("CIRCLET_THREADS", "3");
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output).matches("no setting").count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("CIRCLET_THREDS"));
}

/// A process that does not outlive its test.
struct Running(Pid);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    fn lives(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.as_raw_nonzero()));
        status.is_ok_and(|status| !status.contains("\nState:\tZ"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lives() {
            let _ = kill_process(self.0, Signal::KILL);
        }
    }
}

fn start(folder: &Path, more: &[&str]) -> Child {
    let stats_port = free_port().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_circlet"));
    command.current_dir(folder).args(["-c", "pools.yml", "-p", "pid", "-o", "log"]);
    command.args(["-a", "127.0.0.1", "-s", &stats_port]).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn signals_turn_the_log_and_end_the_process_cleanly() {
    let (folder, _) = folder();
    let mut child = start(folder.path(), &[]);
    let running = Running(Pid::from_child(&child));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    eventually("the pid file", || read("pid") == child.id().to_string());
    // No waiting: the handlers are there before the pid file is.
    running.signal(Signal::TTIN);
    let up = "signal 21 (SIGTTIN) received, up logging level to 6";
    eventually("TTIN", || read("log").contains(up));
    running.signal(Signal::TTOU);
    eventually("TTOU", || read("log").contains("(SIGTTOU) received, down logging level to 5"));
    fs::rename(folder.path().join("log"), folder.path().join("log.1")).unwrap();
    running.signal(Signal::HUP);
    eventually("the new log", || folder.path().join("log").exists());
    assert!(read("log.1").contains("signal 1 (SIGHUP) received, reopening log file"));
    running.signal(Signal::USR1);
    eventually("USR1", || read("log").contains("signal 10 (SIGUSR1) received"));
    running.signal(Signal::TERM);
    assert!(child.wait().unwrap().success());
    assert!(!folder.path().join("pid").exists());
}

#[test]
fn a_daemon_leaves_the_terminal_and_stays_in_its_folder() {
    let (folder, _) = folder();
    let mut first = start(folder.path(), &["-d"]);
    assert!(first.wait().unwrap().success());
    let pid_file = folder.path().join("pid");
    let mut id = 0;
    eventually("the pid file", || {
        id = fs::read_to_string(&pid_file).ok().and_then(|id| id.parse().ok()).unwrap_or(0);
        id != 0
    });
    let running = Running(Pid::from_raw(id).unwrap());
    assert_ne!(id as u32, first.id());
    let process = |name: &str| format!("/proc/{id}/{name}");
    for stream in 0..3 {
        let target = fs::read_link(process(&format!("fd/{stream}"))).unwrap();
        assert_eq!(target, Path::new("/dev/null"));
    }
    assert_eq!(fs::read_link(process("cwd")).unwrap(), folder.path().canonicalize().unwrap());
    assert!(fs::read_to_string(process("status")).unwrap().contains("\nUmask:\t0000\n"));
    // After the name: state, parent, group, session, terminal. Read as text: a session begun outside
    // of a container has the number 0 in it, which no process identifier may have.
    let session_and_terminal = |process: &str| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        (fields[3].to_owned(), fields[4].to_owned())
    };
    let (session, terminal) = session_and_terminal(&id.to_string());
    assert_ne!(session, session_and_terminal("self").0, "the session is its own");
    assert_ne!(session, id.to_string(), "and it does not lead it, so it cannot gain a terminal");
    assert_eq!(terminal, "0", "it has no terminal");
    running.signal(Signal::TERM);
    eventually("the end", || !running.lives());
    assert!(!pid_file.exists());
}

#[test]
fn a_daemon_tells_faults_before_it_leaves() {
    let (folder, _) = folder();
    fs::write(folder.path().join("pools.yml"), "- a\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_circlet"));
    let output =
        command.current_dir(folder.path()).args(["-d", "-c", "pools.yml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the file is a list"), "{}", stderr(&output));
    let arguments = ["-d", "-o", "missing/log", "127.0.0.1:1"];
    let output = Command::new(env!("CARGO_BIN_EXE_circlet"))
        .current_dir(folder.path())
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot open the log"), "{}", stderr(&output));
}
