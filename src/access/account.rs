//! A user of circlet's own configuration: its passwords and its rules. Called an account, so that it
//! is not taken for a user of the shards.

use std::fmt;

use sha2::{Digest, Sha256};

use super::selector::{RuleError, Selector};

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
}

/// Shows no password, not even hashed.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({:?}, {} passwords)", self.name, self.passwords.len())
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
