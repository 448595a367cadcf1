//! The one conversion from what the user typed to what it means.

use std::collections::HashMap;

use super::address;
use super::assign::{MEMCACHED, apply, default_pool, misshapen};
use super::fault::{ConfigFault, Faults, Wrong};
use super::model::{Address, Config, Listen, Pool, Server};
use super::reference::{self, KEYS, Takes, Without};
use super::spelling;
use super::tls;
use super::tree::{Node, Place, Value};
use super::users;

/// Makes the configuration of a whole file, or tells everything that is wrong with it.
pub(crate) fn config(file: &str, root: &Node) -> Result<Config, Faults> {
    let mut reading = Reading { file, pool: None, users: Vec::new(), faults: Vec::new() };
    let pools = reading.pools(root);
    if reading.faults.is_empty() { Ok(Config { pools }) } else { Err(Faults(reading.faults)) }
}

/// Sorts as twemproxy does: by the length of the name, then by its bytes.
pub(crate) fn sort(servers: &mut [Server]) {
    servers.sort_by(|a, b| {
        a.name.len().cmp(&b.name.len()).then_with(|| a.name.as_bytes().cmp(b.name.as_bytes()))
    });
}

struct Reading<'a> {
    file: &'a str,
    pool: Option<String>,
    /// What the pool's `users` holds.
    users: Vec<(Place, String)>,
    faults: Vec<ConfigFault>,
}

impl Reading<'_> {
    fn pools(&mut self, root: &Node) -> Vec<Pool> {
        let right = "name each pool at the start of a line and indent its keys below it";
        let Value::Mapping(pairs) = &root.value else {
            let wrong = format!("the file is {}, not a mapping of pools", root.value.shape());
            self.fault(root.place, None, Wrong::new(wrong, right));
            return Vec::new();
        };
        if pairs.is_empty() {
            self.fault(root.place, None, Wrong::new("the file holds no pool", right));
        }
        let mut names: HashMap<&str, u32> = HashMap::new();
        let mut listens: HashMap<Address, (String, u32)> = HashMap::new();
        let mut pools = Vec::with_capacity(pairs.len());
        for (key, body) in pairs {
            let Some(name) = self.pool_name(key) else { continue };
            self.pool = Some(name.to_owned());
            if let Some(line) = names.insert(name, key.place.line) {
                let wrong = format!("the pool is a duplicate of the one at line {line}");
                self.fault(key.place, None, Wrong::new(wrong, "give it another name"));
            }
            pools.extend(self.pool(name, key.place, body, &mut listens));
            self.pool = None;
        }
        pools
    }

    fn pool_name<'n>(&mut self, key: &'n Node) -> Option<&'n str> {
        match &key.value {
            Value::Scalar(name) if !name.is_empty() => Some(name),
            _ => {
                let wrong = Wrong::new("a pool has no name", "write its name before the colon");
                self.fault(key.place, None, wrong);
                None
            }
        }
    }

    fn pool(
        &mut self,
        name: &str,
        place: Place,
        body: &Node,
        listens: &mut HashMap<Address, (String, u32)>,
    ) -> Option<Pool> {
        let Value::Mapping(pairs) = &body.value else {
            let wrong = match &body.value {
                Value::Scalar(text) if text.is_empty() => "the pool is empty".to_owned(),
                other => format!("the pool is {}, not a mapping of keys", other.shape()),
            };
            let right = "indent at least listen, redis and servers below its name";
            self.fault(place, None, Wrong::new(wrong, right));
            return None;
        };
        let faults_before = self.faults.len();
        let mut pool = default_pool(name);
        let mut seen = HashMap::new();
        for (key, value) in pairs {
            self.pair(&mut pool, key, value, &mut seen);
        }
        for (key, listen) in [("listen", &pool.listen), ("tls_listen", &pool.tls.listen)] {
            if let (Some(place), Some(listen)) = (seen.get(key), listen) {
                self.listens_alone(key, bound(listen), name, *place, listens);
            }
        }
        self.missing(place, &seen);
        self.read_users(&mut pool, place, &seen);
        if self.faults.len() == faults_before {
            self.faults_of_tls(&pool, place, &seen);
        }
        Some(pool)
    }

    fn pair(
        &mut self,
        pool: &mut Pool,
        key: &Node,
        value: &Node,
        seen: &mut HashMap<&'static str, Place>,
    ) {
        let name = match &key.value {
            Value::Scalar(name) => name.as_str(),
            other => {
                let wrong = format!("a key is {}", other.shape());
                return self.fault(key.place, None, Wrong::new(wrong, "write a key of a pool"));
            }
        };
        let Some(known) = reference::key(name) else {
            return self.fault(key.place, Some(name), unknown(name));
        };
        if let Some(first) = seen.insert(known.name, value.place) {
            let wrong = format!("the key is a duplicate of the one at line {}", first.line);
            return self.fault(key.place, Some(name), Wrong::new(wrong, "keep one of them"));
        }
        let read = match (&known.takes, &value.value) {
            (Takes::Servers, Value::Sequence(items)) => {
                return self.servers(pool, value.place, items);
            }
            (Takes::Users, Value::Sequence(items)) => match users::lines(items) {
                Ok(lines) => return self.users = lines,
                Err((place, wrong)) => return self.fault(place, Some(name), wrong),
            },
            (_, Value::Scalar(text)) => apply(pool, known, text),
            (takes, other) => Err(misshapen(other.shape(), takes)),
        };
        if let Err(wrong) = read {
            self.fault(value.place, Some(name), wrong);
        }
    }

    fn servers(&mut self, pool: &mut Pool, place: Place, items: &[Node]) {
        if items.is_empty() {
            let wrong = Wrong::new("the list of servers is empty", "write at least one server");
            self.fault(place, Some("servers"), wrong);
        }
        let mut names: HashMap<String, u32> = HashMap::with_capacity(items.len());
        for item in items {
            let server = match &item.value {
                Value::Scalar(text) => address::server(text),
                other => Err(Wrong::new(
                    format!("{} where a server belongs", other.shape()),
                    "write host:port:weight [name]; quote it if it begins with a bracket",
                )),
            };
            match server {
                Ok(server) => {
                    if let Some(line) = names.insert(server.name.clone(), item.place.line) {
                        let wrong =
                            format!("the server {:?} is a duplicate of line {line}", server.name);
                        let right = "remove one, or give it a name of its own behind its weight";
                        self.fault(item.place, Some("servers"), Wrong::new(wrong, right));
                    }
                    pool.servers.push(server);
                }
                Err(wrong) => self.fault(item.place, Some("servers"), wrong),
            }
        }
        sort(&mut pool.servers);
    }

    fn read_users(&mut self, pool: &mut Pool, place: Place, seen: &HashMap<&'static str, Place>) {
        let lines = std::mem::take(&mut self.users);
        let (file, name) = (self.file, self.pool.clone());
        let of_pool = |at: Place, key: &str, wrong: Wrong| {
            let at = if at == place { seen.get(key).copied().unwrap_or(place) } else { at };
            ConfigFault {
                line: Some(at.line),
                column: Some(at.column),
                pool: name.clone(),
                key: Some(key.to_owned()),
                ..ConfigFault::of_file(file, wrong)
            }
        };
        self.faults.extend(users::read(pool, &lines, place, of_pool));
    }

    /// Keys that need each other, when each is right by itself.
    fn faults_of_tls(&mut self, pool: &Pool, place: Place, seen: &HashMap<&str, Place>) {
        for (key, wrong) in tls::faults(pool) {
            self.fault(*seen.get(key).unwrap_or(&place), Some(key), wrong);
        }
    }

    fn listens_alone(
        &mut self,
        key: &str,
        address: Address,
        name: &str,
        place: Place,
        listens: &mut HashMap<Address, (String, u32)>,
    ) {
        if let Some((other, line)) = listens.insert(address, (name.to_owned(), place.line)) {
            let wrong = format!("the pool {other} listens there too (line {line})");
            let right = "give each pool an address of its own";
            self.fault(place, Some(key), Wrong::new(wrong, right));
        }
    }

    fn missing(&mut self, place: Place, seen: &HashMap<&'static str, Place>) {
        for key in KEYS {
            let is_required = match key.name {
                "listen" => !seen.contains_key("tls_listen"),
                _ => matches!(key.default, Without::Required),
            };
            if !is_required || seen.contains_key(key.name) {
                continue;
            }
            let wrong = match key.takes {
                Takes::RedisOnly => Wrong::new(
                    "the key is missing, which means false, a pool of memcached",
                    MEMCACHED,
                ),
                _ => Wrong::new("the key is missing", format!("write {}", key.takes.describe())),
            };
            self.fault(place, Some(key.name), wrong);
        }
    }

    fn fault(&mut self, place: Place, key: Option<&str>, wrong: Wrong) {
        self.faults.push(ConfigFault {
            line: Some(place.line),
            column: Some(place.column),
            pool: self.pool.clone(),
            key: key.map(str::to_owned),
            ..ConfigFault::of_file(self.file, wrong)
        });
    }
}

fn unknown(name: &str) -> Wrong {
    let right = match spelling::nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`circlet config-reference` lists all keys".to_owned(),
    };
    Wrong::new("there is no such key", right)
}

/// The address that nothing else may have.
fn bound(listen: &Listen) -> Address {
    match listen {
        Listen::Tcp { host, port } => Address::Tcp { host: host.clone(), port: *port },
        Listen::Unix { path, .. } => Address::Unix(path.clone()),
    }
}
