//! What a session may do: its user's rules, and what its pool serves.
//!
//! Sessions that have rules to be checked carry [`Special::RULED`]; a pool's `commands` is looked at
//! where commands are neither simply forwarded nor rare, unless it concerns forwarded ones as well.

use super::session::Special;
use crate::access::is_switchable;
use crate::command::{Flags, Handling, Spec, keys};
use crate::config::{Auth, UserScripts};
use crate::reply::MergeKind;
use crate::resp::Request;
use crate::worker::Worker;

impl Worker {
    /// Whether a session that is set apart may have the command at all; otherwise it has been told.
    #[cold]
    pub(super) fn is_permitted(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) -> bool {
        let in_multi = self.is_in_multi(number);
        // Refused in any case, and Redis says so first.
        if in_multi && spec.flags.contains(Flags::NO_MULTI) {
            return true;
        }
        let special = self.sessions[number as usize].special;
        let refusal = match special.has(Special::RULED) && !special.has(Special::STRANGER) {
            true => self.denied(number, spec, request, in_multi),
            false => None,
        };
        let off =
            || self.is_switched_off(number, spec, request).then(|| self.switched_off(number, spec));
        match refusal.or_else(off) {
            Some(text) => {
                self.deny(number, spec, &text);
                false
            }
            None => true,
        }
    }

    /// What the session's user lacks to run the command.
    pub(super) fn denied(
        &self,
        number: u32,
        spec: &Spec,
        request: &Request<'_>,
        in_multi: bool,
    ) -> Option<String> {
        let account = self.sessions[number as usize].account.as_ref()?;
        if account.may_everything() {
            return None;
        }
        let denied = account.check(spec, request).err();
        if let Some(denied) = denied.or_else(|| account.patterns_denied(spec, request)) {
            return Some(denied.text(spec));
        }
        if in_multi && let Err(error) = keys::find_with_flags(spec, request) {
            // Outside of MULTI whoever handles it says so; a shard may see keys where we see none.
            return Some(error.to_string());
        }
        let config = &self.pool_of(number).config;
        let runs_script = matches!(spec.handling, Handling::Script(script) if script.runs());
        (runs_script && config.user_scripts == UserScripts::Refuse).then(|| {
            format!(
                "NOPERM this user may not run scripts: what a script does only its shard sees, \
                 which does not know this user; user_scripts: trust for pool '{}' lets it",
                config.name
            )
        })
    }

    /// Refuses a command, and with it the transaction that it is in.
    pub(super) fn deny(&mut self, number: u32, spec: &Spec, text: &str) {
        if spec.name != "exec" {
            self.doom(number);
        }
        self.turn_away(number, spec, text);
    }

    /// Whether the pool's `commands` takes the command away.
    pub(super) fn is_switched_off(&self, number: u32, spec: &Spec, request: &Request<'_>) -> bool {
        let switch = &self.pool_of(number).config.commands;
        !is_switchable(spec) && switch.as_ref().is_some_and(|switch| !switch.serves(spec, request))
    }

    /// Answers a command that the pool's `commands` takes away.
    #[cold]
    pub(super) fn refuse_switched_off(&mut self, number: u32, spec: &Spec) {
        let text = self.switched_off(number, spec);
        self.say(number, |writer| writer.error(&text));
    }

    pub(super) fn switched_off(&self, number: u32, spec: &Spec) -> String {
        let name = shown(spec);
        let pool = &self.pool_of(number).config.name;
        format!(
            "ERR {name} is switched off in pool '{pool}', by its key `commands` in circlet's \
                 configuration"
        )
    }

    /// Why a command is not served that only the pool's `commands` could switch on.
    pub(super) fn unless_named(
        &self,
        number: u32,
        spec: &Spec,
        why: &str,
        request: &Request<'_>,
    ) -> Option<String> {
        if !is_switchable(spec) {
            return Some(why.to_owned());
        }
        let config = &self.pool_of(number).config;
        let is_served = config.commands.as_ref().is_some_and(|switch| switch.serves(spec, request));
        (!is_served).then(|| {
            format!(
                "{why}, or switch it on with +{} in the key `commands` of pool '{}' in circlet's \
                 configuration",
                spec.name, config.name
            )
        })
    }

    /// A command that is not served unless the pool's `commands` names it.
    pub(super) fn refuse_unless_named(
        &mut self,
        number: u32,
        spec: &'static Spec,
        why: &str,
        request: &Request<'_>,
    ) {
        if let Some(why) = self.unless_named(number, spec, why, request) {
            return self.refuse(number, spec, &why);
        }
        let keys = debugged_keys(spec, request);
        match keys.is_empty() {
            true => self.fan_out_as(number, MergeKind::AllSucceeded, request),
            false => {
                if let Some(shard) = self.common_shard(number, spec, request, &keys) {
                    self.forward(number, Some(shard), super::intake::frame(request, None));
                }
            }
        }
    }

    /// Whether circlet has the pool's users itself.
    pub(super) fn has_accounts(&self, number: u32) -> bool {
        self.pool_of(number).config.who_decides() == Auth::Users
    }
}

/// The keys of DEBUG's subcommands that have some.
fn debugged_keys(spec: &Spec, request: &Request<'_>) -> Vec<u32> {
    if spec.name != "debug" || request.len() < 3 {
        return Vec::new();
    }
    match &request.arg(1).to_ascii_lowercase()[..] {
        b"object" | b"listpack" | b"ziplist" | b"htstats-key" | b"sdslen" => vec![2],
        b"digest-value" => (2..request.len() as u32).collect(),
        _ => Vec::new(),
    }
}

fn shown(spec: &Spec) -> String {
    spec.name.replace('|', " ").to_uppercase()
}
