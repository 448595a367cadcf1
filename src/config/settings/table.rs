//! The settings of the process: one table for their reading and for the docs.

use std::ops::RangeInclusive;

use super::super::fault::Wrong;
use crate::admin::log::LogFilter;

/// A setting as documented.
pub struct Setting {
    /// The name in the settings file; the variable is `CIRCLET_` and the name in capitals.
    pub name: &'static str,
    /// The flags that set it.
    pub flags: &'static str,
    /// What holds without it, as it would be typed.
    pub default: &'static str,
    /// What it takes.
    pub(super) takes: Kind,
    /// What it means.
    pub meaning: &'static str,
}

/// What a setting takes.
pub(super) enum Kind {
    Integer(RangeInclusive<u64>),
    /// 0, or at least so many bytes.
    Size(u64),
    Boolean,
    Word(&'static [&'static str]),
    Text,
    /// Text that is read further.
    Judged(fn(&str) -> Result<(), Wrong>),
}

/// Circlet at rest needs half of it; in less it could serve nobody.
const SMALLEST_MEMORY: u64 = 32 << 20;

/// All settings: for the reading of them, for the docs.
pub static SETTINGS: &[Setting] = &[
    Setting {
        name: "conf_file",
        flags: "-c, --conf-file",
        default: "conf/nutcracker.yml",
        takes: Kind::Text,
        meaning: "The file with the pools. The extension .toml means TOML, any other YAML.",
    },
    Setting {
        name: "reload_on_change",
        flags: "--reload-on-change",
        default: "false",
        takes: Kind::Boolean,
        meaning: "Whether the configuration is reloaded when its file changes, or a users_file of it; see docs/reload.md.",
    },
    Setting {
        name: "threads",
        flags: "--threads",
        default: "0",
        takes: Kind::Integer(0..=1024),
        meaning: "Worker threads; 0 is one for each core.",
    },
    Setting {
        name: "max_clients",
        flags: "--max-clients",
        default: "0",
        takes: Kind::Integer(0..=u32::MAX as u64),
        meaning: "How many clients may be connected to all pools together; 0 is no limit but the process's open files.",
    },
    Setting {
        name: "max_memory",
        flags: "--max-memory",
        default: "0",
        takes: Kind::Size(SMALLEST_MEMORY),
        meaning: "How many bytes of memory the process may use (`2gb`, as sizes of pools are written); 0 is half of what the machine, or the container, has. Near it large transfers wait, new clients are turned away, and clients are disconnected: those that do not read their replies, the most bytes first, then those whose command is large and has come in part.",
    },
    Setting {
        name: "hotkeys_samples",
        flags: "--hotkeys-samples",
        default: "1000",
        takes: Kind::Integer(0..=100_000),
        meaning: "How many commands a second each worker looks at, for moments up to twice as many, to know hot and big keys (docs/hotkeys.md); 0 is none. A worker that handles no more than that looks at all.",
    },
    Setting {
        name: "log_level",
        flags: "-v, --verbose",
        default: "5",
        takes: Kind::Integer(0..=11),
        meaning: "0 to 3 errors, 4 warnings too, 5 what an operator wants to know, 6 and 7 each connection, from 8 everything. The signals TTIN and TTOU turn it up and down.",
    },
    Setting {
        name: "log_filter",
        flags: "--log-filter",
        default: "",
        takes: Kind::Judged(|text| log_filter(text).map(drop)),
        meaning: "Levels of single modules, such as `shard=debug,tls=off`; a level alone (`warn`) is for all others, in place of log_level. `PROXY LOG` and `POST /log` change it while circlet runs.",
    },
    Setting {
        name: "log_format",
        flags: "--log-format",
        default: "text",
        takes: Kind::Word(&["text", "json"]),
        meaning: "Lines for people, or one JSON object a line.",
    },
    Setting {
        name: "log_file",
        flags: "-o, --output",
        default: "",
        takes: Kind::Text,
        meaning: "The file the log is appended to; standard error without one. The signal HUP opens it anew.",
    },
    Setting {
        name: "slow_threshold",
        flags: "--slow-threshold",
        default: "10000",
        takes: Kind::Judged(|text| threshold(text).map(drop)),
        meaning: "From how many microseconds on a request is slow, from its arrival to its reply: it goes into the slow log (`PROXY SLOWLOG`), and into the access log if there is one. 0 takes every request for slow, -1 none.",
    },
    Setting {
        name: "slow_log_max_len",
        flags: "",
        default: "128",
        takes: Kind::Integer(0..=100_000),
        meaning: "How many slow requests of each pool are kept.",
    },
    Setting {
        name: "access_log",
        flags: "--access-log",
        default: "",
        takes: Kind::Text,
        meaning: "The file to which one JSON line is appended for each sampled and each slow request, or `-` for standard output; none without it. The signal HUP opens it anew.",
    },
    Setting {
        name: "access_log_sample",
        flags: "--access-log-sample",
        default: "0",
        takes: Kind::Integer(0..=1_000_000_000),
        meaning: "One in so many requests is sampled, for the access log and for spans; 0 for none.",
    },
    Setting {
        name: "otel_endpoint",
        flags: "",
        default: "",
        takes: Kind::Text,
        meaning: "Where spans of sampled requests are sent for OpenTelemetry, as OTLP over HTTP, such as `http://127.0.0.1:4318`; nowhere without one. Only where circlet was built with the feature `otel`.",
    },
    Setting {
        name: "log_redact_keys",
        flags: "--log-redact-keys",
        default: "off",
        takes: Kind::Word(&["off", "hash", "hide"]),
        meaning: "How keys are shown in the slow log, the access log, the last errors and among the hot keys: as they are, as a number that is the same for the same key while circlet runs, or not at all. Where keys are not shown values are neither. Passwords never are.",
    },
    Setting {
        name: "stats_port",
        flags: "-s, --stats-port",
        default: "22222",
        takes: Kind::Integer(1..=65535),
        meaning: "The port of the statistics.",
    },
    Setting {
        name: "stats_addr",
        flags: "-a, --stats-addr",
        default: "0.0.0.0",
        takes: Kind::Text,
        meaning: "The address of the statistics.",
    },
    Setting {
        name: "stats_interval",
        flags: "-i, --stats-interval",
        default: "30000",
        takes: Kind::Integer(0..=i32::MAX as u64),
        meaning: "How old statistics may be, in milliseconds.",
    },
    Setting {
        name: "admin_addr",
        flags: "--admin-addr",
        default: "",
        takes: Kind::Text,
        meaning: "The host and port where people, Prometheus and scripts ask over HTTP, such as 127.0.0.1:22223; nowhere without one. Whoever reaches it may see and do all that it offers: keep it on loopback or behind a proxy that asks who it is.",
    },
    Setting {
        name: "admin_names",
        flags: "--admin-names",
        default: "",
        takes: Kind::Text,
        meaning: "Further names by which the admin address may be called, between commas: those of a reverse proxy or of Kubernetes's DNS. IP addresses, `localhost` and the host in `admin_addr` always are; requests for other names are refused, so that no hostile site can have its own name lead a browser here.",
    },
    Setting {
        name: "pid_file",
        flags: "-p, --pid-file",
        default: "",
        takes: Kind::Text,
        meaning: "Where the process's id is written; removed at a clean end.",
    },
    Setting {
        name: "daemonize",
        flags: "-d, --daemonize",
        default: "false",
        takes: Kind::Boolean,
        meaning: "Whether the process goes into the background.",
    },
    Setting {
        name: "drain_timeout",
        flags: "--drain-timeout",
        default: "10000",
        takes: Kind::Integer(0..=i32::MAX as u64),
        meaning: "At a SIGTERM, and when another process has taken over: how many milliseconds clients may take to come to an end of what they do (Redis: `shutdown-timeout`, which is in seconds). Each is disconnected between two commands; what is left then is disconnected anyway.",
    },
    Setting {
        name: "drain_delay",
        flags: "--drain-delay",
        default: "0",
        takes: Kind::Integer(0..=i32::MAX as u64),
        meaning: "At a SIGTERM: for how many milliseconds everything is served as before, new clients too, while /readyz of the admin address says 503 already. For load balancers that take a while to notice, as in Kubernetes.",
    },
    Setting {
        name: "upgrade_socket",
        flags: "--upgrade-socket",
        default: "",
        takes: Kind::Text,
        meaning: "The path of a unix socket on which a new circlet takes over from this one: started with the same path it gets the listening sockets, and when it serves, this one's clients leave and it ends. Only processes of the same user may. None without a path.",
    },
];

/// Reads a [`LogFilter`].
pub(super) fn log_filter(text: &str) -> Result<LogFilter, Wrong> {
    text.parse().map_err(|wrong| Wrong::new(wrong, "such as `info,shard=debug`"))
}

/// Reads microseconds, or -1 for none.
pub(super) fn threshold(text: &str) -> Result<i64, Wrong> {
    match text.parse() {
        Ok(micros) if micros >= -1 => Ok(micros),
        _ => Err(Wrong::new(
            format!("{text:?} is no number of microseconds"),
            "write a decimal integer, or -1 for none",
        )),
    }
}
