//! The manual page circlet(1) and the shells' completions, made from the flags and the settings so
//! that they cannot fall behind.

mod page;
mod roff;

use clap::ValueHint;
pub use clap_complete::Shell;

pub use page::page;

use crate::config::flags;

/// The completions of one shell, as a script that it reads.
pub fn completions(shell: Shell) -> String {
    let mut command = hinted(flags::command());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// With files where files are wanted.
fn hinted(command: clap::Command) -> clap::Command {
    let hint = |arg: clap::Arg| {
        if !arg.get_action().takes_values() {
            return arg;
        }
        let is_file = arg
            .get_value_names()
            .is_some_and(|names| names.iter().any(|name| FILES.contains(&name.as_str())));
        arg.value_hint(if is_file { ValueHint::FilePath } else { ValueHint::Other })
    };
    command.mut_args(hint).mut_subcommands(hinted)
}

/// The program.
const NAME: &str = "circlet";
/// What the value of an argument is called that is a file's name.
const FILES: [&str; 3] = ["FILE", "OLD", "NEW"];
