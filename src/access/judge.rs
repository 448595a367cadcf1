//! Whether a user's rules let it run a command, in the order and the words of Redis 7.0.

use super::Account;
use super::selector::Selector;
use crate::command::keys;
use crate::command::{Flags, Handling, KeyFlags, Keys, Spec};
use crate::resp::Request;

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
                format!("ERR {option} option of SORT denied due to insufficient ACL permissions.")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Accounts;
    use crate::command::{
        BeginSearch, Categories, Family, FindKeys, KeySpec, RequestPolicy, ResponsePolicy,
    };
    use crate::resp::Span;

    /// A command of a module, as a shard that does not tell what it does with its key describes it.
    fn learned(name: &'static str, keys: Keys) -> Spec {
        let find = FindKeys::Range { last: 0, step: 1, limit: 0 };
        let at = KeySpec { flags: KeyFlags::default(), begin: BeginSearch::Index(1), find };
        Spec {
            name,
            id: Spec::LEARNED,
            arity: -2,
            keys,
            handling: Handling::Keyed,
            request_policy: RequestPolicy::Default,
            response_policy: ResponsePolicy::Default,
            flags: Flags::MODULE,
            categories: Categories::READ.with(Categories::SLOW),
            group: "module",
            family: Family::Other,
            since: "",
            tips: Vec::new(),
            key_specs: vec![at],
            legacy_range: (1, 1, 1),
            subcommands: Vec::new(),
        }
    }

    /// What a user with these rules lacks for `JSON.GET k`.
    fn lacks(rules: &str, spec: &Spec) -> Option<Denied> {
        let line = format!("ann {rules}");
        let users = Accounts::read([((), line.as_str())]).expect("rules that do");
        let spans = [Span { start: 0, end: 8 }, Span { start: 8, end: 9 }];
        users
            .named(b"ann")
            .expect("she is there")
            .check(spec, &Request::new(b"JSON.GETk", &spans))
            .err()
    }

    #[test]
    fn the_last_rule_that_concerns_a_module_s_command_decides() {
        let get = learned("json.get", Keys::At(1));
        for rules in
            ["+@all", "+json.get", "+@read", "-@all +@slow", "+@all -json.set", "-json.get +@read"]
        {
            assert_eq!(lacks(&format!("~* {rules}"), &get), None, "{rules}");
        }
        for rules in ["+@write", "+json.set", "+@all -@read", "+@read -json.get", "+json.get -@all"]
        {
            assert_eq!(lacks(&format!("~* {rules}"), &get), Some(Denied::Command), "{rules}");
        }
    }

    #[test]
    fn keys_of_which_nothing_is_told_need_all_rights() {
        let get = learned("json.get", Keys::At(1));
        assert_eq!(lacks("~k +@all", &get), None);
        for rules in ["%R~k", "%W~k", "~x", ""] {
            assert_eq!(lacks(&format!("{rules} +@all"), &get), Some(Denied::Key(1)), "{rules}");
        }
        let untold = learned("json.get", Keys::None);
        assert_eq!(lacks("~k +@all", &untold), Some(Denied::Key(0)));
        assert_eq!(lacks("~* +@all", &untold), None);
    }
}
