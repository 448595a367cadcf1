//! The clients of a pool as the admin address lists them: those with the most of something first,
//! and never more than asked for, however many there are.

use std::cmp::Reverse;

use crate::command::table;
use crate::worker::Worker;

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its number (CLIENT ID).
    pub id: u64,
    /// Where it connects from.
    pub address: String,
    /// What it calls itself; any bytes.
    pub name: Vec<u8>,
    /// The user it speaks as; any bytes.
    pub user: Vec<u8>,
    /// Seconds since it connected.
    pub age: u64,
    /// Seconds since it was heard last.
    pub idle: u32,
    /// Its database.
    pub db: u32,
    /// Commands that it got a place for a reply for, modulo 2³².
    pub commands: u32,
    /// Bytes read from it.
    pub read: u64,
    /// Bytes written to it.
    pub written: u64,
    /// The name of its last command.
    pub last: &'static str,
}

/// What clients are ordered by; the most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Commands.
    #[default]
    Commands,
    /// Bytes read and written.
    Bytes,
    /// How long it is connected.
    Age,
    /// How long it has said nothing.
    Idle,
}

impl Order {
    /// The order of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "commands" => Some(Self::Commands),
            "bytes" => Some(Self::Bytes),
            "age" => Some(Self::Age),
            "idle" => Some(Self::Idle),
            _ => None,
        }
    }

    /// What of `client` counts.
    pub fn rank(self, client: &Client) -> u64 {
        match self {
            Self::Commands => u64::from(client.commands),
            Self::Bytes => client.read.wrapping_add(client.written),
            // The numbers are given out in the order of arrival.
            Self::Age => u64::MAX - client.id,
            Self::Idle => u64::from(client.idle),
        }
    }
}

/// Sorts clients and keeps the first `most`.
pub fn first(mut clients: Vec<Client>, order: Order, most: usize) -> Vec<Client> {
    clients.sort_unstable_by_key(|client| (Reverse(order.rank(client)), client.id));
    clients.truncate(most);
    clients
}

impl Worker {
    /// The first `most` of this worker's clients of a pool.
    pub fn roll(&self, pool: usize, order: Order, most: usize) -> Vec<Client> {
        let of_pool = self
            .sessions
            .iter()
            .filter(|(_, session)| usize::from(session.pool) == pool && session.socket.is_some());
        let mut ranked: Vec<(u64, u32)> =
            of_pool.map(|(number, _)| (self.rank(number as u32, order), number as u32)).collect();
        if ranked.len() > most {
            ranked.select_nth_unstable_by_key(most, |&(rank, _)| Reverse(rank));
            ranked.truncate(most);
        }
        ranked.into_iter().map(|(_, number)| self.client(number)).collect()
    }

    /// As [`Order::rank`], without a copy of all that is shown.
    fn rank(&self, number: u32, order: Order) -> u64 {
        let session = &self.sessions[number as usize];
        match order {
            Order::Commands => u64::from(session.replies.next_sequence()),
            Order::Bytes => session.read.wrapping_add(session.written),
            Order::Age => u64::MAX - session.id,
            Order::Idle => u64::from(self.seconds.saturating_sub(session.heard_at)),
        }
    }

    fn client(&self, number: u32) -> Client {
        let session = &self.sessions[number as usize];
        Client {
            id: session.id,
            address: session.addresses().0,
            name: session.about.as_ref().map(|about| about.name.clone()).unwrap_or_default(),
            user: self.user_name(number).to_vec(),
            age: session.since.elapsed().as_secs(),
            idle: self.seconds.saturating_sub(session.heard_at),
            db: session.db,
            commands: session.replies.next_sequence(),
            read: session.read,
            written: session.written,
            last: table::all()
                .find(|spec| spec.id == session.last_command)
                .map_or("", |spec| spec.name),
        }
    }
}
