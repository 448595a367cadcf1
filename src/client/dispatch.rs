//! What happens to a command: forwarded, split, sent to all, answered here, or refused.

use bytes::Bytes;

use super::apart::Told;
use super::intake::frame;
use super::proxied;
use super::session::Special;
use super::split::positions;
use crate::command::bits::Flags;
use crate::command::{self, CommandError, Handling, Keys, ResponsePolicy, Spec, keys};
use crate::reply::slots::Frame;
use crate::reply::{Merge, MergeKind};
use crate::resp::Request;
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    /// Handles one command; `whole` is its bytes when they are in a buffer of their own.
    pub(crate) fn command(&mut self, number: u32, request: &Request<'_>, whole: Option<&Bytes>) {
        let spec = match command::resolve(request) {
            Ok(spec) => spec,
            Err(error) => match self.learned(number, request, error) {
                Ok(spec) => spec,
                Err(error) => return self.misspoken(number, request, error),
            },
        };
        let session = &mut self.sessions[number as usize];
        session.last_command = spec.id;
        session.last_family = spec.family;
        self.note_command(number, spec.family);
        let session = &mut self.sessions[number as usize];
        if self.hotkeys.sampler.is_due() {
            return self.command_looked_at(number, spec, request, whole);
        }
        if session.special.any() {
            return self.command_apart(number, spec, request, whole);
        }
        self.handle(number, spec, request, whole);
    }

    /// Does with a command what its line of the table says.
    #[inline(always)]
    pub(super) fn handle(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        match (spec.handling, &spec.keys) {
            (Handling::Keyed, &Keys::At(index)) => {
                let shard = self.ring_of(number).shard(request.arg(index));
                self.forward(number, shard, frame(request, whole));
            }
            (Handling::Keyed, _) => self.forward_keyed(number, spec, request, whole),
            (Handling::Sort, _) => self.sort(number, spec, request, whole),
            (Handling::KeyedUnlessBlocking, _) if !keys::blocks(request) => {
                self.forward_keyed(number, spec, request, whole);
            }
            (Handling::Split, _) => self.split(number, spec, request, whole),
            _ if self.is_switched_off(number, spec, request) => {
                self.refuse_switched_off(number, spec);
            }
            (Handling::Script(script), _) => self.script(number, spec, script, request, whole),
            (Handling::FanOut, _) => self.fan_out(number, spec, request),
            (Handling::AnyShard, _) => {
                let shard = self.pool_of(number).any_shard();
                self.forward(number, shard, frame(request, whole));
            }
            (Handling::Local(local), _) => self.local(number, local, request),
            (Handling::Refused(why), _) => {
                self.refuse_unless_named(number, spec, why, request);
            }
            (Handling::Transaction, _) => self.transaction_command(number, spec, request),
            (Handling::Blocking | Handling::KeyedUnlessBlocking, _) => {
                self.blocking(number, spec, request, whole);
            }
            (Handling::Scan, _) => self.scan(number, request),
            (Handling::Gather(gather), _) => self.gather(number, gather, request),
            (Handling::Subscription, _) => self.subscription(number, spec, request, whole),
        }
    }

    #[cold]
    fn misspoken(&mut self, number: u32, request: &Request<'_>, error: CommandError) {
        if is_http(request) {
            return self.refuse_http(number);
        }
        if proxied::is_header(request) {
            return self.refuse_proxy_header(number);
        }
        self.muted(number, |worker| {
            if !worker.is_within_limits(number, None, request) {
                return Told::IfWanted;
            }
            worker.reject(number, error, request);
            Told::IfWanted
        });
    }

    /// Whether a session that is set apart may have the command handled as usual; otherwise it has
    /// been seen to.
    #[cold]
    pub(super) fn admits(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) -> bool {
        let special = self.sessions[number as usize].special;
        let is_stranger = special.has(Special::STRANGER) && !self.shards_decide(number);
        if is_stranger && !spec.flags.contains(Flags::NO_AUTH) {
            self.turn_away(number, spec, "NOAUTH Authentication required.");
            return false;
        }
        if special.has(Special::SUBSCRIBER) && !self.admits_subscribed(number, spec) {
            return false;
        }
        if special.has(Special::TRANSACTION) {
            return self.admits_in_transaction(number, spec, request, whole);
        }
        true
    }

    pub(super) fn refuse(&mut self, number: u32, spec: &Spec, why: &str) {
        let name = spec.name.replace('|', " ").to_uppercase();
        let text = format!("ERR {name} is not served: {why}");
        self.say(number, |writer| writer.error(&text));
    }

    /// Sends a command to one shard; the reply is the client's reply.
    #[inline]
    pub(crate) fn forward(&mut self, number: u32, shard: Option<usize>, request: Frame<'_>) {
        match shard {
            Some(shard) => {
                let sequence = self.sessions[number as usize].replies.reserve();
                self.send(number, sequence, Part::Whole, shard, request);
            }
            None => self.refuse_nobody_in(number),
        }
    }

    pub(crate) fn refuse_nobody_in(&mut self, number: u32) {
        let text = self.pool_of(number).nobody_in();
        self.say(number, |writer| writer.error(&text));
    }

    /// A command whose keys must all live on one shard.
    fn forward_keyed(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            Err(error) => return self.say(number, |writer| writer.error(&error.to_string())),
        };
        match self.shard_of(number, request, &keys) {
            Ok(shard) => self.forward(number, shard, frame(request, whole)),
            Err(_) if self.across_shards(number, spec, request) => {}
            Err([first, stray]) => self.refuse_cross_slot(number, spec, first, stray),
        }
    }

    /// The shard on which all these keys live; otherwise the client has been seen to.
    pub(crate) fn common_shard(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        keys: &[u32],
    ) -> Option<usize> {
        match self.shard_of(number, request, keys) {
            Ok(None) => self.refuse_nobody_in(number),
            Ok(shard) => return shard,
            Err(_) if self.across_shards(number, spec, request) => {}
            Err([first, stray]) => self.refuse_cross_slot(number, spec, first, stray),
        }
        None
    }

    /// The shard on which all these keys live, or two that live apart. Without keys, as EVAL may
    /// be, any shard does.
    fn shard_of<'a>(
        &self,
        number: u32,
        request: &Request<'a>,
        keys: &[u32],
    ) -> Result<Option<usize>, [&'a [u8]; 2]> {
        let Some((&first, rest)) = keys.split_first() else {
            return Ok(self.pool_of(number).any_shard());
        };
        let ring = self.ring_of(number);
        let key = |&position: &u32| request.arg(position as usize);
        let shard = ring.shard(key(&first));
        let stray = rest.iter().map(key).find(|key| ring.shard(key) != shard);
        stray.map_or(Ok(shard), |stray| Err([key(&first), stray]))
    }

    /// SORT reads keys that only its patterns name: each pattern must be pinned to the shard of
    /// the sorted key by a hash tag, unless there is only one shard.
    fn sort(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        match self.stray_pattern(number, request) {
            None => self.forward_keyed(number, spec, request, whole),
            Some(pattern) => self.refuse_pattern(number, spec, request.arg(1), pattern),
        }
    }

    /// The first pattern of a SORT that may name keys of other shards than the sorted key's.
    pub(super) fn stray_pattern<'a>(&self, number: u32, request: &Request<'a>) -> Option<&'a [u8]> {
        let pool = self.pool_of(number);
        let home = pool.ring.shard(request.arg(1));
        let leads_astray = |pattern: &&[u8]| match keys::pinned_part(pattern, pool.config.hash_tag)
        {
            Some(part) => pool.ring.shard(part) != home,
            None => true,
        };
        match pool.config.is_alone() {
            true => None,
            false => keys::patterns(request)
                .iter()
                .map(|&at| request.arg(at as usize))
                .find(leads_astray),
        }
    }

    pub(super) fn refuse_pattern(&mut self, number: u32, spec: &Spec, key: &[u8], pattern: &[u8]) {
        let text = self.pattern_text(number, spec, key, pattern);
        self.say(number, |writer| writer.error(&text));
    }

    pub(super) fn pattern_text(
        &self,
        number: u32,
        spec: &Spec,
        key: &[u8],
        pattern: &[u8],
    ) -> String {
        format!(
            "CROSSSLOT {} cannot use the pattern '{}': the keys it names may live on other shards \
             than '{}'; {}, the pattern's in front of its '*'",
            spec.name.to_ascii_uppercase(),
            shown(pattern),
            shown(key),
            self.tag_remedy(number),
        )
    }

    pub(super) fn refuse_cross_slot(
        &mut self,
        number: u32,
        spec: &Spec,
        first: &[u8],
        stray: &[u8],
    ) {
        let text = self.cross_slot_text(number, spec, first, stray);
        self.say(number, |writer| writer.error(&text));
    }

    pub(super) fn cross_slot_text(
        &self,
        number: u32,
        spec: &Spec,
        first: &[u8],
        stray: &[u8],
    ) -> String {
        format!(
            "CROSSSLOT Keys in request don't hash to the same slot: {} cannot use '{}' and '{}' \
             together because they live on different shards; {}",
            spec.name.to_ascii_uppercase(),
            shown(first),
            shown(stray),
            self.tag_remedy(number),
        )
    }

    /// How keys come to live on one shard.
    fn tag_remedy(&self, number: u32) -> String {
        match self.pool_of(number).config.hash_tag {
            Some([open, close]) => {
                let (open, close) = (char::from(open), char::from(close));
                format!("give them a common hash tag, as in {open}tag{close}:name")
            }
            None => "set hash_tag: \"{}\" for the pool and give them a common hash tag".to_owned(),
        }
    }

    /// Sends a command as it is to all shards; the replies are merged.
    pub(super) fn fan_out(&mut self, number: u32, spec: &'static Spec, request: &Request<'_>) {
        self.fan_out_as(number, merge_kind(spec), request);
    }

    /// Sends a command as it is to all shards; the replies are merged in this way.
    pub(super) fn fan_out_as(&mut self, number: u32, kind: MergeKind, request: &Request<'_>) {
        let shards: Vec<usize> = self.pool_of(number).members().collect();
        if shards.is_empty() {
            return self.refuse_nobody_in(number);
        }
        let merge = Merge::new(kind, shards.len());
        let sequence = self.sessions[number as usize].replies.reserve_merge(Box::new(merge));
        for (part, shard) in shards.into_iter().enumerate() {
            self.send(number, sequence, Part::Of(part as u16), shard, Frame::Small(request.wire()));
        }
    }

    /// The pool that a session talks to.
    #[inline(always)]
    pub(crate) fn pool_of(&self, number: u32) -> &crate::worker::PoolState {
        &self.pools[usize::from(self.sessions[number as usize].pool)]
    }

    /// The ring of the pool that a session talks to.
    #[inline(always)]
    pub(crate) fn ring_of(&self, number: u32) -> &crate::route::ring::Ring {
        &self.pool_of(number).ring
    }
}

/// How the replies of all shards become one, by Redis's response policy. Redis says that without
/// one, arrays of keys are concatenated and other replies are the client's choice.
pub(super) fn merge_kind(spec: &Spec) -> MergeKind {
    match spec.response_policy {
        ResponsePolicy::AggSum => MergeKind::Sum,
        ResponsePolicy::AggMin => MergeKind::Min,
        ResponsePolicy::AggMax => MergeKind::Max,
        ResponsePolicy::AggLogicalAnd => MergeKind::And,
        ResponsePolicy::AggLogicalOr => MergeKind::Or,
        ResponsePolicy::OneSucceeded => MergeKind::OneSucceeded,
        ResponsePolicy::AllSucceeded => MergeKind::AllSucceeded,
        ResponsePolicy::Special => MergeKind::AnyNonNull,
        ResponsePolicy::Concat | ResponsePolicy::Default => MergeKind::Concatenate,
    }
}

/// Whether a line of an HTTP request was taken for a command, as Redis finds it out.
fn is_http(request: &Request<'_>) -> bool {
    [&b"post"[..], b"host:"].iter().any(|line| request.arg(0).eq_ignore_ascii_case(line))
}

/// A key as an error shows it.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[..key.len().min(SHOWN_KEY)]).into_owned()
}

/// Bytes of a key that an error shows.
const SHOWN_KEY: usize = 64;
