//! The command line: twemproxy's flags, and circlet's own beside them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::value::digits;
use crate::commandline::Tool;
use crate::compare::{self, DEFAULT_KEYS};
use crate::manual::Shell;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    /// What to do.
    pub action: Action,
    /// Settings given as flags: name and text, for [`resolve`](super::settings::Settings::resolve).
    pub settings: Vec<(&'static str, String)>,
    /// The settings file.
    pub settings_file: Option<PathBuf>,
    /// Servers of a pool from the command line; empty when a file has the pools.
    pub servers: Vec<String>,
    /// Whether `-m` was given, which has no effect.
    pub mbuf_size: bool,
}

/// The things that circlet does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Print this text to standard error and end well: help, version, statistics.
    Show(String),
    /// Test the configuration and end (`-t`).
    TestConf,
    /// Tell all that is wrong with a file.
    Check(PathBuf),
    /// Print the reference of the configuration.
    ConfigReference {
        /// As the docs have it.
        markdown: bool,
    },
    /// Start three shards and a proxy before them, to try.
    Demo,
    /// Tell whether a proxy that runs places keys as circlet will.
    Compare(compare::Options),
    /// Explain a configuration or a circlet that runs.
    Tool(Tool),
    /// Print the completions of a shell.
    Completions(Shell),
    /// Print the manual page.
    ManualPage,
    /// Serve.
    Serve,
}

/// Reads the command line, program name first.
///
/// # Errors
/// The text for standard error, after which the process ends with exit code 1.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, String> {
    let typed = Typed::try_parse_from(arguments).map_err(|error| with_usage(&refusal(&error)))?;
    let settings = typed.settings().map_err(|message| with_usage(&message))?;
    if !typed.servers.is_empty() && typed.conf_file.is_some() {
        return Err(with_usage("give either servers or option -c, not both"));
    }
    Ok(Flags {
        action: typed.action(),
        settings,
        settings_file: typed.settings.clone(),
        mbuf_size: typed.mbuf_size.is_some(),
        servers: typed.servers,
    })
}

#[derive(Parser)]
#[command(
    name = "circlet",
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_override_self = true,
    help_template = "{usage-heading} {usage}\n\n{all-args}"
)]
struct Typed {
    /// this help
    #[arg(short, long, short_alias = '?')]
    help: bool,
    /// show version and exit
    #[arg(short = 'V', long)]
    version: bool,
    /// test configuration for faults and exit
    #[arg(short, long)]
    test_conf: bool,
    /// run as a daemon
    #[arg(short, long)]
    daemonize: bool,
    /// print stats description and exit
    #[arg(short = 'D', long)]
    describe_stats: bool,
    /// set logging level (default: 5, min: 0, max: 11)
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    verbose: Option<String>,
    /// set logging file (default: stderr)
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<String>,
    /// set configuration file (default: conf/nutcracker.yml)
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    conf_file: Option<String>,
    /// reload the configuration when its file changes (default: off)
    #[arg(long)]
    reload_on_change: bool,
    /// set stats monitoring port (default: 22222)
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    stats_port: Option<String>,
    /// set stats monitoring ip (default: 0.0.0.0)
    #[arg(short = 'a', long, value_name = "ADDRESS", allow_hyphen_values = true)]
    stats_addr: Option<String>,
    /// set stats aggregation interval in msec (default: 30000 msec)
    #[arg(short = 'i', long, value_name = "N", allow_hyphen_values = true)]
    stats_interval: Option<String>,
    /// set address for people and Prometheus, as 127.0.0.1:22223 (default: off)
    #[arg(long, value_name = "HOST:PORT")]
    admin_addr: Option<String>,
    /// set further names by which the admin address may be called (default: none)
    #[arg(long, value_name = "NAMES")]
    admin_names: Option<String>,
    /// set pid file (default: off)
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    pid_file: Option<String>,
    /// set msec that clients may take to leave at the end (default: 10000 msec)
    #[arg(long, value_name = "N")]
    drain_timeout: Option<String>,
    /// set msec of serving on after SIGTERM, before clients leave (default: 0)
    #[arg(long, value_name = "N")]
    drain_delay: Option<String>,
    /// take over from the circlet that has this socket, and be taken over from there (default: off)
    #[arg(long, value_name = "FILE")]
    upgrade_socket: Option<String>,
    /// accepted from twemproxy's users, no effect
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    mbuf_size: Option<String>,
    /// set number of worker threads (default: one for each core)
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// set number of clients of all pools together (default: as open files allow)
    #[arg(long, value_name = "N")]
    max_clients: Option<String>,
    /// set memory that the process may use (default: half of what there is)
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<String>,
    /// set number of commands a second looked at for hot and big keys (default: 1000, off: 0)
    #[arg(long, value_name = "N")]
    hotkeys_samples: Option<String>,
    /// set levels of single modules, as info,shard=debug (default: none)
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// set microseconds from which on a request is slow, -1 for none (default: 10000)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    slow_threshold: Option<String>,
    /// set file for sampled and slow requests, - for standard output (default: off)
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    access_log: Option<String>,
    /// set one in how many requests is sampled for the access log (default: 0, none)
    #[arg(long, value_name = "N")]
    access_log_sample: Option<String>,
    /// set how keys are shown in logs: off, hash or hide (default: off)
    #[arg(long, value_name = "HOW")]
    log_redact_keys: Option<String>,
    /// set format of the log: text or json (default: text)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// read settings from a TOML file; CIRCLET_THREADS and so on override it, flags override both
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    /// servers of a pool that listens on 127.0.0.1:22121, instead of a configuration file
    #[arg(value_name = "HOST:PORT[:WEIGHT]")]
    servers: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// tell all that is wrong with a configuration file
    #[command(disable_help_flag = true)]
    Check {
        /// the file
        file: PathBuf,
    },
    /// start three redis-servers and circlet before them, to try
    #[command(disable_help_flag = true)]
    Demo,
    /// ask a proxy that runs, nutcracker for one, whether it looks for keys where circlet will
    #[command(disable_help_flag = true)]
    Compare(Compare),
    #[command(flatten)]
    Tool(Tool),
    /// print the completions of a shell
    #[command(disable_help_flag = true)]
    Completions {
        /// the shell
        shell: Shell,
    },
    /// print the manual page, circlet(1)
    #[command(disable_help_flag = true)]
    ManualPage,
    /// print every key of the configuration, what it takes and what it means
    #[command(disable_help_flag = true)]
    ConfigReference {
        /// as docs/configuration.md
        #[arg(long)]
        markdown: bool,
    },
}

/// What `circlet compare` takes.
#[derive(Args)]
struct Compare {
    /// the file that circlet is to serve with
    #[arg(short, long, value_name = "FILE", default_value = "conf/nutcracker.yml")]
    conf_file: PathBuf,
    /// where the proxy is (default: where the file's pools listen)
    #[arg(long, value_name = "HOST:PORT")]
    with: Option<String>,
    /// where a circlet runs that is to be compared too
    #[arg(long, value_name = "HOST:PORT")]
    circlet: Option<String>,
    /// the one pool to compare (default: all)
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// how many keys of each pool
    #[arg(long, value_name = "N", default_value_t = DEFAULT_KEYS)]
    keys: usize,
    /// write made-up keys through the proxy and remove them, where it cannot be asked otherwise
    #[arg(long)]
    write: bool,
}

impl Compare {
    fn options(&self) -> compare::Options {
        compare::Options {
            conf_file: self.conf_file.clone(),
            with: self.with.clone(),
            circlet: self.circlet.clone(),
            pool: self.pool.clone(),
            keys: self.keys,
            write: self.write,
        }
    }
}

impl Typed {
    fn action(&self) -> Action {
        if self.help || self.version || self.describe_stats {
            return Action::Show(self.shown());
        }
        match &self.command {
            Some(Command::Check { file }) => Action::Check(file.clone()),
            Some(Command::Demo) => Action::Demo,
            Some(Command::Compare(compare)) => Action::Compare(compare.options()),
            Some(Command::Tool(tool)) => Action::Tool(tool.clone()),
            Some(Command::Completions { shell }) => Action::Completions(*shell),
            Some(Command::ManualPage) => Action::ManualPage,
            Some(Command::ConfigReference { markdown }) => {
                Action::ConfigReference { markdown: *markdown }
            }
            None if self.test_conf => Action::TestConf,
            None => Action::Serve,
        }
    }

    /// twemproxy shows the version first, whichever of the three was asked for.
    fn shown(&self) -> String {
        let mut text = format!("This is circlet-{}\n", env!("CARGO_PKG_VERSION"));
        if self.help {
            text += &format!("\n{}\n", usage());
        }
        if self.describe_stats {
            text += &format!("\n{}", crate::admin::describe::describe_stats());
        }
        text
    }

    /// Judges the numbers as twemproxy does, and names the settings of all flags.
    fn settings(&self) -> Result<Vec<(&'static str, String)>, String> {
        let level = number('v', &self.verbose)?.map(|level| level.min(11));
        let interval = number('i', &self.stats_interval)?;
        if let Some(size) = number('m', &self.mbuf_size)?
            && !(512..=16_777_216).contains(&size)
        {
            return Err("mbuf chunk size must be between 512 and 16777216 bytes".into());
        }
        let port = number('s', &self.stats_port)?;
        if let Some(port) = port.filter(|port| !(1..=65535).contains(port)) {
            return Err(format!("option -s value {port} is not a valid port"));
        }
        let text = |number: Option<u64>| number.map(|number| number.to_string());
        let all = [
            ("log_level", text(level)),
            ("log_file", self.output.clone()),
            ("log_format", self.log_format.clone()),
            ("log_filter", self.log_filter.clone()),
            ("slow_threshold", self.slow_threshold.clone()),
            ("access_log", self.access_log.clone()),
            ("access_log_sample", self.access_log_sample.clone()),
            ("log_redact_keys", self.log_redact_keys.clone()),
            ("conf_file", self.conf_file.clone()),
            ("stats_port", text(port)),
            ("stats_addr", self.stats_addr.clone()),
            ("stats_interval", text(interval)),
            ("admin_addr", self.admin_addr.clone()),
            ("admin_names", self.admin_names.clone()),
            ("pid_file", self.pid_file.clone()),
            ("reload_on_change", self.reload_on_change.then(|| "true".to_owned())),
            ("daemonize", self.daemonize.then(|| "true".to_owned())),
            ("drain_timeout", self.drain_timeout.clone()),
            ("drain_delay", self.drain_delay.clone()),
            ("upgrade_socket", self.upgrade_socket.clone()),
            ("threads", self.threads.clone()),
            ("max_clients", self.max_clients.clone()),
            ("max_memory", self.max_memory.clone()),
            ("hotkeys_samples", self.hotkeys_samples.clone()),
        ];
        Ok(all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect())
    }
}

fn number(option: char, text: &Option<String>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    match digits(text).flatten() {
        Some(number) => Ok(Some(number)),
        None => Err(format!("option -{option} requires a number")),
    }
}

/// clap's refusal in twemproxy's words where it has some.
fn refusal(error: &clap::Error) -> String {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.as_str(),
        _ => "",
    };
    let name = option.trim_start_matches('-');
    match error.kind() {
        ErrorKind::MissingRequiredArgument => missing(error),
        ErrorKind::UnknownArgument => format!("invalid option -- '{name}'"),
        ErrorKind::InvalidValue => match name.split([' ', '=']).next().unwrap_or(name) {
            "verbose" => "option -v requires a number".into(),
            "stats-port" => "option -s requires a number".into(),
            "stats-interval" => "option -i requires a number".into(),
            "mbuf-size" => "option -m requires a number".into(),
            "stats-addr" => "option -a requires a string".into(),
            "output" => "option -o requires a file name".into(),
            "conf-file" => "option -c requires a file name".into(),
            "pid-file" => "option -p requires a file name".into(),
            other => format!("option --{other} requires a value"),
        },
        _ => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

/// What a subcommand lacks.
fn missing(error: &clap::Error) -> String {
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else {
        return error.to_string();
    };
    match &missing[..] {
        [only] if only == "<FILE>" => "check requires a file name".into(),
        several => format!("what is to be given as well: {}", several.join(" ")),
    }
}

fn with_usage(message: &str) -> String {
    format!("circlet: {message}\n{}\n", usage())
}

fn usage() -> String {
    command().render_help().to_string()
}

/// The names of all subcommands, for an error.
pub(super) fn commands() -> String {
    let all = command();
    let names: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
    names.join(", ")
}

/// All flags and subcommands, for what is made from them.
pub fn command() -> clap::Command {
    Typed::command()
}
