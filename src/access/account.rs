//! A user of circlet's own configuration: its passwords and its rules. Called an account, so that it
//! is not taken for a user of the shards.

use std::fmt;

use sha2::{Digest, Sha256};

use super::selector::{RuleError, Selector};
use crate::command::keys;
use crate::command::{Flags, Handling, KeyFlags, Keys, Spec};
use crate::resp::Request;

/// See the module.
#[derive(Clone, PartialEq)]
pub struct Account {
    /// Its name.
    pub name: String,
    pub(super) is_on: bool,
    pub(super) needs_no_password: bool,
    /// SHA-256 of each password.
    pub(super) passwords: Vec<Hash>,
    /// The first is the user's own, the others stand in brackets.
    pub(super) selectors: Vec<Selector>,
}

pub(super) type Hash = [u8; 32];

/// What an account may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Run the command at all.
    Command,
    /// Do this with the key at this argument.
    Key(usize),
    /// Use the channel at this argument.
    Channel(usize),
    /// Use BY or GET of SORT, which read keys that only a pattern names.
    Pattern(&'static str),
}

impl Denied {
    /// What the client reads: Redis 7.0's own words.
    pub fn text(self, spec: &Spec) -> String {
        match self {
            Self::Command => {
                let name = spec.name;
                format!("NOPERM this user has no permissions to run the '{name}' command")
            }
            Self::Key(_) => "NOPERM this user has no permissions to access one of the keys used \
                             as arguments"
                .into(),
            Self::Channel(_) => "NOPERM this user has no permissions to access one of the \
                                 channels used as arguments"
                .into(),
            Self::Pattern(option) => {
                format!("ERR {option} option of SORT denied due to insufficient ACL permissions")
            }
        }
    }

    /// What ACL DRYRUN tells.
    pub fn told(self, spec: &Spec, request: &Request<'_>) -> Vec<u8> {
        let what = |index: usize, kind: &str| {
            let start = b"This user has no permissions to access the '";
            [start, request.arg(index), b"' ", kind.as_bytes()].concat()
        };
        match self {
            Self::Key(index) => what(index, "key"),
            Self::Channel(index) => what(index, "channel"),
            _ => {
                let name = spec.name;
                format!("This user has no permissions to run the '{name}' command").into_bytes()
            }
        }
    }

    /// Of the refusals of several selectors Redis tells the one that got farthest.
    fn depth(self) -> (u8, usize) {
        match self {
            Self::Command => (0, 0),
            Self::Key(index) => (1, index),
            Self::Channel(index) => (2, index),
            Self::Pattern(_) => (3, 0),
        }
    }
}

impl Account {
    /// One that can do nothing and be nobody, as a new one is.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_on: false,
            needs_no_password: false,
            passwords: Vec::new(),
            selectors: vec![Selector::default()],
        }
    }

    /// The user that may do everything and needs no password, as `default` is if nobody says else.
    pub(super) fn open(name: &str) -> Self {
        Self {
            is_on: true,
            needs_no_password: true,
            selectors: vec![Selector::everything()],
            ..Self::new(name)
        }
    }

    /// Takes in one rule.
    pub(super) fn apply(&mut self, rule: &str) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            "on" => self.is_on = true,
            "off" => self.is_on = false,
            "nopass" => self.set_password_needed(false),
            "resetpass" => self.set_password_needed(true),
            "clearselectors" => self.selectors.truncate(1),
            "reset" => *self = Self::new(&self.name),
            // What the shards check of values is theirs to say.
            "sanitize-payload" | "skip-sanitize-payload" => {}
            _ => return self.apply_mark(rule),
        }
        Ok(())
    }

    fn apply_mark(&mut self, rule: &str) -> Result<(), RuleError> {
        let rest = || rule.get(1..).unwrap_or_default();
        match rule.as_bytes() {
            [b'>', ..] => self.add_password(hash(rest().as_bytes())),
            [b'#', ..] => self.add_password(parse_hash(rest())?),
            [b'<', ..] => self.remove_password(hash(rest().as_bytes()))?,
            [b'!', ..] => self.remove_password(parse_hash(rest())?)?,
            [b'(', .., b')'] => {
                let mut selector = Selector::default();
                rule[1..rule.len() - 1]
                    .split_whitespace()
                    .try_for_each(|rule| selector.apply(rule))?;
                self.selectors.push(selector);
            }
            _ => self.selectors[0].apply(rule)?,
        }
        Ok(())
    }

    fn set_password_needed(&mut self, needed: bool) {
        self.needs_no_password = !needed;
        self.passwords.clear();
    }

    fn add_password(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.needs_no_password = false;
    }

    fn remove_password(&mut self, hash: Hash) -> Result<(), RuleError> {
        let found = self.passwords.iter().position(|known| *known == hash);
        self.passwords.remove(found.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }
}

impl Account {
    /// Whether who says nothing is this user.
    pub fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether any password is right.
    pub fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether it may be used at all.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether there is no password that would let anybody in.
    pub(super) fn has_no_password(&self) -> bool {
        !self.needs_no_password && self.passwords.is_empty()
    }

    /// Whether it may do everything with everything: then nothing needs to be checked.
    pub fn may_everything(&self) -> bool {
        self.selectors.iter().any(Selector::is_everything)
    }

    /// Whether the hash is that of one of its passwords; takes as long whichever it is.
    pub(super) fn knows(&self, hash: &Hash) -> bool {
        let same = |known: &Hash| known.iter().zip(hash).fold(0, |differ, (a, b)| differ | (a ^ b));
        let found = self.passwords.iter().fold(false, |found, known| found | (same(known) == 0));
        self.is_on && (self.needs_no_password || found)
    }

    /// Whether a command that [`crate::command::resolve`] accepted may be run, else what is missing.
    pub fn check(&self, spec: &Spec, request: &Request<'_>) -> Result<(), Denied> {
        let wanted = Wanted::new(spec, request);
        let mut farthest = Denied::Command;
        for selector in &self.selectors {
            match wanted.of(selector) {
                Ok(()) => return Ok(()),
                Err(denied) if denied.depth() >= farthest.depth() => farthest = denied,
                Err(_) => {}
            }
        }
        Err(farthest)
    }

    /// What a SORT that [`Self::check`] let through lacks for its patterns, which name keys that only
    /// the shard can tell.
    pub fn patterns_denied(&self, spec: &Spec, request: &Request<'_>) -> Option<Denied> {
        if spec.handling != Handling::Sort {
            return None;
        }
        let wanted = Wanted::new(spec, request);
        let reads_all = |own: &Selector| own.reads_any_key() && wanted.of(own).is_ok();
        if self.selectors.iter().any(reads_all) { None } else { pattern(request) }
    }
}

/// Shows no password, not even hashed.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({:?}, {} passwords)", self.name, self.passwords.len())
    }
}

/// What a command needs to be allowed.
struct Wanted<'a> {
    spec: &'a Spec,
    request: &'a Request<'a>,
    keys: Vec<(usize, KeyFlags)>,
    channels: Channels,
}

/// Which arguments are channels.
#[derive(Clone, Copy)]
enum Channels {
    None,
    First,
    All { patterns: bool },
}

impl<'a> Wanted<'a> {
    fn new(spec: &'a Spec, request: &'a Request<'a>) -> Self {
        // A command whose keys cannot be told is an error to whoever handles it.
        let keys = keys::find_with_flags(spec, request).unwrap_or_default();
        Self { spec, request, keys, channels: channels(spec) }
    }

    fn of(&self, selector: &Selector) -> Result<(), Denied> {
        if !selector.commands.allows(self.spec, self.request) {
            return Err(Denied::Command);
        }
        if !selector.all_keys && has_untold_keys(self.spec) {
            return Err(Denied::Key(0));
        }
        for &(index, flags) in &self.keys {
            if !selector.allows_key(self.spec, self.request.arg(index), flags) {
                return Err(Denied::Key(index));
            }
        }
        let (range, is_pattern) = match self.channels {
            Channels::None => (0..0, false),
            Channels::First => (1..2, false),
            Channels::All { patterns } => (1..self.request.len(), patterns),
        };
        for index in range {
            if !selector.allows_channel(self.request.arg(index), is_pattern) {
                return Err(Denied::Channel(index));
            }
        }
        Ok(())
    }
}

/// SORT's BY with a pattern, or its GET, if there is one.
fn pattern(request: &Request<'_>) -> Option<Denied> {
    let mut index = 2;
    while index < request.len() {
        let (option, left) = (request.arg(index), request.len() - index - 1);
        index += match () {
            () if option.eq_ignore_ascii_case(b"limit") && left >= 2 => 3,
            () if option.eq_ignore_ascii_case(b"store") && left >= 1 => 2,
            () if option.eq_ignore_ascii_case(b"by") && left >= 1 => {
                if request.arg(index + 1).contains(&b'*') {
                    return Some(Denied::Pattern("BY"));
                }
                2
            }
            () if option.eq_ignore_ascii_case(b"get") && left >= 1 => {
                return Some(Denied::Pattern("GET"));
            }
            () => 1,
        };
    }
    None
}

/// Whether a module's command has keys that only its shard can tell.
fn has_untold_keys(spec: &Spec) -> bool {
    let has_keys = || spec.key_specs.iter().any(|keys| !keys.flags.contains(KeyFlags::NOT_KEY));
    spec.is_learned()
        && spec.keys == Keys::None
        && (spec.flags.contains(Flags::MOVABLEKEYS) || has_keys())
}

/// Those of the commands that listen or publish; to listen no longer is everybody's right.
fn channels(spec: &Spec) -> Channels {
    match spec.name {
        _ if spec.handling != Handling::Subscription => Channels::None,
        "publish" | "spublish" => Channels::First,
        "subscribe" | "ssubscribe" => Channels::All { patterns: false },
        "psubscribe" => Channels::All { patterns: true },
        _ => Channels::None,
    }
}

/// A password as it is kept.
pub(super) fn hash(password: &[u8]) -> Hash {
    Sha256::digest(password).into()
}

/// 64 hexadecimal digits in lower case.
fn parse_hash(digits: &str) -> Result<Hash, RuleError> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(RuleError::BadHash),
    };
    let mut hash = Hash::default();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return Err(RuleError::BadHash);
    }
    for (byte, &[high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Ok(hash)
}
