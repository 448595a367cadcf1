//! The users of a pool, read from lines of Redis's ACL.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::{Account, Hash, hash};
use super::selector::RuleError;
use super::{RuleFault, commands};

/// All users of a pool, `default` always among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Accounts {
    by_name: BTreeMap<Vec<u8>, Arc<Account>>,
    warnings: Vec<String>,
}

impl Default for Accounts {
    /// The user `default` alone, as in a Redis that nobody told of users.
    fn default() -> Self {
        let open = Arc::new(Account::open(DEFAULT));
        Self { by_name: BTreeMap::from([(DEFAULT.into(), open)]), warnings: Vec::new() }
    }
}

impl Accounts {
    /// Reads lines such as `alice on #<sha256> ~cache:* +@read`, each with where it stands; tells all
    /// faults with their places.
    pub fn read<'a, P>(
        lines: impl IntoIterator<Item = (P, &'a str)>,
    ) -> Result<Self, Vec<(P, RuleFault)>> {
        let (mut by_name, mut warnings, mut faults) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (place, line) in lines {
            match account(line, &mut warnings) {
                Ok(account) if by_name.contains_key(account.name.as_bytes()) => {
                    let wrong = format!("the user {} is written twice", account.name);
                    faults.push((place, RuleFault::new(wrong, "keep one of the two lines")));
                }
                Ok(account) => {
                    by_name.insert(account.name.clone().into_bytes(), Arc::new(account));
                }
                Err(fault) => faults.push((place, fault)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        by_name.entry(DEFAULT.into()).or_insert_with(|| {
            warnings.push(OPEN_DEFAULT.to_owned());
            Arc::new(Account::open(DEFAULT))
        });
        Ok(Self { by_name, warnings })
    }

    /// What is valid and yet seldom meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The user who a client is that says nothing.
    pub fn default_account(&self) -> &Arc<Account> {
        self.by_name.get(DEFAULT.as_bytes()).expect("default is always among them")
    }

    /// The user called `name`.
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Account>> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Arc<Account>> {
        self.by_name.values()
    }

    /// The user `name`, if the password is one of its own, or it needs none.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<&Arc<Account>> {
        let hash: Hash = hash(password);
        // Takes as long for a user that there is as for one that there is not.
        let known = self.named(name);
        let is_right = known.unwrap_or_else(|| self.default_account()).knows(&hash);
        known.filter(|_| is_right)
    }
}

/// Reads one line; `user` may stand in front, as in ACL LIST and users.acl.
fn account(line: &str, warnings: &mut Vec<String>) -> Result<Account, RuleFault> {
    let mut words = line.split_whitespace().peekable();
    let mut name = words.next().ok_or_else(no_name)?;
    if name == "user" && words.peek().is_some_and(|next| !is_rule(next)) {
        name = words.next().unwrap_or_default();
    }
    if is_rule(name) || name.contains('\0') {
        return Err(no_name());
    }
    let mut account = Account::new(name);
    let mut is_plain = false;
    for rule in whole_selectors(name, words)? {
        is_plain |= rule.starts_with('>');
        account.apply(&rule).map_err(|error| fault(name, &rule, error))?;
    }
    if is_plain {
        warnings.push(format!(
            "user {name}: a password stands in the file as it is typed; write # and its SHA-256 \
             instead, as `printf %s PASSWORD | sha256sum` prints it"
        ));
    }
    if account.is_on() && account.has_no_password() {
        warnings.push(format!(
            "user {name} is on and has no password, so that nobody can say AUTH as it; write \
             #<sha256> or nopass (and put the line into quotes: in YAML a # behind a space begins \
             a comment)"
        ));
    }
    Ok(account)
}

/// The rules, each selector in brackets as one.
fn whole_selectors<'a>(
    name: &str,
    words: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, RuleFault> {
    let mut rules: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for word in words {
        let rule = match open.take() {
            Some(begun) => format!("{begun} {word}"),
            None => word.to_owned(),
        };
        match rule.starts_with('(') && !rule.ends_with(')') {
            true => open = Some(rule),
            false => rules.push(rule),
        }
    }
    match open {
        Some(begun) => {
            let wrong =
                format!("user {name}: Unmatched parenthesis in acl selector starting at '{begun}'");
            Err(RuleFault::new(wrong, "close it with )"))
        }
        None => Ok(rules),
    }
}

/// Whether the word can only be a rule: it begins with the mark of one.
fn is_rule(word: &str) -> bool {
    word.starts_with(['>', '<', '#', '!', '~', '%', '&', '+', '-', '(', '@'])
}

fn no_name() -> RuleFault {
    RuleFault::new("a user has no name", "write it first, as in `alice on ~cache:* +@read`")
}

/// In Redis's words, and what to do about it.
fn fault(name: &str, rule: &str, error: RuleError) -> RuleFault {
    let right = match error {
        RuleError::Unknown => commands::nearest(rule),
        RuleError::Syntax => "write a rule of Redis's ACL, such as on, ~cache:*, %R~shared:*, \
                              &news:*, +@read or +config|get"
            .into(),
        RuleError::AllKeys => "write resetkeys in front of it, or leave it out".into(),
        RuleError::AllChannels => "write resetchannels in front of it, or leave it out".into(),
        RuleError::NoSuchPassword => "leave the rule out".into(),
        RuleError::BadHash => "write what `printf %s PASSWORD | sha256sum` prints".into(),
        RuleError::OfSubcommand => "write the subcommand alone, as in +config|get".into(),
    };
    // A password that was typed is shown nowhere.
    let shown = if rule.starts_with(['>', '<']) { &rule[..1] } else { rule };
    RuleFault::new(format!("user {name}, rule {shown}: {error}"), right)
}

/// The user who a client is that says nothing.
const DEFAULT: &str = "default";
const OPEN_DEFAULT: &str = "the users have no line for `default`, so that, as in Redis, who says no \
     password may do everything; write `default off`, or what strangers may do";
