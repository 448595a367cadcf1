//! What stands in circlet(1).

use clap::{Arg, Command};

use super::NAME;
use super::roff::Roff;
use crate::config::flags;
use crate::config::settings::{SETTINGS, variable};

/// The manual page, as man(1) reads it.
pub fn page() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = Roff::new(NAME, 1, &format!("{NAME} {version}"), "User commands");
    page.section("NAME");
    page.text(&format!("{NAME} - {}", ABOUT));
    page.section("SYNOPSIS");
    page.example(SYNOPSIS);
    page.section("DESCRIPTION");
    DESCRIPTION.iter().for_each(|paragraph| page.text(paragraph));
    let command = flags::command();
    page.section("OPTIONS");
    options(&mut page, &command);
    page.section("COMMANDS");
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        subcommand(&mut page, NAME, command);
    }
    settings(&mut page);
    for (title, terms) in [("SIGNALS", &SIGNALS[..]), ("FILES", &FILES), ("EXIT STATUS", &EXIT)] {
        page.section(title);
        terms.iter().for_each(|(term, meaning)| page.term(term, meaning));
    }
    page.section("SEE ALSO");
    page.text(SEE_ALSO);
    page.finish()
}

fn subcommand(page: &mut Roff, parent: &str, command: &Command) {
    let mut command = command.clone().bin_name(format!("{parent} {}", command.get_name()));
    let usage = command.render_usage().to_string();
    page.subsection(usage.trim_start_matches("Usage: ").trim());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.text(&about);
    options(page, &command);
    let parent = format!("{parent} {}", command.get_name());
    for inner in command.get_subcommands() {
        subcommand(page, &parent, inner);
    }
}

fn options(page: &mut Roff, command: &Command) {
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default: Vec<String> = arg
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy().into_owned())
            .filter(|_| arg.get_action().takes_values())
            .collect();
        let words: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|_| arg.get_action().takes_values())
            .map(|value| value.get_name().to_owned())
            .collect();
        let known = |title: &str, values: &[String]| match values {
            [] => String::new(),
            values => format!(" ({title}: {})", values.join(", ")),
        };
        let about = format!("{help}{}{}", known("one of", &words), known("default", &default));
        page.term(&spelling(arg), &about);
    }
}

/// `-c, --conf-file FILE`
fn spelling(arg: &Arg) -> String {
    let short = arg.get_short_and_visible_aliases().unwrap_or_default();
    let mut names: Vec<String> = short.iter().map(|short| format!("-{short}")).collect();
    let long = arg.get_long_and_visible_aliases().unwrap_or_default();
    names.extend(long.iter().map(|long| format!("--{long}")));
    let values = arg.get_value_names().unwrap_or_default();
    let takes = arg.get_action().takes_values();
    let values: Vec<&str> = values.iter().map(|value| value.as_str()).filter(|_| takes).collect();
    match (names.is_empty(), values.is_empty()) {
        (true, _) => values.join(" "),
        (false, true) => names.join(", "),
        (false, false) => format!("{} {}", names.join(", "), values.join(" ")),
    }
}

fn settings(page: &mut Roff) {
    page.section("SETTINGS");
    page.text(
        "Each may be written in a TOML file (--settings FILE, or the variable CIRCLET_SETTINGS), be \
         given as a variable, or as a flag; the later of these wins.",
    );
    for setting in SETTINGS {
        let term = format!("{}, {}", setting.name, variable(setting.name));
        let default = match setting.default {
            "" => "none",
            default => default,
        };
        page.term(&term, &format!("{} Default: {default}.", setting.meaning));
    }
}

const ABOUT: &str = "sharding proxy for Redis: several servers look like one";

const SYNOPSIS: &str = "\
circlet [OPTIONS] -c FILE
circlet [OPTIONS] HOST:PORT[:WEIGHT]...
circlet COMMAND [OPTIONS]";

const DESCRIPTION: [&str; 3] = [
    "circlet serves the pools of a nutcracker.yml, as twemproxy (nutcracker) does, with every key on \
     the shard where twemproxy put it: clients connect to a pool and find one Redis, whose keys live \
     on several servers.",
    "Without a file, servers on the command line make a pool that listens on 127.0.0.1:22121.",
    "Every key of the file is told by: circlet config-reference. What is wrong with a file is told \
     by: circlet check FILE.",
];

const SIGNALS: [(&str, &str); 5] = [
    (
        "TERM",
        "Accept nobody any more, let clients come to an end between two commands (at most \
         drain_timeout milliseconds), and end.",
    ),
    ("INT", "End at once."),
    ("HUP", "Open the log's file anew, and read anew what may change while circlet serves."),
    ("TTIN, TTOU", "Log more, log less."),
    ("USR1, USR2", "Nothing but a line in the log, as with twemproxy."),
];

const FILES: [(&str, &str); 3] = [
    ("/etc/circlet/nutcracker.yml", "The pools that the packaged service serves."),
    ("/etc/circlet/settings.toml", "The settings of the packaged service."),
    ("conf/nutcracker.yml", "The pools where no file is named, as with twemproxy."),
];

const EXIT: [(&str, &str); 2] = [
    ("0", "All went well; after TERM and INT too."),
    ("1", "A fault, told on standard error; or what was compared or checked does not agree."),
];

const SEE_ALSO: &str = "redis-server(1), redis-cli(1), nutcracker(8), systemd.service(5)";
