//! Which commands a selector allows: Redis's `+get`, `-@dangerous`, `+config|get`.

use std::collections::BTreeMap;

use super::selector::RuleError;
use crate::command::{Categories, Flags, Spec, table};
use crate::config::spelling;
use crate::resp::Request;

/// The commands that are allowed, by rules of which the last that concerns a command decides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Allowed {
    /// In their order; what a later one makes idle is gone.
    rules: Vec<Rule>,
    /// What the rules mean for each command of the table, by [`Spec::id`].
    bits: Vec<u64>,
    /// Whether nothing was ever taken away since `+@all`.
    all: bool,
    /// `+select|0`: commands that are allowed with these first arguments alone.
    first_args: BTreeMap<u16, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    allow: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    All,
    Category(Categories),
    /// A command with its subcommands, or one subcommand.
    Command(String),
    /// A command with this first argument.
    FirstArg(String, String),
}

impl Default for Allowed {
    /// No command, as of a new user.
    fn default() -> Self {
        Self {
            rules: vec![Rule { allow: false, what: What::All }],
            bits: vec![0; table::count().div_ceil(64)],
            all: false,
            first_args: BTreeMap::new(),
        }
    }
}

impl Allowed {
    /// All commands.
    pub(super) fn everything() -> Self {
        let mut all = Self::default();
        all.set_all(true);
        all
    }

    /// Whether there is no command that is not allowed.
    pub(super) fn is_everything(&self) -> bool {
        self.all
    }

    /// Takes in `+…` or `-…`, `allcommands` or `nocommands`.
    pub(super) fn apply(&mut self, rule: &str) -> Result<(), RuleError> {
        let lower = rule.to_ascii_lowercase();
        let (allow, name) = match lower.as_bytes() {
            b"allcommands" | b"nocommands" | b"+@all" | b"-@all" => {
                self.set_all(matches!(lower.as_bytes(), b"allcommands" | b"+@all"));
                return Ok(());
            }
            [b'+', ..] => (true, &lower[1..]),
            [b'-', ..] => (false, &lower[1..]),
            _ => return Err(RuleError::Syntax),
        };
        match name.strip_prefix('@') {
            Some(category) => self.set_category(category, allow),
            None if allow && name.contains('|') => self.allow_part(name),
            None => self.set_command(name, allow),
        }
    }

    /// Whether the command is allowed.
    pub(super) fn allows(&self, spec: &Spec, request: &Request<'_>) -> bool {
        if self.all || spec.flags.contains(Flags::NO_AUTH) {
            return true;
        }
        if spec.is_learned() {
            return self.allows_learned(spec, request);
        }
        self.bit(spec.id) || self.allows_first_arg(spec, request)
    }

    /// Whether the table's command is allowed, whatever its arguments.
    pub(super) fn bit(&self, id: u16) -> bool {
        self.bits[usize::from(id) / 64] >> (id % 64) & 1 == 1
    }

    /// The rules as ACL LIST shows them.
    pub(super) fn shown(&self) -> String {
        let shown: Vec<_> = self.rules.iter().map(Rule::shown).collect();
        shown.join(" ")
    }

    fn allows_first_arg(&self, spec: &Spec, request: &Request<'_>) -> bool {
        let Some(args) = self.first_args.get(&spec.id) else { return false };
        request.len() > 1
            && args.iter().any(|arg| request.arg(1).eq_ignore_ascii_case(arg.as_bytes()))
    }

    /// A command that no rule could be checked against when it was read: the last rule that
    /// concerns it decides.
    fn allows_learned(&self, spec: &Spec, request: &Request<'_>) -> bool {
        let decides = |rule: &&Rule| rule.what.concerns(spec, request);
        self.rules.iter().rev().find(decides).is_some_and(|rule| rule.allow)
    }

    fn set_all(&mut self, allow: bool) {
        self.rules = vec![Rule { allow, what: What::All }];
        self.bits.fill(if allow { u64::MAX } else { 0 });
        self.all = allow;
        self.first_args.clear();
    }

    fn set_category(&mut self, name: &str, allow: bool) -> Result<(), RuleError> {
        let category = Categories::from_name(name).ok_or(RuleError::Unknown)?;
        for spec in table::all().filter(|spec| spec.categories.contains(category)) {
            self.set(spec, allow);
        }
        self.remember(allow, What::Category(category));
        Ok(())
    }

    fn set_command(&mut self, name: &str, allow: bool) -> Result<(), RuleError> {
        match table::lookup_full(name.as_bytes()) {
            Some(spec) => self.set(spec, allow),
            None if is_of_module(name) => self.all &= allow,
            None => return Err(RuleError::Unknown),
        }
        self.remember(allow, What::Command(name.to_owned()));
        Ok(())
    }

    /// `+config|get`, or `+select|0` where the command has no subcommands.
    fn allow_part(&mut self, name: &str) -> Result<(), RuleError> {
        let (command, part) = name.rsplit_once('|').unwrap_or((name, ""));
        let spec = table::lookup_full(command.as_bytes()).ok_or(RuleError::Unknown)?;
        if command.contains('|') {
            return Err(RuleError::OfSubcommand);
        }
        if part.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !spec.subcommands.is_empty() {
            return self.set_command(name, true);
        }
        let args = self.first_args.entry(spec.id).or_default();
        if !args.iter().any(|known| known == part) {
            args.push(part.to_owned());
        }
        self.remember(true, What::FirstArg(command.to_owned(), part.to_owned()));
        Ok(())
    }

    /// A command goes with its subcommands.
    fn set(&mut self, spec: &Spec, allow: bool) {
        self.all &= allow;
        for spec in std::iter::once(spec).chain(&spec.subcommands) {
            let (word, bit) = (usize::from(spec.id) / 64, 1 << (spec.id % 64));
            match allow {
                true => self.bits[word] |= bit,
                false => self.bits[word] &= !bit,
            }
            self.first_args.remove(&spec.id);
        }
    }

    fn remember(&mut self, allow: bool, what: What) {
        self.rules.retain(|rule| !what.replaces(&rule.what));
        self.rules.push(Rule { allow, what });
    }
}

impl Rule {
    fn shown(&self) -> String {
        let sign = if self.allow { '+' } else { '-' };
        match &self.what {
            What::All => format!("{sign}@all"),
            What::Category(category) => {
                let names: Vec<_> = category.names().collect();
                format!("{sign}@{}", names.concat())
            }
            What::Command(name) => format!("{sign}{name}"),
            What::FirstArg(name, arg) => format!("{sign}{name}|{arg}"),
        }
    }
}

impl What {
    fn concerns(&self, spec: &Spec, request: &Request<'_>) -> bool {
        let is = |name: &str| {
            let of_container =
                spec.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            of_container && matches!(spec.name.as_bytes().get(name.len()), None | Some(b'|'))
        };
        match self {
            Self::All => true,
            Self::Category(category) => spec.categories.contains(*category),
            Self::Command(name) => is(name),
            Self::FirstArg(name, arg) => {
                is(name) && request.len() > 1 && request.arg(1).eq_ignore_ascii_case(arg.as_bytes())
            }
        }
    }

    /// Whether an earlier rule about `other` decides nothing any more.
    fn replaces(&self, other: &Self) -> bool {
        let part_of = |container: &str, name: &str| {
            name.strip_prefix(container).is_some_and(|rest| rest.starts_with('|'))
        };
        match (self, other) {
            (Self::Command(name), Self::Command(before)) => name == before || part_of(name, before),
            (Self::Command(name), Self::FirstArg(before, _)) => name == before,
            _ => self == other,
        }
    }
}

/// Whether a command of this name can only be a module's, which circlet learns from the shards later.
fn is_of_module(name: &str) -> bool {
    name.contains('.') && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a rule that names no command probably meant.
pub(super) fn nearest(rule: &str) -> String {
    let typed = rule.trim_start_matches(['+', '-']);
    let found = match typed.strip_prefix('@') {
        Some(category) => {
            let all =
                table::all().fold(Categories::default(), |all, spec| all.with(spec.categories));
            spelling::nearest(category, all.names()).map(|name| format!("@{name}"))
        }
        None => spelling::nearest(typed, table::all().map(|spec| spec.name)).map(str::to_owned),
    };
    match found {
        Some(name) => format!("did you mean {}{name}?", &rule[..1]),
        None => "write a command or @category that ACL CAT tells; a module's has a dot in its name"
            .to_owned(),
    }
}
