//! CLIENT TRACKING: read as Redis reads it, then refused, for nobody is told of keys that change.

use super::local::integer;
use crate::resp::Request;
use crate::worker::Worker;

#[derive(Default)]
struct Options<'a> {
    redirect: i64,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    prefixes: Vec<&'a [u8]>,
}

impl Worker {
    /// `CLIENT TRACKING ON|OFF [option …]`.
    pub(super) fn tracking(&mut self, number: u32, request: &Request<'_>) {
        let exists =
            |id: i64| u64::try_from(id).is_ok_and(|id| self.shared.clients.contains_key(&id));
        let answer = read(request, exists).and_then(|options| {
            match &request.arg(2).to_ascii_lowercase()[..] {
                b"on" => Err(options.conflict().unwrap_or_else(|| NO_TRACKING.into())),
                b"off" => Ok(()),
                _ => Err(SYNTAX.into()),
            }
        });
        self.say(number, |writer| match &answer {
            Ok(()) => writer.simple("OK"),
            Err(text) => writer.error(text),
        });
    }
}

fn read<'a>(request: &Request<'a>, exists: impl Fn(i64) -> bool) -> Result<Options<'a>, String> {
    let mut options = Options::default();
    let mut index = 3;
    while index < request.len() {
        let has_more = index + 1 < request.len();
        match &request.arg(index).to_ascii_lowercase()[..] {
            b"redirect" if has_more => {
                index += 1;
                options.redirect = redirect(request.arg(index), options.redirect, &exists)?;
            }
            b"prefix" if has_more => {
                index += 1;
                options.prefixes.push(request.arg(index));
            }
            b"bcast" => options.broadcast = true,
            b"optin" => options.opt_in = true,
            b"optout" => options.opt_out = true,
            b"noloop" => {}
            _ => return Err(SYNTAX.into()),
        }
        index += 1;
    }
    Ok(options)
}

fn redirect(typed: &[u8], before: i64, exists: impl Fn(i64) -> bool) -> Result<i64, String> {
    if before != 0 {
        return Err("ERR A client can only redirect to a single other client".into());
    }
    match integer(typed) {
        None => Err("ERR value is not an integer or out of range".into()),
        Some(id) if !exists(id) => {
            Err("ERR The client ID you want redirect to does not exist".into())
        }
        Some(id) => Ok(id),
    }
}

impl Options<'_> {
    /// Why the options do not go together.
    fn conflict(&self) -> Option<String> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Some("ERR PREFIX option requires BCAST mode to be enabled".into());
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Some("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
        }
        if self.opt_in && self.opt_out {
            return Some("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
        }
        let (one, other) = self.overlap()?;
        let [one, other] = [one, other].map(String::from_utf8_lossy);
        Some(format!(
            "ERR Prefix '{one}' overlaps with another provided prefix '{other}'. Prefixes for a \
             single client must not overlap."
        ))
    }

    fn overlap(&self) -> Option<(&[u8], &[u8])> {
        let prefixes = &self.prefixes[..self.prefixes.len().min(COMPARED)];
        let pairs = (0..prefixes.len())
            .flat_map(|one| (one + 1..prefixes.len()).map(move |other| (one, other)));
        let overlaps = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        pairs
            .map(|(one, other)| (prefixes[one], prefixes[other]))
            .find(|(one, other)| overlaps(one, other))
    }
}

/// Prefixes that are compared with each other: a million would hold up the others, and the command
/// is refused in any case.
const COMPARED: usize = 100;
const SYNTAX: &str = "ERR syntax error";
const NO_TRACKING: &str = "ERR CLIENT TRACKING is not served: circlet does not tell clients of \
     keys that change yet; go on without client-side caching";
