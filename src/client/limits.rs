//! How much one user and one address may ask for, and where clients may come from.
//!
//! Sessions of pools with such limits carry [`Special::LIMITED`]. The buckets are shared by all
//! workers; a session holds on to its two.

use std::time::Duration;

use super::session::{Session, Special};
use crate::access::{Attendance, Exceeded, Limit, Whose, origin};
use crate::command::Spec;
use crate::config::Pool;
use crate::resp::Request;
use crate::worker::Worker;

/// The meters that a session is measured by.
#[derive(Debug, Default)]
pub struct Metered {
    pub(super) user: Option<Attendance>,
    pub(super) address: Option<Attendance>,
}

/// Whose limit it is, in the words of the configuration.
#[derive(Clone, Copy)]
enum Party {
    User,
    Address,
}

impl Worker {
    /// Lets a new session in, or tells it why not and closes it.
    pub(crate) fn receive(&mut self, number: u32) {
        self.begin_as_default(number);
        let session = &self.sessions[number as usize];
        let pool = usize::from(session.pool);
        if !self.begins_as_stranger(pool) && self.is_from_public(number) {
            return self.send_off(number, origin::DENIED);
        }
        if self.pools[pool].config.limits.is_off() {
            return;
        }
        let limits = self.pools[pool].config.limits;
        let session = &mut self.sessions[number as usize];
        if limits.user.is_rated() || limits.address.is_rated() {
            session.special.set(Special::LIMITED);
        }
        let peer = session.peer_ip();
        if let Some(peer) = peer.filter(|_| !limits.address.is_off()) {
            let (most, now) = (limits.address.connections, self.shared.started.elapsed());
            match self.pools[pool].commons.meters.attend(Whose::address(peer), most, now) {
                Some(attendance) => {
                    self.metered(number).address = Some(attendance);
                }
                None => {
                    let text = self.too_many(number, Party::Address);
                    return self.send_off(number, &text);
                }
            }
        }
        if let Err(text) = self.attend_as_user(number) {
            self.send_off(number, &text);
        }
    }

    /// Counts the session for the user that it is, once that is known; if there are too many, what
    /// it is to read last.
    pub(super) fn attend_as_user(&mut self, number: u32) -> Result<(), String> {
        let session = &mut self.sessions[number as usize];
        let pool = usize::from(session.pool);
        let limit = self.pools[pool].config.limits.user;
        if limit.is_off() {
            return Ok(());
        }
        if let Some(metered) = &mut session.metered {
            // The one that it was must not stand in its own way.
            metered.user = None;
        }
        if !session.is_authenticated() {
            return Ok(());
        }
        let whose = Whose::User(self.user_name(number).into());
        let now = self.shared.started.elapsed();
        match self.pools[pool].commons.meters.attend(whose, limit.connections, now) {
            Some(attendance) => {
                self.metered(number).user = Some(attendance);
                Ok(())
            }
            None => Err(self.too_many(number, Party::User)),
        }
    }

    /// Whether user and address have not used up what is theirs; otherwise the session has been told
    /// when to come again.
    #[cold]
    pub(super) fn is_within_limits(
        &mut self,
        number: u32,
        spec: Option<&Spec>,
        request: &Request<'_>,
    ) -> bool {
        if !self.sessions[number as usize].special.has(Special::LIMITED) {
            return true;
        }
        let Some(text) = self.exceeded(number, request.wire().len()) else { return true };
        match spec {
            Some(spec) => self.deny(number, spec, &text),
            None => self.say(number, |writer| writer.error(&text)),
        }
        false
    }

    /// Takes a request of `bytes` bytes from what the session may; what it reads if that is used up.
    fn exceeded(&self, number: u32, bytes: usize) -> Option<String> {
        let metered = self.sessions[number as usize].metered.as_ref()?;
        let limits = &self.pool_of(number).config.limits;
        let now = self.shared.started.elapsed();
        let parties = [
            (Party::Address, &metered.address, &limits.address),
            (Party::User, &metered.user, &limits.user),
        ];
        parties.into_iter().find_map(|(party, attendance, limit)| {
            let exceeded = attendance.as_ref()?.meter().take(limit, bytes as u64, now).err()?;
            Some(self.used_up(number, party, limit, exceeded))
        })
    }

    /// Whether a session comes from where a pool without a password lets nobody in.
    pub(super) fn is_from_public(&self, number: u32) -> bool {
        let is_protected = self.pool_of(number).config.protected_mode;
        let peer = || self.sessions[number as usize].peer_ip();
        is_protected && peer().is_some_and(|peer| !origin::is_private(peer))
    }

    /// Tells a session an error and ends it.
    pub(crate) fn send_off(&mut self, number: u32, text: &str) {
        self.say(number, |writer| writer.error(text));
        self.finish_session(number);
    }

    fn too_many(&self, number: u32, party: Party) -> String {
        let config = &self.pool_of(number).config;
        let whom = self.party(number, party);
        let (key, most) = match party {
            Party::User => ("user_connections", config.limits.user.connections),
            Party::Address => ("address_connections", config.limits.address.connections),
        };
        format!(
            "ERR max number of clients reached: {whom} has {most} connections already ({key} of \
             pool '{}'); come again when one of them is closed",
            config.name
        )
    }

    fn used_up(&self, number: u32, party: Party, limit: &Limit, exceeded: Exceeded) -> String {
        let Pool { name, .. } = &*self.pool_of(number).config;
        let whom = self.party(number, party);
        let side = match party {
            Party::User => "user",
            Party::Address => "address",
        };
        let (most, what, wait) = match exceeded {
            Exceeded::Requests(wait) => (limit.requests, "requests", wait),
            Exceeded::Bytes(wait) => (limit.bytes, "bytes", wait),
        };
        let wait = wait.max(Duration::from_millis(1)).as_nanos().div_ceil(1_000_000);
        format!(
            "RATELIMIT {whom} has used up {most} {what} a second ({side}_{what}_per_second of pool \
             '{name}'); come again in {wait} ms"
        )
    }

    fn party(&self, number: u32, party: Party) -> String {
        match party {
            Party::User => format!("user '{}'", String::from_utf8_lossy(self.user_name(number))),
            Party::Address => {
                let peer = self.sessions[number as usize].peer_ip();
                format!("address {}", peer.map_or_else(String::new, |peer| peer.to_string()))
            }
        }
    }

    pub(super) fn metered(&mut self, number: u32) -> &mut Metered {
        self.sessions[number as usize].metered.get_or_insert_default()
    }

    /// Charges a session that is limited for bytes that were written to it.
    #[cold]
    pub(crate) fn charge_bytes(&self, number: u32, bytes: usize) {
        let Some(metered) = &self.sessions[number as usize].metered else { return };
        let (limits, now) = (&self.pool_of(number).config.limits, self.shared.started.elapsed());
        let parties = [(&metered.address, &limits.address), (&metered.user, &limits.user)];
        for (attendance, limit) in parties {
            if let Some(attendance) = attendance {
                attendance.meter().charge(limit, bytes as u64, now);
            }
        }
    }
}

impl Session {
    /// Is counted for nobody any more.
    pub(crate) fn depart(&mut self) {
        self.metered = None;
    }
}
