//! The circlet program: flags, configuration, run, exit code.

use std::collections::HashMap;
use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;

use circlet::admin::log::{LogFormat, Logging};
use circlet::admin::process::{Detached, PidFile, detach};
use circlet::admin::{self, signals};
use circlet::config::flags::{self, Action, Flags};
use circlet::config::settings::unknown_variables;
use circlet::config::{self, Config, Faults, Format, Settings};
use circlet::demo::{self as demo_shards, Demo};
use circlet::server::{Options, Server};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == demo_shards::SHARD_COMMAND) {
        return fail(&demo_shards::exec_shard(&arguments.collect::<Vec<_>>()));
    }
    let flags = match flags::parse(env::args_os()) {
        Ok(flags) => flags,
        Err(message) => {
            eprint!("{message}");
            return ExitCode::FAILURE;
        }
    };
    match &flags.action {
        Action::Show(text) => {
            eprint!("{text}");
            ExitCode::SUCCESS
        }
        Action::ConfigReference { markdown } => {
            print(&if *markdown { config::markdown() } else { config::plain() })
        }
        Action::Check(file) => check(file),
        Action::Demo => demo(),
        Action::TestConf | Action::Serve => with_settings(&flags),
    }
}

/// A reader that goes away early, such as `head`, is no fault.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn check(file: &Path) -> ExitCode {
    match config::load(file) {
        Ok(config) => {
            let servers: usize = config.pools.iter().map(|pool| pool.servers.len()).sum();
            let (file, pools) = (file.display(), config.pools.len());
            eprintln!("circlet: {file} is valid; pools: {pools}, servers: {servers}");
            tell_warnings(&config);
            ExitCode::SUCCESS
        }
        Err(faults) => fail(&faults),
    }
}

fn with_settings(flags: &Flags) -> ExitCode {
    let environment: HashMap<String, String> = env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
        .collect();
    let file = flags.settings_file.as_deref();
    let settings = match Settings::resolve(file, &environment, &flags.settings) {
        Ok(settings) => settings,
        Err(faults) => return fail(&faults),
    };
    for variable in unknown_variables(&environment) {
        eprintln!("circlet: the variable {variable} is no setting and has no effect");
    }
    if flags.mbuf_size {
        eprintln!("circlet: option -m has no effect, circlet has no mbufs");
    }
    let config = if flags.servers.is_empty() {
        config::load(&settings.conf_file)
    } else {
        config::from_servers(&flags.servers)
    };
    match (&flags.action, config) {
        (Action::TestConf, config) => test_conf(flags, &settings, config),
        (_, Ok(config)) => start(config, settings),
        (_, Err(faults)) => fail(&faults),
    }
}

/// twemproxy's sentence, and then what twemproxy does not say.
fn test_conf(flags: &Flags, settings: &Settings, config: Result<Config, Faults>) -> ExitCode {
    let file = match flags.servers.is_empty() {
        true => settings.conf_file.display().to_string(),
        false => "command line".to_owned(),
    };
    match config {
        Ok(config) => {
            eprintln!("circlet: configuration file '{file}' syntax is ok");
            tell_warnings(&config);
            ExitCode::SUCCESS
        }
        Err(faults) => {
            eprintln!("circlet: configuration file '{file}' syntax is invalid");
            fail(&faults)
        }
    }
}

fn start(config: Config, settings: Settings) -> ExitCode {
    // Before going into the background, so that a log that cannot be opened is told here.
    let file = settings.log_file.as_deref();
    let logging = match Logging::start(settings.log_level, settings.log_format, file) {
        Ok(logging) => Arc::new(logging),
        Err(error) => return fail(&format!("cannot open the log {file:?}: {error}")),
    };
    if settings.daemonize {
        match detach() {
            Ok(Detached::Here) => {}
            Ok(Detached::Elsewhere) => return ExitCode::SUCCESS,
            Err(error) => return fail(&format!("cannot go into the background: {error}")),
        }
    }
    let pid_file = match settings.pid_file.as_deref().map(PidFile::create).transpose() {
        Ok(pid_file) => pid_file,
        Err(error) => {
            tracing::error!("cannot write the pid file: {error}");
            return ExitCode::FAILURE;
        }
    };
    for warning in config::warnings(&config) {
        tracing::warn!("{warning}");
    }
    let code = serve(config, settings, logging);
    drop(pid_file);
    code
}

fn tell_warnings(config: &Config) {
    for warning in config::warnings(config) {
        eprintln!("circlet: {warning}");
    }
}

fn fail(reason: &impl std::fmt::Display) -> ExitCode {
    for line in reason.to_string().lines() {
        eprintln!("circlet: {line}");
    }
    ExitCode::FAILURE
}

fn serve(config: Config, settings: Settings, logging: Arc<Logging>) -> ExitCode {
    let options = Options { threads: settings.threads, max_clients: settings.max_clients };
    let stats = (settings.stats_addr, settings.stats_port);
    run(async {
        let server = Server::start(config, options).map_err(|error| error.to_string())?;
        let stats = admin::stats::listen(stats).await?;
        tokio::spawn(admin::stats::serve(stats, server.stats()));
        tracing::info!("circlet {} serves, process {}", env!("CARGO_PKG_VERSION"), process::id());
        until_stopped(server, logging).await
    })
}

fn demo() -> ExitCode {
    let logging = match Logging::start(DEMO_LOG_LEVEL, LogFormat::Text, None) {
        Ok(logging) => Arc::new(logging),
        Err(error) => return fail(&error),
    };
    // On the main thread, which lives as long as the process: the shards die with it.
    let demo = match Demo::start() {
        Ok(demo) => demo,
        Err(error) => return fail(&error),
    };
    let config = match config::parse(&demo.nutcracker_yml(), Format::Yaml, "demo") {
        Ok(config) => config,
        Err(faults) => return fail(&faults),
    };
    run(async {
        let server =
            Server::start(config, Options::default()).map_err(|error| error.to_string())?;
        print(&demo.greeting());
        until_stopped(server, logging).await
    })
}

/// Runs the control thread, which is this one.
fn run(serving: impl Future<Output = Result<(), String>>) -> ExitCode {
    admin::process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(|error| error.to_string()).and_then(|it| it.block_on(serving)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn until_stopped(server: Server, logging: Arc<Logging>) -> Result<(), String> {
    let mut failure = None;
    let stopped = async {
        match signals::until_stopped(logging).await {
            Ok(signal) => tracing::info!("{signal} received, done"),
            Err(error) => failure = Some(format!("cannot listen for signals: {error}")),
        }
    };
    server.run(stopped).await;
    failure.map_or(Ok(()), Err)
}

/// Warnings and changes of health; a visitor of the demonstration wants no more.
const DEMO_LOG_LEVEL: u8 = 5;
