//! One pool compared.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::ask::{self, Shards, Way};
use super::cause::cause;
use super::keys::{Key, MAX_LENGTH, made_up};
use super::places::Place;
use super::report::Comparison;
use super::setup::Evidence;
use super::tally::{Examples, Tally};
use crate::config::{Address, Auth, Distribution, Listen, Pool};
use crate::route::Ring;
use crate::secret::Secret;
use crate::shard::connect::{Identity, Target};
use crate::survey::{Conversation, Progress, SurveyError, scan_keys};
use crate::tcp::TcpOptions;
use crate::tls::files::Connector;

/// What is to be compared.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The pool, as the file has it.
    pub pool: &'a Pool,
    /// What a TLS handshake with its shards takes.
    pub connector: Option<Arc<Connector>>,
    /// Where the proxy serves it now.
    pub proxy: Listen,
    /// Where a circlet serves it.
    pub circlet: Option<Listen>,
    /// What was asked for.
    pub options: &'a Options,
}

impl Asked<'_> {
    /// Compares.
    ///
    /// # Errors
    /// A shard or the proxy does not answer, or there is nothing to compare with.
    pub async fn compare(&self) -> Result<Comparison, SurveyError> {
        let mut comparison = Comparison::new(self.pool, shown(&self.proxy));
        if self.pool.distribution == Distribution::Random {
            return Ok(comparison);
        }
        let mut shards = self.shards().await?;
        let mut proxy = self.conversation(&self.proxy).await?;
        let way = match self.options.write {
            true => Way::Writing,
            false => ask::way(&mut proxy, &shards).await?,
        };
        let keys = self.keys(&way, &mut shards, &mut comparison).await?;
        comparison.database = self.database(&mut proxy, &mut shards).await?;
        let places = self.places(&way, &mut proxy, &mut shards, &keys).await?;
        let ring = Ring::new(self.pool);
        let file = |key: &Key| ring.shard(&key.bytes).map(|shard| shards.canonical(shard));
        let file: Vec<Option<usize>> = keys.iter().map(file).collect();
        comparison.file = Tally::new(&keys, &places, &file);
        comparison.strays = strays(&keys, &places);
        if comparison.file.disagreeing() > 0 {
            let bytes = keys.iter().map(|key| &key.bytes[..]);
            let seen: Vec<Evidence<'_>> =
                bytes.zip(&places).filter(|(_, place)| place.is_evidence()).collect();
            comparison.cause = Some(cause(self.pool, &seen, &comparison.file));
        }
        if let Some(address) = &self.circlet {
            let mut circlet = self.conversation(address).await?;
            let theirs = self.places(&way, &mut circlet, &mut shards, &keys).await?;
            let theirs: Vec<Option<usize>> = theirs.iter().map(certain).collect();
            let tally = Tally::new(&keys, &places, &theirs);
            comparison.circlet = Some((shown(address), tally));
        }
        comparison.way = Some(way);
        Ok(comparison)
    }

    async fn shards(&self) -> Result<Shards, SurveyError> {
        let mut shards = Shards { conversations: Vec::new(), run_ids: Vec::new() };
        for shard in 0..self.pool.servers.len() {
            let mut conversation = self.shard(shard, self.pool.redis_db).await?;
            shards.run_ids.push(ask::run_id(&mut conversation).await?);
            shards.conversations.push(conversation);
        }
        Ok(shards)
    }

    /// A conversation with a shard, about one of its databases.
    async fn shard(&self, shard: usize, db: u32) -> Result<Conversation, SurveyError> {
        let identity = Identity { db, ..Identity::default() };
        let mut target = Target::new(self.pool, shard, identity, self.connector.clone());
        target.password = self.password();
        target.timeout = target.timeout.max(CONNECTING);
        let server = &self.pool.servers[shard];
        Conversation::open(&target, &format!("shard {} ({})", server.name, server.address)).await
    }

    /// A key of database 0 that the proxy serves although the file has another database.
    async fn database(
        &self,
        proxy: &mut Conversation,
        shards: &mut Shards,
    ) -> Result<Option<Vec<u8>>, SurveyError> {
        if self.pool.redis_db == 0 {
            return Ok(None);
        }
        let mut keys = Vec::new();
        let mut progress = Progress::new(format!("{}: database 0", self.pool.name), 0);
        for shard in 0..self.pool.servers.len() {
            let mut conversation = self.shard(shard, 0).await?;
            keys.extend(scan_keys(&mut conversation, OF_DATABASE_0, &mut progress).await?);
        }
        keys.retain(|key| key.len() <= MAX_LENGTH);
        ask::only_through_the_proxy(proxy, shards, keys).await
    }

    /// A conversation with a proxy.
    async fn conversation(&self, listen: &Listen) -> Result<Conversation, SurveyError> {
        let address = match listen.clone() {
            Listen::Tcp { host, port } => Address::Tcp { host, port },
            Listen::Unix { path, .. } => Address::Unix(path),
        };
        let target = Target {
            address,
            identity: Identity::default(),
            password: self.password(),
            clients_decide: self.pool.who_decides() == Auth::Shard,
            timeout: CONNECTING,
            tcp: TcpOptions { keepalive: None, user_timeout: None },
            tls: None,
        };
        Conversation::open(&target, &format!("the proxy at {}", shown(listen))).await
    }

    /// The pool's, or the one that redis-cli would take.
    fn password(&self) -> Option<Secret> {
        let told = || env::var("REDISCLI_AUTH").ok().filter(|text| !text.is_empty());
        self.pool.redis_auth.clone().or_else(|| told().map(|text| text.as_str().into()))
    }

    /// As many keys as were asked for: of the shards, as far as they have some, and made-up ones
    /// where the way can do with such.
    async fn keys(
        &self,
        way: &Way,
        shards: &mut Shards,
        comparison: &mut Comparison,
    ) -> Result<Vec<Key>, SurveyError> {
        let wanted = self.options.keys.max(1);
        let mut keys = Vec::new();
        if *way != Way::Writing {
            let each = wanted.div_ceil(self.pool.servers.len());
            let mut progress = Progress::new(format!("{}: SCAN", self.pool.name), wanted);
            for (shard, conversation) in shards.conversations.iter_mut().enumerate() {
                let found = scan_keys(conversation, each, &mut progress).await?;
                let key = |bytes| Key { bytes, found_on: Some(shard) };
                keys.extend(found.into_iter().map(key));
            }
        }
        let all = keys.len();
        keys.retain(|key| key.bytes.len() <= MAX_LENGTH);
        comparison.passed_over = all - keys.len();
        comparison.sampled = keys.len();
        comparison.made_up = match way {
            Way::Reading(_) => 0,
            Way::Script => (wanted / MADE_UP_SHARE).max(wanted.saturating_sub(keys.len())),
            Way::Writing => wanted,
        };
        let prefix = format!("circlet-compare:{:016x}", fastrand::u64(..));
        let made_up = made_up(self.pool, &prefix, comparison.made_up).into_iter();
        keys.extend(made_up.map(|bytes| Key { bytes, found_on: None }));
        match (way, keys.is_empty()) {
            (Way::Reading(why), true) => Err(SurveyError {
                whom: format!("the proxy at {}", shown(&self.proxy)),
                what: format!(
                    "it cannot be asked where it looks: scripts do not work there ({why}) and the \
                     shards hold no keys to read. With --write keys are made up, written and removed"
                ),
            }),
            _ => Ok(keys),
        }
    }

    async fn places(
        &self,
        way: &Way,
        proxy: &mut Conversation,
        shards: &mut Shards,
        keys: &[Key],
    ) -> Result<Vec<Place>, SurveyError> {
        let mut progress = Progress::new(format!("{}: asking", self.pool.name), keys.len());
        ask::places(way, proxy, shards, keys, &mut progress).await
    }
}

fn certain(place: &Place) -> Option<usize> {
    match place {
        Place::At(shard) => Some(*shard),
        _ => None,
    }
}

/// Keys that are on another shard than the one where the proxy looks for them.
fn strays(keys: &[Key], places: &[Place]) -> Examples {
    let mut strays = Examples::default();
    for (key, place) in keys.iter().zip(places) {
        if let (Some(found), Place::At(looked)) = (key.found_on, place)
            && found != *looked
        {
            strays.add(&key.bytes);
        }
    }
    strays
}

/// An address as a person writes it.
fn shown(listen: &Listen) -> String {
    match listen {
        Listen::Tcp { host, port } => Address::Tcp { host: host.clone(), port: *port }.to_string(),
        Listen::Unix { path, .. } => path.display().to_string(),
    }
}

/// One made-up key in so many: they have tags and bytes that the shards' own keys may lack.
const MADE_UP_SHARE: usize = 10;
/// Keys of each shard's database 0 that are looked for through a proxy that should serve another.
const OF_DATABASE_0: usize = 20;
/// For connecting, at least: this is no request of an application.
const CONNECTING: Duration = Duration::from_secs(3);
