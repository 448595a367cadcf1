//! The circlet program: flags, configuration, run, exit code.

use std::collections::HashMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;

use circlet::admin::log::{LogFilter, LogFormat, Logging};
use circlet::admin::process::{Detached, PidFile, detach};
use circlet::admin::signals::{End, Signals};
use circlet::admin::web::{Names, Site};
use circlet::admin::{self, process::raise_open_files};
use circlet::config::flags::{self, Action, Flags};
use circlet::config::settings::unknown_variables;
use circlet::config::{self, Config, Faults, Format, Settings};
use circlet::demo::{self as demo_shards, Demo};
use circlet::manual;
use circlet::reload::{self, Read, Reloader, Source};
use circlet::route::ring::Ring;
use circlet::server::{Options, Server};
use circlet::tls::exposure;
use circlet::tls::keeper::Certificates;
use circlet::upgrade::hand_over::Counter;
use circlet::upgrade::inherited::Inherited;
use circlet::upgrade::retire::{self, Patience};
use circlet::upgrade::systemd;
use circlet::upgrade::take_over::{Predecessor, take_over};
use circlet::{commandline, compare};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

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
        Action::Compare(options) => compare(options),
        Action::Tool(tool) => match commandline::run(tool) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => fail(&reason),
        },
        Action::Completions(shell) => print(&manual::completions(*shell)),
        Action::ManualPage => print(&manual::page()),
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
            if let Err(error) = Certificates::load(&config) {
                return fail(&error);
            }
            let servers: usize = config.pools.iter().map(|pool| pool.servers.len()).sum();
            let (shown, pools) = (file.display(), config.pools.len());
            eprintln!("circlet: {shown} is valid; pools: {pools}, servers: {servers}");
            tell_warnings(&config, Some(file));
            ExitCode::SUCCESS
        }
        Err(faults) => fail(&faults),
    }
}

/// Exit code 1 says that something disagrees, or that nothing could be compared.
fn compare(options: &compare::Options) -> ExitCode {
    match compare::run(options) {
        Ok(outcome) => {
            print(&outcome.report);
            if outcome.agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error),
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
    let config = load(flags, &settings);
    match (&flags.action, config) {
        (Action::TestConf, config) => test_conf(flags, &settings, config),
        (_, Ok(config)) => start(config, settings, flags, environment),
        (_, Err(faults)) => fail(&faults),
    }
}

/// The pools, from where the process is told to take them.
fn load(flags: &Flags, settings: &Settings) -> Result<Config, Faults> {
    match flags.servers.is_empty() {
        true => config::load(&settings.conf_file),
        false => config::from_servers(&flags.servers),
    }
}

/// The files that the pools were read from.
fn files(config: &Config, file: Option<&Path>) -> Vec<PathBuf> {
    let of_users = config.pools.iter().filter_map(|pool| pool.users_file.as_ref());
    file.map(Path::to_owned).into_iter().chain(of_users.map(PathBuf::from)).collect()
}

/// What a reload takes over: the pools as they are written now, and what is written of the process's
/// settings that it cannot take over.
fn source(flags: Flags, environment: HashMap<String, String>, running: Settings) -> Arc<Source> {
    Arc::new(move || {
        let file = flags.settings_file.as_deref();
        let written = Settings::resolve(file, &environment, &flags.settings);
        let written = written.map_err(|faults| faults.to_string())?;
        let config = load(&flags, &running).map_err(|faults| faults.to_string())?;
        for warning in warnings(&config, config_file(flags.servers.is_empty(), &running)) {
            tracing::warn!("{warning}");
        }
        let files = files(&config, config_file(flags.servers.is_empty(), &running));
        Ok(Read { config, files, needs_restart: running.differences(&written) })
    })
}

/// twemproxy's sentence, and then what twemproxy does not say.
fn test_conf(flags: &Flags, settings: &Settings, config: Result<Config, Faults>) -> ExitCode {
    let file = match flags.servers.is_empty() {
        true => settings.conf_file.display().to_string(),
        false => "command line".to_owned(),
    };
    match config {
        Ok(config) => {
            if let Err(error) = Certificates::load(&config) {
                return fail(&error);
            }
            eprintln!("circlet: configuration file '{file}' syntax is ok");
            tell_warnings(&config, config_file(flags.servers.is_empty(), settings));
            ExitCode::SUCCESS
        }
        Err(faults) => {
            eprintln!("circlet: configuration file '{file}' syntax is invalid");
            fail(&faults)
        }
    }
}

fn start(
    config: Config,
    settings: Settings,
    flags: &Flags,
    environment: HashMap<String, String>,
) -> ExitCode {
    // Before going into the background, so that a log that cannot be opened is told here.
    let file = settings.log_file.as_deref();
    let logging = match Logging::start(
        settings.log_level,
        settings.log_filter.clone(),
        settings.log_format,
        file,
    ) {
        Ok(logging) => logging,
        Err(error) => return fail(&format!("cannot open the log {file:?}: {error}")),
    };
    if settings.daemonize {
        if systemd::has_sockets() {
            return fail(&"systemd hands in sockets, to the process that it starts: leave out -d");
        }
        match detach() {
            Ok(Detached::Here) => {}
            Ok(Detached::Elsewhere) => return ExitCode::SUCCESS,
            Err(error) => return fail(&format!("cannot go into the background: {error}")),
        }
    }
    let source = source(flags.clone(), environment, settings.clone());
    let has_file = flags.servers.is_empty();
    match run(config, settings, has_file, logging, source) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            fail(&error)
        }
    }
}

/// The control thread's life, between its pid file's making and removal.
fn run(
    config: Config,
    settings: Settings,
    has_file: bool,
    logging: &'static Logging,
    source: Arc<Source>,
) -> Result<(), String> {
    // While there is one thread: this changes the environment.
    let mut inherited = systemd::sockets()?;
    let path = settings.upgrade_socket.as_deref();
    let predecessor = path.map(|path| take_over(path, &mut inherited)).transpose();
    let predecessor = predecessor.map_err(|error| error.to_string())?.flatten();
    let (runtime, signals) = control()?;
    let file = config_file(has_file, &settings);
    let files = files(&config, file);
    for warning in warnings(&config, file) {
        tracing::warn!("{warning}");
    }
    let fresh = (source, files);
    let proxy = serve(config, settings, logging, signals, inherited, predecessor, fresh);
    let served = runtime.block_on(proxy);
    // A name that is being resolved holds a thread for as long as the resolver likes.
    runtime.shutdown_background();
    served
}

/// The configuration file, where there is one.
fn config_file(has_file: bool, settings: &Settings) -> Option<&Path> {
    has_file.then_some(&*settings.conf_file)
}

fn tell_warnings(config: &Config, file: Option<&Path>) {
    for warning in warnings(config, file) {
        eprintln!("circlet: {warning}");
    }
}

/// What is valid and yet probably not meant, in the file, in the ring that it makes, and in who may
/// read it.
fn warnings(config: &Config, file: Option<&Path>) -> Vec<String> {
    let mut warnings = config::warnings(config);
    warnings.extend(config.pools.iter().flat_map(Ring::warnings));
    warnings.extend(exposure::warnings(config, file));
    warnings
}

fn fail(reason: &impl std::fmt::Display) -> ExitCode {
    for line in reason.to_string().lines() {
        eprintln!("circlet: {line}");
    }
    ExitCode::FAILURE
}

async fn serve(
    config: Config,
    settings: Settings,
    logging: &'static Logging,
    mut signals: Signals,
    mut inherited: Inherited,
    predecessor: Option<Predecessor>,
    (source, files): (Arc<Source>, Vec<PathBuf>),
) -> Result<(), String> {
    let options = Options {
        threads: settings.threads,
        max_clients: settings.max_clients,
        max_memory: settings.max_memory,
        hotkeys_samples: settings.hotkeys_samples,
    };
    let server = Server::start_with(config, options, &mut inherited);
    let server = server.map_err(|error| error.to_string())?;
    let (shared, local) = (server.shared(), LocalSet::new());
    let reloader = server.reloader(source).with_files(files);
    if settings.reload_on_change {
        local.spawn_local(reload::watch::watch(reloader.clone(), shared.started_at));
    }
    shared.set_journal(&settings.journal)?;
    local.spawn_local(logging.tell_left_out());
    let address = (settings.stats_addr, settings.stats_port);
    let stats = admin::stats::listen(address, &mut inherited).await?;
    let entered = retire::enter(&shared, &stats)?;
    let stats = admin::stats::serve(stats, server.stats());
    local.spawn_local(retire::until_handed_over(entered, stats));
    if let Some(address) = &settings.admin_addr {
        let admin = admin::web::listen(address, &mut inherited).await?;
        let entered = retire::enter(&shared, &admin)?;
        let site =
            Site::new(&server, Names::new(address, &settings.admin_names), Some(reloader.clone()));
        let admin = admin::web::serve(admin, site);
        local.spawn_local(retire::until_handed_over(entered, admin));
    }
    if let Some(path) = &settings.upgrade_socket {
        local.spawn_local(Counter::open(path, &mut inherited, &shared.gate)?.serve());
    }
    for address in inherited.rest() {
        tracing::warn!("nobody is configured to listen on {address}: it is closed here");
    }
    drop(inherited);
    // Not before: a process that cannot start leaves the file of the one that runs alone.
    let pid_file = settings.pid_file.as_deref().map(PidFile::create).transpose();
    let _pid_file = pid_file.map_err(|error| format!("cannot write the pid file: {error}"))?;
    tracing::info!("circlet {} serves, process {}", env!("CARGO_PKG_VERSION"), process::id());
    systemd::serving();
    if let Some(predecessor) = predecessor {
        local.spawn_local(predecessor.relieve(Arc::clone(&shared.gate)));
    }
    local.spawn_local(systemd::feed_watchdog());
    let ended = ended(logging, &mut signals, &server, settings.patience, Some(reloader));
    local.run_until(server.run(ended)).await;
    tracing::info!("done");
    Ok(())
}

/// Answers signals until the process is to end: at once, or when its clients have left.
fn ended<'a>(
    logging: &'a Logging,
    signals: &'a mut Signals,
    server: &Server,
    patience: Patience,
    reloader: Option<Reloader>,
) -> impl Future<Output = ()> + use<'a> {
    let (shared, certificates) = (server.shared(), server.certificates());
    let has_files = Arc::clone(&shared);
    let reload = move || {
        systemd::reloading();
        has_files.journal.reopen();
        certificates.reload();
        match reloader.clone() {
            Some(reloader) => drop(tokio::spawn(async move {
                // Whoever reads the log is told.
                let _ = reloader.reload("SIGHUP").await;
                systemd::serving();
            })),
            None => systemd::serving(),
        }
    };
    async move {
        let end = tokio::select! {
            end = signals.until_stopped(logging, &reload) => end,
            () = retire::relieved(Arc::clone(&shared), patience) => return,
        };
        if end == End::Gently {
            tokio::select! {
                _ = signals.until_stopped(logging, &reload) => {}
                () = retire::end(shared, patience) => {}
            }
        }
    }
}

fn demo() -> ExitCode {
    let shown = Logging::start(DEMO_LOG_LEVEL, LogFilter::default(), LogFormat::Text, None)
        .map_err(|error| format!("cannot open the log: {error}"))
        .and_then(show);
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Runs on the main thread, which lives as long as the process: the shards die with it.
fn show(logging: &Logging) -> Result<(), String> {
    let (runtime, mut signals) = control()?;
    let demo = Demo::start().map_err(|error| error.to_string())?;
    let config = config::parse(&demo.nutcracker_yml(), Format::Yaml, "demo")
        .map_err(|faults| faults.to_string())?;
    runtime.block_on(async {
        let server =
            Server::start(config, Options::default()).map_err(|error| error.to_string())?;
        let listener = admin::web::listen(&demo.admin_address(), &mut Inherited::default()).await?;
        let local = LocalSet::new();
        let site = Site::new(&server, Names::default(), None);
        local.spawn_local(admin::web::serve(listener, site));
        print(&demo.greeting());
        let ended = ended(logging, &mut signals, &server, Patience::default(), None);
        local.run_until(server.run(ended)).await;
        Ok(())
    })
}

/// The runtime of the control thread, which is this one, and the signals that it hears.
fn control() -> Result<(Runtime, Signals), String> {
    raise_open_files();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let signals = runtime.block_on(async { Signals::catch() });
    let signals = signals.map_err(|error| format!("cannot catch signals: {error}"))?;
    Ok((runtime, signals))
}

/// Changes of health; a visitor of the demonstration wants no more.
const DEMO_LOG_LEVEL: u8 = 5;
