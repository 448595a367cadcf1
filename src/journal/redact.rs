//! What is shown of a request: as much of its arguments as Redis's SLOWLOG shows, without passwords,
//! and without keys and values where the operator wants none shown.

use std::hash::{BuildHasher, RandomState};

use crate::command::{self, KeyPositions, Keys, Spec, keys, secrets};
use crate::resp::{Request, Span};

/// How keys are shown, in all that is written down of requests (`log_redact_keys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redaction {
    /// As they are.
    #[default]
    Off,
    /// As a number that is the same for the same key while the process lives; values are hidden.
    Hash,
    /// Not at all, nor are values.
    Hide,
}

/// Shows requests in one way.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// The way.
    pub redaction: Redaction,
    /// Random at start: whoever reads a hash cannot find the key by trying likely ones.
    salt: RandomState,
}

/// What is shown of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The command's name as COMMAND INFO has it (`get`, `client|setname`), or the first argument
    /// of one that the table lacks.
    pub command: String,
    /// Its first key.
    pub key: Option<String>,
    /// The arguments, the name first, shortened as in Redis's SLOWLOG.
    pub args: Vec<Vec<u8>>,
}

impl Shown {
    /// All that is known of a request: the name of its command.
    pub fn name_only(name: &str) -> Self {
        let args = name.split('|').map(|word| word.to_uppercase().into_bytes()).collect();
        Self { command: name.to_owned(), key: None, args }
    }
}

impl Redactor {
    /// A key as it is to be shown.
    pub fn key(&self, key: &[u8]) -> String {
        match self.redaction {
            Redaction::Off => text(key),
            Redaction::Hash => format!("#{:016x}", self.salt.hash_one(key)),
            Redaction::Hide => HIDDEN.into(),
        }
    }

    /// What is to be shown of the request that begins with `bytes`, whole or cut.
    pub fn show(&self, bytes: &[u8]) -> Shown {
        let Some(Cut { spans, lengths, count }) = cut(bytes) else { return Shown::default() };
        let request = Request::new(bytes, &spans);
        let spec = find(&request);
        let command = match spec {
            Some(spec) => spec.name.to_owned(),
            None => text(request.arg(0)).to_lowercase(),
        };
        let keys = spec.map(|spec| key_positions(spec, &request)).unwrap_or_default();
        let hidden = spec.map(|spec| secrets(spec, &request)).unwrap_or_default();
        let words = 1 + usize::from(spec.is_some_and(|spec| spec.name.contains('|')));
        let shown = |index: usize| match () {
            () if hidden.contains(&index) => HIDDEN.as_bytes().to_vec(),
            () if index < words || self.redaction == Redaction::Off => {
                shortened(request.arg(index), lengths[index])
            }
            () if keys.contains(&(index as u32)) => self.key(request.arg(index)).into_bytes(),
            () => HIDDEN.as_bytes().to_vec(),
        };
        let most = if count > MOST_ARGUMENTS { MOST_ARGUMENTS - 1 } else { count };
        let mut args: Vec<Vec<u8>> = (0..spans.len().min(most)).map(shown).collect();
        if count > args.len() {
            args.push(format!("... ({} more arguments)", count - args.len()).into_bytes());
        }
        let key = keys.first().map(|&index| self.key(request.arg(index as usize)));
        Shown { command, key, args }
    }

    /// The text of an error as it is to be shown. What circlet says of arguments it does not know
    /// may hold anything, a misspelt AUTH's password too: it is never shown.
    pub fn error<'a>(&self, text: &'a str) -> &'a str {
        let end = text.find(", with args beginning with").unwrap_or(text.len());
        let text = &text[..end];
        match self.redaction {
            Redaction::Off => text,
            _ => text.find(" '").map_or(text, |quote| &text[..quote]),
        }
    }
}

/// The command of the request that begins with `bytes`, whole or cut, and its key: `None` unless its
/// key is one and whole within the first thousand bytes, which are all that is looked at.
pub(crate) fn single_key(bytes: &[u8]) -> Option<(&'static Spec, &[u8])> {
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    let Cut { spans, lengths, .. } = cut(start)?;
    let spec = find(&Request::new(start, &spans))?;
    let Keys::At(index) = spec.keys else { return None };
    let span = spans.get(index)?;
    let key = start.get(span.start as usize..span.end as usize)?;
    (key.len() == lengths[index]).then_some((spec, key))
}

/// Arguments as far as they are there.
struct Cut {
    spans: Vec<Span>,
    /// How long they really are.
    lengths: Vec<usize>,
    /// How many there really are.
    count: usize,
}

/// Finds the arguments of a request of which the end may be missing.
fn cut(bytes: &[u8]) -> Option<Cut> {
    let (count, mut at) = header(bytes, 0, b'*')?;
    let (mut spans, mut lengths) = (Vec::new(), Vec::new());
    while spans.len() < count
        && let Some((length, start)) = header(bytes, at, b'$')
    {
        let end = (start + length).min(bytes.len());
        spans.push(Span { start: start as u32, end: end as u32 });
        lengths.push(length);
        at = start + length + 2;
    }
    (!spans.is_empty()).then_some(Cut { spans, lengths, count })
}

/// The number in the header line at `at`, and where the next line begins.
fn header(bytes: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let line = bytes.get(at..)?.strip_prefix(&[kind])?;
    let length = memchr::memchr(b'\r', line)?;
    let number = std::str::from_utf8(&line[..length]).ok()?.parse().ok()?;
    Some((number, at + length + 3))
}

fn find(request: &Request<'_>) -> Option<&'static Spec> {
    match command::resolve(request) {
        Ok(spec) | Err(command::CommandError::WrongArity(spec)) => Some(spec),
        Err(_) => None,
    }
}

fn key_positions(spec: &Spec, request: &Request<'_>) -> KeyPositions {
    let mut positions = KeyPositions::new();
    if spec.accepts(request.len()) && keys::find(spec, request, &mut positions).is_err() {
        positions.clear();
    }
    positions
}

fn shortened(argument: &[u8], length: usize) -> Vec<u8> {
    let mut shown = argument[..argument.len().min(MOST_BYTES)].to_vec();
    if length > shown.len() {
        let more = format!("... ({} more bytes)", length - shown.len());
        shown.extend_from_slice(more.as_bytes());
    }
    shown
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(&shortened(key, key.len())).into_owned()
}

/// Bytes of a request that is only looked at for its key.
const LOOKED_AT: usize = 1024;
/// What stands for what is not shown, in Redis's word.
const HIDDEN: &str = "(redacted)";
/// Arguments that are shown (Redis: SLOWLOG_ENTRY_MAX_ARGC).
const MOST_ARGUMENTS: usize = 32;
/// Bytes of an argument that are shown (Redis: SLOWLOG_ENTRY_MAX_STRING).
const MOST_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::write;

    fn show(redaction: Redaction, words: &[&str]) -> Vec<String> {
        let mut bytes = Vec::new();
        write::command(&mut bytes, words);
        let redactor = Redactor { redaction, ..Redactor::default() };
        let args = redactor.show(&bytes).args;
        args.into_iter().map(|arg| String::from_utf8(arg).unwrap()).collect()
    }

    #[test]
    fn arguments_are_shortened_as_redis_does() {
        let long = "x".repeat(200);
        let set = show(Redaction::Off, &["SET", "k", &long]);
        assert_eq!(set[2], format!("{}... (72 more bytes)", "x".repeat(128)));
        let many: Vec<String> = (0..100).map(|key| key.to_string()).collect();
        let words: Vec<&str> =
            ["MGET"].into_iter().chain(many.iter().map(String::as_str)).collect();
        let mget = show(Redaction::Off, &words);
        assert_eq!(
            (mget.len(), &mget[30][..], &mget[31][..]),
            (32, "29", "... (70 more arguments)")
        );
        assert_eq!(show(Redaction::Off, &words[..32]).len(), 32);
    }

    #[test]
    fn a_request_that_was_cut_is_shown_as_far_as_it_goes() {
        let mut bytes = Vec::new();
        write::command(&mut bytes, &["SET", "k", &"x".repeat(100_000), "EX", "10"]);
        bytes.truncate(200);
        let shown = Redactor::default().show(&bytes);
        let args: Vec<String> =
            shown.args.into_iter().map(|arg| String::from_utf8(arg).unwrap()).collect();
        assert_eq!((&shown.command[..], shown.key.as_deref()), ("set", Some("k")));
        assert_eq!(args[2], format!("{}... (99872 more bytes)", "x".repeat(128)));
        assert_eq!(args[3], "... (2 more arguments)");
        assert_eq!(Redactor::default().show(b"*2\r\n$3\r\nGE").command, "ge");
        assert_eq!(Redactor::default().show(b"*2\r"), Shown::default());
    }

    #[test]
    fn passwords_are_never_shown() {
        let is = |words: &[&str], shown: &[&str]| assert_eq!(show(Redaction::Off, words), shown);
        is(&["AUTH", "me", "secret"], &["AUTH", "(redacted)", "(redacted)"]);
        is(
            &["HELLO", "3", "AUTH", "me", "secret"],
            &["HELLO", "3", "AUTH", "(redacted)", "(redacted)"],
        );
        is(
            &["ACL", "SETUSER", "me", "on", ">secret"],
            &["ACL", "SETUSER", "(redacted)", "(redacted)", "(redacted)"],
        );
        is(
            &["CONFIG", "SET", "maxmemory", "1", "RequirePass", "secret"],
            &["CONFIG", "SET", "maxmemory", "1", "RequirePass", "(redacted)"],
        );
        is(
            &["MIGRATE", "h", "1", "k", "0", "9", "AUTH2", "me", "secret"],
            &["MIGRATE", "h", "1", "k", "0", "9", "AUTH2", "(redacted)", "(redacted)"],
        );
    }

    #[test]
    fn keys_are_hashed_or_hidden_and_values_with_them() {
        let [first, again, other] = [["SET", "k1", "v"], ["SET", "k1", "w"], ["SET", "k2", "v"]]
            .map(|words| {
                let mut bytes = Vec::new();
                write::command(&mut bytes, &words);
                bytes
            });
        let redactor = Redactor { redaction: Redaction::Hash, ..Redactor::default() };
        let (shown, again, other) =
            (redactor.show(&first), redactor.show(&again), redactor.show(&other));
        assert_eq!(shown, again);
        assert_ne!(shown.key, other.key);
        assert!(shown.key.as_deref().is_some_and(|key| key.starts_with('#') && key.len() == 17));
        assert_eq!(shown.args[2], b"(redacted)");
        assert_eq!(
            show(Redaction::Hide, &["OBJECT", "ENCODING", "k"]),
            ["OBJECT", "ENCODING", "(redacted)"]
        );
    }

    #[test]
    fn errors_show_no_arguments_that_nobody_knows() {
        let redactor = Redactor::default();
        let said = "ERR unknown command 'AUHT', with args beginning with: 'secret' ";
        assert_eq!(redactor.error(said), "ERR unknown command 'AUHT'");
        let hiding = Redactor { redaction: Redaction::Hide, ..Redactor::default() };
        assert_eq!(
            hiding.error("CROSSSLOT Keys don't: MGET cannot use 'k1' and"),
            "CROSSSLOT Keys don't: MGET cannot use"
        );
    }
}
