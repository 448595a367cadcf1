//! A pool's key `commands`: which commands it serves, whoever asks.

use super::RuleFault;
use super::commands::{Allowed, nearest};
use super::selector::RuleError;
use crate::command::{Handling, Spec, table};
use crate::resp::Request;

/// What is served beside or instead of what circlet serves by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Switch {
    /// Everything, but for what the rules take away.
    served: Allowed,
    /// Of [`SWITCHABLE`] what the rules name: no category switches these on.
    named: Allowed,
    /// Whether a command that is simply forwarded may be off.
    concerns_forwarded: bool,
}

impl Switch {
    /// Reads rules such as `-flushall -keys -config|set +debug`.
    pub fn read(text: &str) -> Result<Self, RuleFault> {
        let mut switch = Self {
            served: Allowed::everything(),
            named: Allowed::default(),
            concerns_forwarded: false,
        };
        for rule in text.split_whitespace() {
            switch.apply(rule)?;
        }
        let is_off = |spec: &Spec| !switch.served.bit(spec.id);
        switch.concerns_forwarded |= table::all().any(|spec| is_forwarded(spec) && is_off(spec));
        Ok(switch)
    }

    /// Whether the pool serves the command.
    pub fn serves(&self, spec: &Spec, request: &Request<'_>) -> bool {
        match is_switchable(spec) {
            true => self.named.allows(spec, request),
            false => self.served.allows(spec, request),
        }
    }

    /// Whether commands that are simply forwarded have to be looked at too.
    pub fn concerns_forwarded(&self) -> bool {
        self.concerns_forwarded
    }

    fn apply(&mut self, rule: &str) -> Result<(), RuleFault> {
        let lower = rule.to_ascii_lowercase();
        let name = lower.strip_prefix(['+', '-']).unwrap_or_default();
        let spec = named(name);
        if lower.starts_with('+')
            && let Some(Spec { handling: Handling::Refused(why), subcommands, .. }) = spec
            && subcommands.is_empty()
            && !spec.is_some_and(is_switchable)
        {
            let wrong = format!("rule {rule}: circlet cannot serve this command: {why}");
            return Err(RuleFault::new(wrong, "leave the rule out"));
        }
        self.served.apply(rule).map_err(|error| fault(rule, error))?;
        if spec.is_some_and(is_switchable) {
            self.named.apply(rule).map_err(|error| fault(rule, error))?;
        }
        if matches!(&lower[..], "-@all" | "nocommands") {
            self.named = Allowed::default();
        }
        // What is learned from the shards may be of any category, and is forwarded.
        let takes_many = lower == "nocommands" || lower.starts_with("-@");
        self.concerns_forwarded |= takes_many || name.contains('.');
        Ok(())
    }
}

/// The command of a rule: `debug` of `debug|object`, whose parts are arguments.
fn named(name: &str) -> Option<&'static Spec> {
    let container = name.split('|').next().unwrap_or_default();
    table::lookup_full(name.as_bytes()).or_else(|| table::lookup(container.as_bytes()))
}

/// Whether circlet can serve the command and does so only where `commands` names it.
pub fn is_switchable(spec: &Spec) -> bool {
    SWITCHABLE.contains(&spec.name)
}

/// Whether commands of this kind go straight to their shards.
fn is_forwarded(spec: &Spec) -> bool {
    matches!(
        spec.handling,
        Handling::Keyed | Handling::KeyedUnlessBlocking | Handling::Sort | Handling::Split
    )
}

fn fault(rule: &str, error: RuleError) -> RuleFault {
    let right = match error {
        RuleError::Unknown => nearest(rule),
        _ => "write commands with + or - in front, such as `-flushall -keys -config|set +debug`"
            .into(),
    };
    RuleFault::new(format!("rule {rule}: {error}"), right)
}

/// Off unless they are named: one ends a shard, the other can stop or crash it.
const SWITCHABLE: [&str; 2] = ["debug", "shutdown"];
