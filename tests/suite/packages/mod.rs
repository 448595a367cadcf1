//! What circlet comes in: the manual page and completions have all there is, and the packages' files
//! agree with the program, and with each other.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use circlet::config::flags::{self, Action};
use circlet::config::{self, Format, Listen, Settings};
use serde_json::Value;

use crate::harness::CIRCLET;

mod kubernetes;

/// A file of the project.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What circlet writes, to both of its outputs.
fn output(arguments: &[&str]) -> String {
    let output = Command::new(CIRCLET).args(arguments).output().expect("circlet starts");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

/// Every `--flag` that `circlet -h` shows, and every subcommand with its own.
fn flags_and_commands() -> BTreeSet<String> {
    let help = output(&["-h"]);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = help.split(|c: char| !is_part(c)).filter(|word| word.starts_with("--"));
    let mut all: BTreeSet<String> = words.map(str::to_owned).collect();
    for command in flags::command().get_subcommands() {
        all.insert(command.get_name().to_owned());
        all.extend(
            command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))),
        );
    }
    assert!(all.len() > 25 && all.contains("--upgrade-socket") && all.contains("compare"));
    all
}

#[test]
fn the_manual_page_has_every_flag_subcommand_and_setting() {
    let page = output(&["manual-page"]).replace("\\-", "-");
    for name in flags_and_commands() {
        assert!(page.contains(&name), "{name} is not in the manual page");
    }
    for setting in config::settings::SETTINGS {
        assert!(page.contains(setting.name), "{} is not in the manual page", setting.name);
    }
    // What begins with a full stop is a macro; these are all that are meant.
    let macros = [".TH ", ".SH ", ".SS ", ".PP", ".TP", ".nf", ".RS", ".RE", ".fi"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        assert!(macros.iter().any(|known| line.starts_with(known)), "{line}");
    }
}

#[test]
fn completions_have_every_flag_and_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        let script = output(&["completions", shell]);
        for name in flags_and_commands() {
            // fish is told of them as `-l flag`.
            let fish = name.strip_prefix("--").map(|flag| format!("-l {flag}"));
            let is_there = script.contains(&name)
                || (shell == "fish" && fish.is_some_and(|flag| script.contains(&flag)));
            assert!(is_there, "{name} is not completed by {shell}");
        }
    }
    let script = output(&["completions", "bash"]);
    let check = Command::new("bash").args(["-n", "-c", &script]).status().expect("bash is there");
    assert!(check.success());
}

/// The lines `Key=value` of a unit, in their order.
fn unit(path: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (key, value) = line.split_once('=')?;
        (!line.starts_with('#')).then(|| (key.to_owned(), value.to_owned()))
    };
    file(path).lines().filter_map(line).collect()
}

fn value(unit: &[(String, String)], key: &str) -> String {
    let found = unit.iter().find(|(known, _)| known == key);
    found.unwrap_or_else(|| panic!("no {key}")).1.clone()
}

/// The packaged settings, with the file of pools that is packaged too.
fn settings() -> Settings {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".package/settings.toml");
    Settings::resolve(Some(&file), &HashMap::new(), &[]).expect("the packaged settings are valid")
}

#[test]
fn the_packaged_configuration_is_valid_and_needs_no_warning() {
    let check = output(&["check", concat!(env!("CARGO_MANIFEST_DIR"), "/.package/nutcracker.yml")]);
    assert_eq!(check.lines().count(), 1, "{check}");
    let settings = settings();
    assert_eq!(settings.conf_file, Path::new("/etc/circlet/nutcracker.yml"));
    assert!(settings.admin_addr.is_some_and(|address| address.starts_with("127.0.0.1:")));
    assert_eq!(settings.stats_addr, "127.0.0.1");
}

#[test]
fn the_unit_starts_what_there_is_and_waits_for_the_drain() {
    let service = unit(".package/systemd/circlet.service");
    let start = value(&service, "ExecStart");
    let flags = flags::parse(start.split(' ').map(Into::into)).expect("circlet takes these flags");
    assert_eq!(flags.action, Action::Serve);
    assert_eq!(flags.settings_file.as_deref(), Some(Path::new("/etc/circlet/settings.toml")));
    let seconds: u64 = value(&service, "TimeoutStopSec").parse().expect("seconds");
    let settings = settings();
    let drain = settings.patience.delay + settings.patience.timeout;
    assert!(drain.as_secs() + 5 <= seconds, "{drain:?}");
    let user = value(&service, "User");
    assert!(file(".package/debian/postinst").contains(&format!("--no-create-home {user}\n")));
    let config = config::parse(&file(".package/nutcracker.yml"), Format::Yaml, "").expect("valid");
    let Some(Listen::Tcp { host, port }) = &config.pools[0].listen else { panic!("TCP") };
    let listens = value(&unit(".package/circlet.socket"), "ListenStream");
    assert_eq!(listens, format!("{host}:{port}"));
}

#[test]
fn the_debian_package_takes_files_that_are_there() {
    let manifest: toml::Value = toml::from_str(&file("Cargo.toml")).expect("cargo reads it");
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().expect("a list");
    let mut packaged = Vec::new();
    for asset in assets {
        let text = |index: usize| asset[index].as_str().expect("text").to_owned();
        let (source, target) = (text(0), text(1));
        let name = source.rsplit('/').next().unwrap_or_default();
        packaged.push(if target.ends_with('/') { format!("/{target}{name}") } else { target });
        let folder = source.split('*').next().unwrap_or_default();
        let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        assert!(source.starts_with("target/") || at.exists(), "{source}");
    }
    for conffile in deb["conf-files"].as_array().expect("a list") {
        let conffile = conffile.as_str().expect("text").to_owned();
        assert!(packaged.contains(&conffile), "{conffile} in {packaged:?}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(file(".package/changelog").starts_with(&format!("circlet ({version}) ")));
    let makefile = file("Makefile");
    for asset in packaged.iter().filter(|asset| asset.contains("circlet.fish")) {
        assert!(makefile.contains("target/package"), "{asset} is made by make deb");
    }
}

#[test]
fn the_image_opens_the_ports_of_what_it_runs() {
    let image = file(".package/Dockerfile");
    let line = |word: &str| {
        let found = image.lines().find_map(|line| line.strip_prefix(word));
        found.unwrap_or_else(|| panic!("no {word} in the Dockerfile")).trim().to_owned()
    };
    let environment: HashMap<String, String> = image
        .lines()
        .filter_map(|line| line.trim_start_matches("ENV ").trim().split_once('='))
        .filter(|(name, _)| name.starts_with("CIRCLET_"))
        .map(|(name, value)| (name.into(), value.trim_end_matches(" \\").into()))
        .collect();
    assert_eq!(config::settings::unknown_variables(&environment), Vec::<String>::new());
    let settings = Settings::resolve(None, &environment, &[]).expect("the image's settings");
    let admin = settings.admin_addr.expect("an admin address");
    let config = config::parse(&file(".package/nutcracker.yml"), Format::Yaml, "").expect("valid");
    let Some(Listen::Tcp { port, .. }) = &config.pools[0].listen else { panic!("TCP") };
    let admin = admin.rsplit(':').next().unwrap_or_default().to_owned();
    assert_eq!(line("EXPOSE"), format!("{port} {admin} {}", settings.stats_port));
    assert!(image.contains(&format!(" {}\n", settings.conf_file.display())));
}
