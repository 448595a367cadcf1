//! What would be done with a command: the decisions of `client::dispatch`, told instead of taken.

use crate::client::split::positions;
use crate::command::reference::treatment;
use crate::command::{self, Handling, Spec};
use crate::config::Auth;
use crate::explain::{Fields, Value};
use crate::resp::{Protocol, Request};
use crate::worker::Worker;

/// A command that was looked at.
pub(super) struct Considered {
    /// What is told of it.
    pub(super) fields: Fields,
    /// Its keys.
    pub(super) keys: Vec<Vec<u8>>,
}

/// What becomes of a command.
enum Fate {
    /// It goes to these shards, in this way.
    Sent(String, Vec<usize>),
    /// No shard sees it.
    Here(String),
    /// The client reads this error.
    Refused(String),
}

impl Worker {
    /// What would be done with `request` if the session said it now, outside of MULTI.
    pub(super) fn consider(&self, number: u32, request: &Request<'_>) -> Considered {
        let resolved = command::resolve(request);
        let spec = match resolved.or_else(|error| self.learned(number, request, error)) {
            Ok(spec) => spec,
            Err(error) => {
                let text = String::from_utf8_lossy(&error.text(request)).into_owned();
                let name = String::from_utf8_lossy(request.arg(0)).to_uppercase();
                let fields = vec![("command", Value::Text(name)), ("refused", Value::Text(text))];
                return Considered { fields, keys: Vec::new() };
            }
        };
        let found = positions(spec, request).unwrap_or_default();
        let keys = found.iter().map(|&at| request.arg(at as usize).to_vec()).collect();
        let mut fields = vec![
            ("command", Value::Text(shown(spec))),
            ("treatment", Value::Text(treatment(spec))),
        ];
        fields.extend(self.asker(number));
        let denied = self.denied(number, spec, request, false);
        fields.push(("allowed", Value::Text(self.allowed(number, spec, denied.as_deref()))));
        let fate = match denied {
            Some(text) => Fate::Refused(text),
            None => self.fate(number, spec, request),
        };
        match fate {
            Fate::Sent(way, shards) => {
                let servers = &self.pool_of(number).config.servers;
                let name = |shard: usize| Value::Text(servers[shard].name.clone());
                fields.push(("handling", Value::Text(way)));
                let faults: Vec<Value> = shards
                    .iter()
                    .filter_map(|&shard| Some(Value::Text(self.trouble(number, shard)?)))
                    .collect();
                fields.push(("shards", Value::List(shards.into_iter().map(name).collect())));
                if !faults.is_empty() {
                    fields.push(("fails", Value::List(faults)));
                }
            }
            Fate::Here(way) => fields.push(("handling", Value::Text(way))),
            Fate::Refused(text) => fields.push(("refused", Value::Text(text))),
        }
        Considered { fields, keys }
    }

    /// As whom the session speaks, to circlet and to the shards.
    fn asker(&self, number: u32) -> Fields {
        let identity = self.identity_of(number);
        let protocol = match identity.protocol {
            Protocol::Resp2 => "RESP2",
            Protocol::Resp3 => "RESP3",
        };
        let to_shards = match &identity.user {
            Some(user) => format!("user {}, ", String::from_utf8_lossy(&user.name)),
            None => String::new(),
        };
        vec![
            ("user", Value::Text(String::from_utf8_lossy(self.user_name(number)).into_owned())),
            ("to_shards", Value::Text(format!("{to_shards}database {}, {protocol}", identity.db))),
        ]
    }

    fn allowed(&self, number: u32, spec: &Spec, denied: Option<&str>) -> String {
        let pool = &self.pool_of(number).config;
        match (denied, pool.who_decides()) {
            (Some(_), _) => "no, by the rules of its user".to_owned(),
            (None, Auth::Users) => "yes, by the rules of its user".to_owned(),
            (None, _) if matches!(spec.handling, Handling::Local(_)) => "yes".to_owned(),
            (None, Auth::Pool) => {
                "yes, as every client that has said the pool's password".to_owned()
            }
            (None, Auth::Shard) => "as the shards' ACLs have it for its user".to_owned(),
        }
    }

    fn fate(&self, number: u32, spec: &'static Spec, request: &Request<'_>) -> Fate {
        if self.is_switched_off(number, spec, request) {
            return Fate::Refused(self.switched_off(number, spec));
        }
        let members: Vec<usize> = self.pool_of(number).members().collect();
        let all = match members.len() {
            1 => "the one shard".to_owned(),
            count => format!("all {count} shards"),
        };
        match spec.handling {
            Handling::Refused(why) => match self.unless_named(number, spec, why, request) {
                Some(why) => Fate::Refused(format!("ERR {} is not served: {why}", shown(spec))),
                None => Fate::Sent(format!("sent to {all}"), members),
            },
            Handling::Local(_) => Fate::Here("answered by circlet".to_owned()),
            Handling::Transaction if spec.name != "watch" => {
                Fate::Here("kept by circlet for the session".to_owned())
            }
            _ if members.is_empty() => Fate::Refused(self.pool_of(number).nobody_in()),
            Handling::FanOut | Handling::Gather(_) => Fate::Sent(format!("sent to {all}"), members),
            Handling::Scan => Fate::Sent(format!("asked of {all}, one after the other"), members),
            Handling::Script(script) if !script.runs() => {
                Fate::Sent(format!("done on {all}"), members)
            }
            Handling::Subscription => self.channels(number, spec, request, members),
            Handling::AnyShard => self.any(number),
            _ => self.by_key(number, spec, request),
        }
    }

    fn by_key(&self, number: u32, spec: &'static Spec, request: &Request<'_>) -> Fate {
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            Err(error) => return Fate::Refused(error.to_string()),
        };
        if keys.is_empty() {
            return match spec.handling {
                Handling::Blocking => Fate::Sent(
                    "asked of all shards, each on a link of its own".to_owned(),
                    self.pool_of(number).members().collect(),
                ),
                _ => self.any(number),
            };
        }
        if spec.handling == Handling::Sort
            && let Some(pattern) = self.stray_pattern(number, request)
        {
            return Fate::Refused(self.pattern_text(number, spec, request.arg(1), pattern));
        }
        let ring = self.ring_of(number);
        let mut shards: Vec<usize> =
            keys.iter().filter_map(|&at| ring.shard(request.arg(at as usize))).collect();
        shards.sort_unstable();
        shards.dedup();
        if let [_] = shards[..] {
            return Fate::Sent(one(spec, request), shards);
        }
        if spec.handling == Handling::Split {
            let way = format!("split over {} shards, and the replies merged", shards.len());
            return Fate::Sent(way, shards);
        }
        match self.goes_across(number, spec, request) {
            true => {
                let way = format!(
                    "done in steps over {} shards (cross_shard: allow), which is not atomic",
                    shards.len()
                );
                Fate::Sent(way, shards)
            }
            false => {
                let first = request.arg(keys[0] as usize);
                let lives_apart = |key: &&[u8]| ring.shard(key) != ring.shard(first);
                let stray = keys.iter().map(|&at| request.arg(at as usize)).find(lives_apart);
                Fate::Refused(self.cross_slot_text(number, spec, first, stray.unwrap_or(first)))
            }
        }
    }

    fn any(&self, number: u32) -> Fate {
        match self.pool_of(number).any_shard() {
            Some(shard) => Fate::Sent("sent to one shard, any would do".to_owned(), vec![shard]),
            None => Fate::Refused(self.pool_of(number).nobody_in()),
        }
    }

    fn channels(
        &self,
        number: u32,
        spec: &Spec,
        request: &Request<'_>,
        members: Vec<usize>,
    ) -> Fate {
        let of_one = ["publish", "spublish", "ssubscribe"].contains(&spec.name);
        let shard = self.ring_of(number).shard(request.arg(request.len().min(2) - 1));
        match shard.filter(|_| of_one) {
            Some(shard) => Fate::Sent("by the channel's shard".to_owned(), vec![shard]),
            None => Fate::Sent("by all shards".to_owned(), members),
        }
    }

    /// Why requests to a shard fail at present.
    fn trouble(&self, number: u32, shard: usize) -> Option<String> {
        let pool = self.pool_of(number);
        let fault = pool.fault(shard)?;
        Some(format!("{}: {fault}", pool.config.servers[shard].name))
    }
}

/// How a command goes whose keys live together.
fn one(spec: &Spec, request: &Request<'_>) -> String {
    let waits = match spec.handling {
        Handling::Blocking => true,
        Handling::KeyedUnlessBlocking => command::keys::blocks(request),
        Handling::Transaction => true,
        _ => false,
    };
    match waits {
        true => "forwarded to one shard, on a link of the session's own".to_owned(),
        false => "forwarded to one shard".to_owned(),
    }
}

fn shown(spec: &Spec) -> String {
    spec.name.replace('|', " ").to_uppercase()
}
