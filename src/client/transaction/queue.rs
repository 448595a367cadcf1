//! A command behind MULTI: whether it may be queued, and for which shard.

use bytes::Bytes;

use super::own::OwnCommand;
use super::{Home, PING, Phase, QUEUED, Transaction};
use crate::client::hold::may_write;
use crate::client::intake::frame;
use crate::client::local::database;
use crate::client::split::positions;
use crate::command::bits::Flags;
use crate::command::{Gather, Handling, Local, Script, Spec};
use crate::config::CrossShard;
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::shard::link::Part;
use crate::subscription::Kind;
use crate::worker::Worker;

/// Where a command behind MULTI belongs.
enum Place {
    /// To the shard of its keys, of which this argument is the first.
    Shard(usize, u32),
    /// To the transaction's shard, whichever that is.
    Any,
    /// To circlet: it concerns the session.
    Own,
    /// To both: it selects this database.
    Select(u32),
}

impl Worker {
    pub(super) fn queue_command(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        let place = match self.place_in_transaction(number, spec, request) {
            Some(place) => place,
            None => return,
        };
        let heard = self.publishes_to_listeners(number, spec);
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        if let Some(fault) = &transaction.fault {
            let fault = fault.clone();
            return self.say(number, |writer| writer.error(&fault));
        }
        if transaction.conclusion.is_some() {
            return self.say(number, |writer| writer.raw(QUEUED));
        }
        let db = transaction.selected().unwrap_or(self.sessions[number as usize].db);
        let records = self.records(number, spec, request);
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        transaction.records.extend(records.into_iter().map(|record| (db, record)));
        let index = transaction.queued;
        transaction.queued += 1;
        transaction.may_write |= may_write(spec);
        if let Some(kind) = heard {
            transaction.own.push(OwnCommand::publish(index, kind, request.arg(1)));
        }
        match place {
            Place::Shard(shard, key) if transaction.home.is_none() => {
                let key = request.arg(key as usize).to_vec();
                transaction.home = Some(Home { shard, key });
            }
            Place::Shard(..) | Place::Any => {}
            Place::Own => {
                transaction.own.push(OwnCommand::answer(index, request.wire()));
                return self.take_for_shard(number, Frame::Small(PING));
            }
            Place::Select(db) => transaction.own.push(OwnCommand::select(index, db)),
        }
        self.take_for_shard(number, frame(request, whole));
    }

    /// Collects a command, or sends it where MULTI went already.
    fn take_for_shard(&mut self, number: u32, request: Frame<'_>) {
        self.make_room_for(number, request.bytes().len());
        let session = &mut *self.sessions[number as usize];
        let Some(transaction) = &mut session.transaction else { return };
        if let Some(fault) = &transaction.fault {
            // The room was not to be had.
            let fault = fault.clone();
            return self.say(number, |writer| writer.error(&fault));
        }
        let sequence = session.replies.reserve();
        match transaction.phase {
            Phase::Collecting => transaction.collect(sequence, request.bytes()),
            _ => self.send_private(number, sequence, Part::Whole, request),
        }
    }

    /// The command's place in the transaction; with none it has been refused, and with it the
    /// transaction.
    fn place_in_transaction(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) -> Option<Place> {
        if spec.flags.contains(Flags::NO_MULTI) {
            self.doom(number);
            self.say(number, |writer| writer.error(NO_MULTI));
            return None;
        }
        let is_alone = self.pool_of(number).config.is_alone();
        match spec.handling {
            Handling::Sort => match self.stray_pattern(number, request) {
                None => self.place_by_keys(number, spec, request),
                Some(pattern) => {
                    self.doom(number);
                    self.refuse_pattern(number, spec, request.arg(1), pattern);
                    None
                }
            },
            Handling::Keyed
            | Handling::KeyedUnlessBlocking
            | Handling::Split
            | Handling::Blocking => self.place_by_keys(number, spec, request),
            Handling::Script(script) if script.runs() => {
                self.place_script(number, spec, script, request)
            }
            // A channel is heard on all shards, a shard channel on its own.
            Handling::Subscription if spec.name == "spublish" => {
                self.place_by(number, spec, request, &[1])
            }
            Handling::Subscription if spec.name == "publish" => Some(Place::Any),
            Handling::AnyShard | Handling::Transaction => Some(Place::Any),
            // Passwords in its reply are not for clients, and EXEC's reply passes as it is.
            Handling::Gather(Gather::ConfigGet) => self.refuse_within(number, spec, NOT_ALONE),
            Handling::FanOut | Handling::Gather(_) | Handling::Scan | Handling::Script(_)
                if is_alone =>
            {
                Some(Place::Any)
            }
            Handling::FanOut | Handling::Gather(_) | Handling::Scan | Handling::Script(_) => {
                self.refuse_within(number, spec, WHOLE_KEYSPACE)
            }
            Handling::Local(local) => self.place_of_local(number, spec, local, request),
            Handling::Refused(why) => self.refuse_within(number, spec, why),
            Handling::Subscription => self.refuse_within(number, spec, NO_LISTENING),
        }
    }

    fn place_of_local(
        &mut self,
        number: u32,
        spec: &'static Spec,
        local: Local,
        request: &Request<'_>,
    ) -> Option<Place> {
        match local {
            Local::Ping | Local::Echo | Local::Time => Some(Place::Any),
            Local::AclAsk if !self.has_accounts(number) => Some(Place::Any),
            // The shard says what is wrong with it, in EXEC's reply.
            Local::Select if self.is_scattered(number) => {
                self.refuse_within(number, spec, SEVERAL_SHARDS)
            }
            Local::Select => Some(database(request.arg(1)).map_or(Place::Any, Place::Select)),
            Local::Hello | Local::Auth => self.refuse_within(number, spec, NO_GREETING),
            Local::AclChange
            | Local::AclLog
            | Local::ClientKill
            | Local::ClientList
            | Local::ClientPause
            | Local::ClientReply
            | Local::ClientUnblock
            | Local::ClientUnpause
            | Local::Monitor => self.refuse_within(number, spec, NOT_ALONE),
            _ => Some(Place::Own),
        }
    }

    /// By the command's keys, which must all live where the transaction takes place. Malformed
    /// commands are for the shard to refuse when it executes them, as Redis does.
    fn place_by_keys(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) -> Option<Place> {
        match positions(spec, request) {
            Ok(keys) => self.place_by(number, spec, request, &keys),
            Err(_) => Some(Place::Any),
        }
    }

    fn place_by(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        keys: &[u32],
    ) -> Option<Place> {
        let Some(&first) = keys.first() else { return Some(Place::Any) };
        let session = &self.sessions[number as usize];
        let home = session.transaction.as_ref().and_then(|transaction| transaction.home.as_ref());
        let ring = self.ring_of_transaction(number);
        let place = home.map(|home| home.shard).or_else(|| ring.shard(request.arg(first as usize)));
        let Some(place) = place else {
            self.doom(number);
            self.refuse_nobody_in(number);
            return None;
        };
        let is_stray = |key: &&u32| ring.shard(request.arg(**key as usize)) != Some(place);
        let Some(&stray) = keys.iter().find(is_stray) else {
            return Some(Place::Shard(place, first));
        };
        let other = home.map_or(request.arg(first as usize), |home| &home.key).to_vec();
        if self.scatters(number, spec, request, keys) {
            return Some(Place::Shard(place, first));
        }
        self.doom(number);
        self.refuse_stray(number, spec, &other, request.arg(stray as usize));
        None
    }

    /// Refuses a key that does not live where the transaction takes place, or no longer does.
    pub(super) fn refuse_stray(&mut self, number: u32, spec: &Spec, other: &[u8], stray: &[u8]) {
        let moves = self.pool_of(number).moves;
        let transaction = &self.sessions[number as usize].transaction;
        if transaction.as_ref().is_some_and(|transaction| transaction.moves != moves) {
            return self.say(number, |writer| writer.error(KEYS_MOVED));
        }
        self.refuse_cross_slot(number, spec, other, stray);
    }

    /// By the script's keys; the shard is given what it lacks before the transaction is sent.
    fn place_script(
        &mut self,
        number: u32,
        spec: &'static Spec,
        script: Script,
        request: &Request<'_>,
    ) -> Option<Place> {
        let place = self.place_by_keys(number, spec, request)?;
        let transaction = &self.sessions[number as usize].transaction;
        let home = transaction.as_ref().and_then(|transaction| transaction.home.as_ref());
        let own = positions(spec, request).ok().and_then(|keys| {
            self.ring_of_transaction(number).shard(request.arg(*keys.first()? as usize))
        });
        let any = || self.pool_of(number).any_shard();
        if let Some(shard) = own.or(home.map(|home| home.shard)).or_else(any) {
            self.prepare_script(number, shard, script, request.arg(1));
        }
        Some(place)
    }

    /// Whether the command may be executed on other shards than the transaction's first, which then
    /// is over several.
    fn scatters(&mut self, number: u32, spec: &Spec, request: &Request<'_>, keys: &[u32]) -> bool {
        let ring = self.ring_of_transaction(number);
        let shard_of = |key: u32| ring.shard(request.arg(key as usize));
        let is_whole = keys.iter().all(|&key| shard_of(key) == shard_of(keys[0]));
        let may = self.pool_of(number).config.cross_shard == CrossShard::Allow
            && (is_whole || spec.handling == Handling::Split);
        let Some(transaction) = &mut self.sessions[number as usize].transaction else {
            return false;
        };
        let scatters = may && transaction.phase == Phase::Collecting && !transaction.selects();
        transaction.is_scattered |= scatters;
        scatters
    }

    /// What kind of channel a command publishes to, while anybody listens: the shard's number of
    /// receivers is then to be corrected.
    fn publishes_to_listeners(&self, number: u32, spec: &Spec) -> Option<Kind> {
        let kind = match spec.name {
            _ if spec.handling != Handling::Subscription => return None,
            "publish" => Kind::Channel,
            "spublish" => Kind::Shard,
            _ => return None,
        };
        (!self.pool_of(number).hubs.registry().is_empty()).then_some(kind)
    }

    fn refuse_within(&mut self, number: u32, spec: &Spec, why: &str) -> Option<Place> {
        self.doom(number);
        self.refuse(number, spec, why);
        None
    }
}

impl Worker {
    fn is_scattered(&self, number: u32) -> bool {
        let transaction = &self.sessions[number as usize].transaction;
        transaction.as_ref().is_some_and(|transaction| transaction.is_scattered)
    }
}

impl Transaction {
    /// Adds a command to those that were not sent yet.
    pub(super) fn collect(&mut self, sequence: u32, bytes: &[u8]) {
        if self.answered == self.collected {
            self.first = sequence;
        }
        self.collected += 1;
        self.bytes.extend_from_slice(bytes);
    }
}

const NO_MULTI: &str = "ERR Command not allowed inside a transaction";
const WHOLE_KEYSPACE: &str =
    "inside of MULTI it could reach one shard only; send it outside of the transaction";
const NOT_ALONE: &str = "it concerns others than the transaction's shard; send it outside of the \
                         transaction";
const NO_LISTENING: &str = "inside of MULTI nothing can be subscribed to or asked about \
                            subscriptions; send it outside of the transaction";
const SEVERAL_SHARDS: &str = "inside of a MULTI over several shards the database cannot change";
const NO_GREETING: &str = "who the client is and which RESP it speaks cannot change inside of \
                           MULTI; send it outside of the transaction";
const KEYS_MOVED: &str = "TRYAGAIN a shard went or came back since the transaction began, so that its \
                          keys may have moved; begin it anew";
