//! A selector: commands together with the keys and channels that they are allowed for. A user has
//! one, and more in brackets.

use super::commands::Allowed;
use crate::command::{KeyFlags, Spec, glob};

/// See the module.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Selector {
    pub(super) commands: Allowed,
    pub(super) all_keys: bool,
    pub(super) keys: Vec<KeyPattern>,
    pub(super) all_channels: bool,
    pub(super) channels: Vec<String>,
}

/// `~cache:*`, `%R~shared:*`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyPattern {
    pub(super) reads: bool,
    pub(super) writes: bool,
    pub(super) glob: String,
}

/// Why a rule does not do; `Display` is Redis's own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RuleError {
    #[error("Unknown command or category name in ACL")]
    Unknown,
    #[error("Syntax error")]
    Syntax,
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not \
         have any effect. Try 'resetkeys' to start with an empty list of patterns"
    )]
    AllKeys,
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does \
         not have any effect. Try 'resetchannels' to start with an empty list of channels"
    )]
    AllChannels,
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal \
         characters"
    )]
    BadHash,
    #[error("Allowing first-arg of a subcommand is not supported")]
    OfSubcommand,
}

impl Selector {
    /// Everything with everything.
    pub(super) fn everything() -> Self {
        Self {
            commands: Allowed::everything(),
            all_keys: true,
            all_channels: true,
            ..Self::default()
        }
    }

    /// Whether it allows everything with everything.
    pub(super) fn is_everything(&self) -> bool {
        self.commands.is_everything() && self.all_keys && self.all_channels
    }

    /// Takes in one rule of those that a selector can have.
    pub(super) fn apply(&mut self, rule: &str) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            "allkeys" | "~*" => self.set_keys(true),
            "resetkeys" => self.set_keys(false),
            "allchannels" | "&*" => self.set_channels(true),
            "resetchannels" => self.set_channels(false),
            _ => match rule.as_bytes() {
                [b'~' | b'%', ..] => return self.add_key(rule),
                [b'&', ..] => return self.add_channel(&rule[1..]),
                _ => return self.commands.apply(rule),
            },
        }
        Ok(())
    }

    /// Whether the command may do what it does with `key`.
    pub(super) fn allows_key(&self, spec: &Spec, key: &[u8], flags: KeyFlags) -> bool {
        if self.all_keys {
            return true;
        }
        let (reads, writes) = needs(spec, flags);
        self.keys.iter().any(|pattern| {
            (pattern.reads || !reads) && (pattern.writes || !writes) && matches(&pattern.glob, key)
        })
    }

    /// Whether any key may be read, as SORT's BY and GET can do.
    pub(super) fn reads_any_key(&self) -> bool {
        self.all_keys || self.keys.iter().any(|pattern| pattern.reads && pattern.glob == "*")
    }

    /// Whether the channel may be published to or listened to. A pattern that is listened to must
    /// stand in the rules as it is.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|known| match is_pattern {
                true => known.as_bytes() == channel,
                false => matches(known, channel),
            })
    }

    fn set_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn set_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn add_key(&mut self, rule: &str) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (rights, glob) = rule.split_once('~').ok_or(RuleError::Syntax)?;
        let (reads, writes) = match &rights.to_ascii_lowercase()[..] {
            "" | "%rw" | "%wr" => (true, true),
            "%r" => (true, false),
            "%w" => (false, true),
            // `%~x` gives no right but to commands that neither read nor write a value.
            _ => return Err(RuleError::Syntax),
        };
        match self.keys.iter_mut().find(|known| known.glob == glob) {
            Some(known) => {
                known.reads |= reads;
                known.writes |= writes;
            }
            None => self.keys.push(KeyPattern { reads, writes, glob: glob.to_owned() }),
        }
        Ok(())
    }

    fn add_channel(&mut self, glob: &str) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if !self.channels.iter().any(|known| known == glob) {
            self.channels.push(glob.to_owned());
        }
        Ok(())
    }
}

/// As Redis matches keys and channels: nothing, `*` neither, matches the empty one.
fn matches(pattern: &str, text: &[u8]) -> bool {
    match text.is_empty() {
        true => pattern.is_empty(),
        false => glob::matches_exactly(pattern.as_bytes(), text),
    }
}

/// Whether what a command does with a key takes the right to read it, and the right to write it.
fn needs(spec: &Spec, flags: KeyFlags) -> (bool, bool) {
    let tells = [KeyFlags::RO, KeyFlags::RW, KeyFlags::OW, KeyFlags::RM];
    // Older shards do not tell what a module's command does with its keys.
    if spec.is_learned() && !tells.iter().any(|&flag| flags.contains(flag)) {
        return (true, true);
    }
    let changes = [KeyFlags::INSERT, KeyFlags::DELETE, KeyFlags::UPDATE];
    (flags.contains(KeyFlags::ACCESS), changes.iter().any(|&flag| flags.contains(flag)))
}
