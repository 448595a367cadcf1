//! What one worker has asked one shard for, and who waits until the shard confirms it.
//!
//! ```text
//!   sent:       SUBSCRIBE a b │ UNSUBSCRIBE a │ SUBSCRIBE c
//!   confirmed:  a             │               │             session 7 waits for the third
//! ```
//!
//! A shard confirms each name of each command, in their order.

use std::collections::VecDeque;
use std::rc::Rc;

use super::{Kind, Name};
use crate::resp::write;

/// See the module.
#[derive(Debug, Default)]
pub struct Upstream {
    /// The number of its link, once there was one.
    pub link: Option<u32>,
    /// Whether the link holds, or is about to hold, all that is wanted.
    pub is_up: bool,
    /// Whether a task waits to open it anew.
    pub is_reviving: bool,
    /// Whether a task looks after it from time to time.
    pub is_watched: bool,
    /// Whether the shard has said anything since that task last looked.
    pub was_heard: bool,
    /// Commands ever sent.
    sent: u64,
    /// Those of them that are confirmed or lost.
    confirmed: u64,
    unconfirmed: VecDeque<Sent>,
    /// Sessions, and the command that each waits for.
    waiters: VecDeque<(u64, u32)>,
}

/// A command on its way.
#[derive(Debug)]
pub struct Sent {
    /// Begin or end.
    pub verb: Verb,
    /// Of what.
    pub kind: Kind,
    /// The names in it.
    pub names: Rc<[Name]>,
    /// Confirmations still to come.
    left: usize,
}

/// To begin or to end listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// SUBSCRIBE and its kin.
    Subscribe,
    /// UNSUBSCRIBE and its kin.
    Unsubscribe,
    /// Neither: whether the shard is still there. The kind has no meaning.
    Ping,
}

impl Upstream {
    /// Appends a command with `names` to `out`, and enters it among those to be confirmed.
    pub fn send(&mut self, verb: Verb, kind: Kind, names: &[Name], out: &mut Vec<u8>) {
        let word = word(verb, kind);
        write::array_head_into(out, 1 + names.len());
        write::bulk_into(out, word.as_bytes());
        names.iter().for_each(|name| write::bulk_into(out, name));
        self.sent += 1;
        self.unconfirmed.push_back(Sent { verb, kind, names: names.into(), left: names.len() });
    }

    /// Appends a PING to `out`, and enters it.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        write::command(out, &["PING"]);
        self.sent += 1;
        let (verb, kind) = (Verb::Ping, Kind::Channel);
        self.unconfirmed.push_back(Sent { verb, kind, names: Rc::default(), left: 1 });
    }

    /// Lets `session` wait until all that was sent so far is confirmed; false when it is.
    pub fn wait(&mut self, session: u32) -> bool {
        if self.confirmed == self.sent {
            return false;
        }
        self.waiters.push_back((self.sent, session));
        true
    }

    /// Whether nothing waits to be confirmed.
    pub fn is_heard(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Takes a confirmation of one name; the command when it was its last. `Err` when no such
    /// command was sent.
    pub fn confirm(&mut self, by: &[u8]) -> Result<Option<Sent>, Unexpected> {
        let Some(first) = self.unconfirmed.front_mut() else { return Err(Unexpected) };
        if word(first.verb, first.kind).as_bytes() != by {
            return Err(Unexpected);
        }
        first.left -= 1;
        Ok(if first.left == 0 { self.settle() } else { None })
    }

    /// Takes an error for the oldest command; `None` when none was sent.
    pub fn settle(&mut self) -> Option<Sent> {
        let first = self.unconfirmed.pop_front()?;
        self.confirmed += 1;
        Some(first)
    }

    /// The next session that needs to wait no longer.
    pub fn next_ready(&mut self) -> Option<u32> {
        let (command, session) = *self.waiters.front()?;
        if command > self.confirmed {
            return None;
        }
        self.waiters.pop_front();
        Some(session)
    }

    /// The connection is over: nothing will be confirmed any more. The commands that were not.
    pub fn lose(&mut self) -> VecDeque<Sent> {
        self.is_up = false;
        self.confirmed = self.sent;
        std::mem::take(&mut self.unconfirmed)
    }
}

/// A confirmation of what was not asked for.
#[derive(Debug, PartialEq)]
pub struct Unexpected;

fn word(verb: Verb, kind: Kind) -> &'static str {
    match verb {
        Verb::Subscribe => kind.subscribe(),
        Verb::Unsubscribe => kind.unsubscribe(),
        Verb::Ping => "pong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.as_bytes().into()
    }

    #[test]
    fn waiters_go_on_when_their_command_is_confirmed_whole() {
        let mut upstream = Upstream::default();
        let mut out = Vec::new();
        assert!(!upstream.wait(1), "nothing was sent");
        upstream.send(Verb::Subscribe, Kind::Channel, &[name("a"), name("b")], &mut out);
        assert!(upstream.wait(2));
        upstream.send(Verb::Unsubscribe, Kind::Channel, &[name("a")], &mut out);
        assert!(upstream.wait(3));
        assert!(out.ends_with(b"*2\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n"));
        assert!(matches!(upstream.confirm(b"subscribe"), Ok(None)));
        assert_eq!(upstream.next_ready(), None);
        assert!(matches!(upstream.confirm(b"subscribe"), Ok(Some(_))));
        assert_eq!((upstream.next_ready(), upstream.next_ready()), (Some(2), None));
        assert!(upstream.confirm(b"subscribe").is_err());
        assert!(matches!(upstream.confirm(b"unsubscribe"), Ok(Some(_))));
        assert_eq!(upstream.next_ready(), Some(3));
        assert!(upstream.confirm(b"unsubscribe").is_err());
    }

    #[test]
    fn an_answer_to_ping_confirms_nothing_else() {
        let mut upstream = Upstream::default();
        let mut out = Vec::new();
        upstream.ping(&mut out);
        upstream.send(Verb::Subscribe, Kind::Channel, &[name("a")], &mut out);
        assert!(out.starts_with(b"*1\r\n$4\r\nPING\r\n*2\r\n$9\r\nsubscribe"));
        assert!(upstream.wait(1));
        assert!(upstream.confirm(b"subscribe").is_err());
        assert!(upstream.confirm(b"pong").is_ok());
        assert_eq!(upstream.next_ready(), None);
        assert!(upstream.confirm(b"subscribe").is_ok());
        assert_eq!(upstream.next_ready(), Some(1));
    }

    #[test]
    fn a_lost_link_lets_all_go_on() {
        let mut upstream = Upstream::default();
        upstream.send(Verb::Subscribe, Kind::Pattern, &[name("a")], &mut Vec::new());
        assert!(upstream.wait(2) && upstream.wait(3));
        assert_eq!(upstream.lose().len(), 1);
        assert_eq!([upstream.next_ready(), upstream.next_ready()], [Some(2), Some(3)]);
        assert!(!upstream.wait(4));
    }
}
