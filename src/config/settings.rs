//! The process's own settings: defaults < file < environment < flags.
//!
//! They are not in nutcracker.yml, which stays readable for twemproxy: they come from a TOML file
//! named by `--settings`, from variables such as `CIRCLET_THREADS`, and from flags.

mod table;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};

use super::fault::{ConfigFault, Faults, Wrong};
use super::tree::{Node, Value};
use super::{spelling, toml, value};
use crate::admin::log::{LogFilter, LogFormat};
use crate::journal::JournalSettings;
use crate::journal::redact::Redaction;
use crate::upgrade::retire::Patience;
use table::Kind;
pub use table::{SETTINGS, Setting};

/// The settings of one process, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Worker threads; at least 1.
    pub threads: usize,
    /// The file with the pools.
    pub conf_file: PathBuf,
    /// Whether the configuration is reloaded when its file changes.
    pub reload_on_change: bool,
    /// twemproxy's log level, 0 to 11.
    pub log_level: u8,
    /// The levels of single modules.
    pub log_filter: LogFilter,
    /// How lines of the log are written.
    pub log_format: LogFormat,
    /// The log's file; standard error without one.
    pub log_file: Option<PathBuf>,
    /// What is written down of single requests.
    pub journal: JournalSettings,
    /// The port of the statistics.
    pub stats_port: u16,
    /// The address of the statistics.
    pub stats_addr: String,
    /// How old statistics may be.
    pub stats_interval: Duration,
    /// The host and port of the admin address.
    pub admin_addr: Option<String>,
    /// Names by which the admin address may be called, beside its own.
    pub admin_names: String,
    /// Where the process's id is written.
    pub pid_file: Option<PathBuf>,
    /// Whether the process goes into the background.
    pub daemonize: bool,
    /// What clients are given when the process ends.
    pub patience: Patience,
    /// Where a new process takes over from this one.
    pub upgrade_socket: Option<PathBuf>,
    /// How many clients may be connected to all pools together; 0 is no limit but the process's
    /// open files.
    pub max_clients: u32,
    /// How many bytes of memory the process may use; 0 is half of what there is.
    pub max_memory: u64,
    /// How many commands a second each worker looks at for hot and big keys; 0 is none.
    pub hotkeys_samples: u32,
}

/// The prefix of our environment variables.
pub const PREFIX: &str = "CIRCLET_";

/// The variable that names the settings file, as `--settings` does.
pub const SETTINGS_VARIABLE: &str = "CIRCLET_SETTINGS";

impl Settings {
    /// Lays the four layers over each other. `flags` are pairs of a setting's name and its text.
    ///
    /// # Errors
    /// Every value of every layer that does not do, also one that a later layer hides.
    pub fn resolve(
        file: Option<&Path>,
        environment: &HashMap<String, String>,
        flags: &[(&'static str, String)],
    ) -> Result<Self, Faults> {
        let file = file.map(Path::to_owned).or_else(|| {
            environment.get(SETTINGS_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from)
        });
        let text = file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let mut faults = Vec::new();
        if let Some(file) = &file {
            check_file(&file.display().to_string(), &text, &mut faults);
        }
        let variables = known_variables(environment);
        for (variable, text) in &variables {
            let name = variable[PREFIX.len()..].to_ascii_lowercase();
            check("environment", variable, &name, text, &mut faults);
        }
        for (name, text) in flags {
            check("command line", name, name, text, &mut faults);
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let layered = layer(&text, variables, flags)
            .map_err(|error| ConfigFault::of_file("settings", Wrong::new(error.to_string(), "")))?;
        Self::from_texts(&layered).map_err(|wrong| ConfigFault::of_file("settings", wrong).into())
    }

    /// The settings that `written` has differently, as "threads (2, written: 4)".
    pub fn differences(&self, written: &Self) -> Vec<String> {
        macro_rules! differing {
            ($($field:ident),+ $(,)?) => {{
                let Self { $($field),+ } = self;
                let mut differing = Vec::new();
                $(if *$field != written.$field {
                    let (name, now) = (stringify!($field), &written.$field);
                    differing.push(format!("{name} ({:?}, written: {now:?})", $field));
                })+
                differing
            }};
        }
        differing!(
            threads,
            conf_file,
            reload_on_change,
            log_level,
            log_filter,
            log_format,
            log_file,
            journal,
            stats_port,
            stats_addr,
            stats_interval,
            admin_addr,
            admin_names,
            pid_file,
            daemonize,
            patience,
            upgrade_socket,
            max_clients,
            max_memory,
            hotkeys_samples,
        )
    }

    fn from_texts(texts: &HashMap<String, String>) -> Result<Self, Wrong> {
        let text = |name: &str| texts.get(name).map_or("", String::as_str);
        let number = |name| value::integer(text(name), &(0..=u64::from(u32::MAX)));
        let path = |name| Some(text(name)).filter(|text| !text.is_empty()).map(PathBuf::from);
        Ok(Self {
            threads: match number("threads")? {
                0 => thread::available_parallelism().map_or(1, usize::from),
                threads => threads as usize,
            },
            conf_file: path("conf_file").unwrap_or_default(),
            reload_on_change: value::boolean(text("reload_on_change"))?,
            log_level: number("log_level")? as u8,
            log_filter: table::log_filter(text("log_filter"))?,
            log_format: match text("log_format") {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            log_file: path("log_file"),
            journal: JournalSettings {
                slow_threshold: table::threshold(text("slow_threshold"))?,
                slow_log_max_len: number("slow_log_max_len")? as usize,
                access_log: path("access_log"),
                otel_endpoint: Some(text("otel_endpoint").to_owned())
                    .filter(|text| !text.is_empty()),
                access_log_sample: number("access_log_sample")? as u32,
                redaction: match text("log_redact_keys") {
                    "hash" => Redaction::Hash,
                    "hide" => Redaction::Hide,
                    _ => Redaction::Off,
                },
            },
            stats_port: number("stats_port")? as u16,
            stats_addr: text("stats_addr").to_owned(),
            stats_interval: Duration::from_millis(number("stats_interval")?),
            admin_addr: Some(text("admin_addr").to_owned()).filter(|text| !text.is_empty()),
            admin_names: text("admin_names").to_owned(),
            pid_file: path("pid_file"),
            daemonize: value::boolean(text("daemonize"))?,
            patience: Patience {
                delay: Duration::from_millis(number("drain_delay")?),
                timeout: Duration::from_millis(number("drain_timeout")?),
            },
            upgrade_socket: path("upgrade_socket"),
            max_clients: number("max_clients")? as u32,
            max_memory: value::size(text("max_memory"), &(0..=u64::MAX))?,
            hotkeys_samples: number("hotkeys_samples")? as u32,
        })
    }
}

/// Variables with our prefix that set nothing: probably slips, worth a warning.
pub fn unknown_variables(environment: &HashMap<String, String>) -> Vec<String> {
    let ours = environment.keys().filter(|name| name.starts_with(PREFIX));
    let not_settings = [SETTINGS_VARIABLE, "CIRCLET_DETACH_STAGE"];
    let known = known_variables(environment);
    let unknown = ours.filter(|name| {
        !known.contains_key(name.as_str()) && !not_settings.contains(&name.as_str())
    });
    let mut unknown: Vec<String> = unknown.cloned().collect();
    unknown.sort();
    unknown
}

fn known_variables(environment: &HashMap<String, String>) -> BTreeMap<String, String> {
    let variables = SETTINGS.iter().map(|setting| variable(setting.name));
    variables.filter_map(|name| Some((name.clone(), environment.get(&name)?.clone()))).collect()
}

/// The environment variable of a setting.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

fn layer(
    file: &str,
    variables: BTreeMap<String, String>,
    flags: &[(&'static str, String)],
) -> Result<HashMap<String, String>, config::ConfigError> {
    let mut builder = Config::builder();
    for setting in SETTINGS {
        builder = builder.set_default(setting.name, setting.default)?;
    }
    builder = builder.add_source(File::from_str(file, FileFormat::Toml));
    let environment = Environment::with_prefix("CIRCLET").prefix_separator("_");
    builder = builder.add_source(environment.source(Some(variables.into_iter().collect())));
    for (name, text) in flags {
        builder = builder.set_override(*name, text.as_str())?;
    }
    builder.build()?.try_deserialize()
}

fn read_file(path: &Path) -> Result<String, Faults> {
    fs::read_to_string(path).map_err(|error| {
        let wrong = format!("the settings cannot be read: {error}");
        let right = format!("name a readable TOML file with --settings or {SETTINGS_VARIABLE}");
        ConfigFault::of_file(&path.display().to_string(), Wrong::new(wrong, right)).into()
    })
}

fn check_file(file: &str, text: &str, faults: &mut Vec<ConfigFault>) {
    match toml::read(text, file) {
        Ok(Some(Node { value: Value::Mapping(pairs), .. })) => {
            for (key, value) in pairs {
                let (Value::Scalar(name), Value::Scalar(text)) = (&key.value, &value.value) else {
                    let wrong = format!("{} where a single value belongs", value.value.shape());
                    let right = "the settings are `name = value`; pools belong into conf_file";
                    faults.push(ConfigFault {
                        line: Some(value.place.line),
                        ..ConfigFault::of_file(file, Wrong::new(wrong, right))
                    });
                    continue;
                };
                let told = faults.len();
                check(file, name, name, text, faults);
                faults[told..].iter_mut().for_each(|fault| fault.line = Some(key.place.line));
            }
        }
        Ok(_) => {}
        Err(Faults(more)) => faults.extend(more),
    }
}

/// Judges one value; `shown` is the setting's name as written where it comes from.
fn check(file: &str, shown: &str, name: &str, text: &str, faults: &mut Vec<ConfigFault>) {
    let judged = match SETTINGS.iter().find(|setting| setting.name == name) {
        None => Err(unknown(name)),
        Some(setting) => match &setting.takes {
            Kind::Integer(range) => value::integer(text, range).map(drop),
            Kind::Size(least) => value::size(text, &(0..=u64::MAX)).and_then(|size| match size {
                0 => Ok(()),
                size if size >= *least => Ok(()),
                _ => Err(Wrong::new(
                    format!("{text:?} is too little"),
                    format!("write 0 or at least {}mb", least >> 20),
                )),
            }),
            Kind::Boolean => value::boolean(text).map(drop),
            Kind::Judged(judge) => judge(text),
            Kind::Word(words) if !words.contains(&text) => Err(Wrong::new(
                format!("{text:?} is not known"),
                format!("write one of {}", words.join(", ")),
            )),
            Kind::Word(_) | Kind::Text => Ok(()),
        },
    };
    if let Err(wrong) = judged {
        let key = Some(shown.to_owned());
        faults.push(ConfigFault { key, ..ConfigFault::of_file(file, wrong) });
    }
}

fn unknown(name: &str) -> Wrong {
    let right = match spelling::nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`circlet config-reference` lists all settings".to_owned(),
    };
    Wrong::new("there is no such setting", right)
}
