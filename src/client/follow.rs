//! Sessions when a reload of the configuration changes who they may be and what they may use up.

use std::sync::Arc;

use super::session::{Pause, Special};
use crate::access::Whose;
use crate::config::Pool;
use crate::worker::Worker;

/// What becomes of a session's user.
enum Standing {
    /// It is who it was, by rules that may be others.
    Stays,
    /// Its user is gone.
    Gone,
}

impl Worker {
    /// The pool's sessions go on by its new users, rules and limits. As with Redis's ACL DELUSER, who
    /// is no user any more is disconnected; who is one stays it, whatever its password is now.
    pub(crate) fn sessions_follow(&mut self, pool: usize, before: &Pool) {
        let of_pool = self
            .sessions
            .iter()
            .filter(|(_, session)| usize::from(session.pool) == pool && session.socket.is_some());
        let numbers: Vec<u32> = of_pool.map(|(number, _)| number as u32).collect();
        let has_new_limits = self.pools[pool].config.limits != before.limits;
        for number in numbers {
            if let Standing::Gone = self.account_follows(number) {
                self.expel_session(number);
                continue;
            }
            self.admit_stranger(number, pool);
            if has_new_limits {
                self.limits_follow(number);
            }
        }
    }

    fn account_follows(&mut self, number: u32) -> Standing {
        let users = self.pool_of(number).config.users.clone();
        let session = &self.sessions[number as usize];
        let named = session.account.as_ref().map(|account| account.name.clone());
        match (users, named) {
            (Some(users), Some(name)) => match users.named(name.as_bytes()) {
                Some(account) => {
                    self.sessions[number as usize].account = Some(Arc::clone(account));
                    self.mark_ruled(number);
                }
                None => return Standing::Gone,
            },
            (Some(_), None) => self.begin_as_default(number),
            (None, Some(name)) if name != "default" => return Standing::Gone,
            (None, _) => {
                self.sessions[number as usize].account = None;
                self.mark_ruled(number);
            }
        }
        Standing::Stays
    }

    /// Nobody stays a stranger where no password is wanted any more.
    fn admit_stranger(&mut self, number: u32, pool: usize) {
        let is_stranger = self.sessions[number as usize].special.has(Special::STRANGER);
        if is_stranger && !self.begins_as_stranger(pool) && !self.is_from_public(number) {
            self.sessions[number as usize].authenticate();
        }
    }

    /// Connections that are there stay, also where there are more than the new limit allows.
    fn limits_follow(&mut self, number: u32) {
        let limits = self.pool_of(number).config.limits;
        let commons = Arc::clone(&self.pool_of(number).commons);
        let now = self.shared.started.elapsed();
        let session = &mut self.sessions[number as usize];
        match limits.user.is_rated() || limits.address.is_rated() {
            true => session.special.set(Special::LIMITED),
            false => session.special.clear(Special::LIMITED),
        }
        let (peer, is_known) = (session.peer_ip(), session.is_authenticated());
        let whose_user = Whose::User(self.user_name(number).into());
        let metered = self.metered(number);
        if limits.address.is_off() {
            metered.address = None;
        } else if let (None, Some(peer)) = (&metered.address, peer) {
            metered.address = commons.meters.attend(Whose::address(peer), NO_LIMIT, now);
        }
        if limits.user.is_off() {
            metered.user = None;
        } else if metered.user.is_none() && is_known {
            metered.user = commons.meters.attend(whose_user, NO_LIMIT, now);
        }
    }

    /// Ends a session whose user is gone, behind the replies to what it has said.
    fn expel_session(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let (pool, client) = (&self.pool_of(number).config.name, session.id);
        tracing::info!(pool, client, "client disconnected: a reload has taken its user away");
        match session.pause {
            Pause::Blocked | Pause::Held => self.end_session(number),
            _ => self.finish_session(number),
        }
    }
}

const NO_LIMIT: u64 = 0;
