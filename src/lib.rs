//! circlet is a sharding proxy for Redis: clients talk to one address, and their keys live on
//! several servers.
//!
//! # One command's way
//!
//! ```text
//!            ┌────────────────────────── worker (a thread) ──────────────────────────┐
//!            │                                                                       │
//!  client ──►│ session ──► resp ──► command ──► route ──► link ──────────────────────┼──► shard
//!            │ (client/)  scanner   table      ring      (shard/)                    │
//!  client ◄──│ session ◄── reply: slots, merge ◄──────── link ◄──────────────────────┼─── shard
//!            │                                                                       │
//!            └──────▲──────────────────────────────────────────────▲─────────────────┘
//!                   │ connections                        health, ring │ failures
//!            ┌──────┴───────────────── control thread ──────────────┴────────────────┐
//!            │ server: listeners        shard::monitor: heartbeats      admin: stats  │
//!            └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Sessions with state (transactions, subscriptions, waiting) leave this way at one branch, in
//! [`client::dispatch`]; commands that take several steps are procedures, beside it.
//!
//! Read [`client`] → [`resp`] → [`command`] → [`route`] → [`shard`] → [`reply`] and you have
//! followed one GET.
//!
//! # Code map
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | listeners, workers, health: the whole proxy, for the program and for embedding |
//! | [`worker`] | one thread with its runtime, sessions and links; batches and flushes |
//! | [`client`] | a client's connection: intake of bytes, dispatch of commands, what is answered here |
//! | [`access`] | who may do what: users and rules, switched commands, protected mode, limits |
//! | [`resp`] | bytes to frames and back: the scanners of commands and replies, the writer |
//! | [`command`] | the command table: key positions, policies, errors in Redis's words |
//! | [`route`] | hash functions, hash tags, distributions, the ring |
//! | [`shard`] | a Redis behind us: link, greeting, heartbeat, health |
//! | [`reply`] | places kept for replies in the order of the commands, and merging |
//! | [`subscription`] | publish and subscribe: who listens to what, what shards were asked for |
//! | [`outbox`], [`socket`], [`tcp`] | bytes that wait to be written, and what they are written to |
//! | [`tls`], [`secret`] | TLS on both sides, certificates read again; what is shown nowhere |
//! | [`config`] | nutcracker.yml, TOML, settings, flags |
//! | [`reload`] | another configuration while circlet serves: what changes, in which order |
//! | [`journal`] | what is written down of single requests: slow log, access log, last errors |
//! | [`admin`] | counters, the stats port, log, signals, the process |
//! | [`compare`], [`survey`] | `circlet compare`; how the command line asks servers that run |
//! | [`commandline`] | `circlet explain`, `ring`, `diff` and `top` |
//! | [`explain`] | why a key lives where it does, and how keys are shared out, as named values |
//! | [`upgrade`] | the end of a process without harm to its clients, and the change to another one |
//! | [`hotkeys`] | which keys are asked for most, and which are big, by looking at some commands |
//! | [`manual`] | the manual page and the shells' completions, made from the flags |
//! | [`demo`] | three shards of our own to try circlet with |
//!
//! # Invariants
//!
//! `docs/invariants.md` says how they are checked: by models over every interleaving that chance
//! or exhaustion finds, and by fuzzing.
//!
//! 1. **A reply goes to the command it answers, or nowhere.** A link pairs by order; what makes
//!    the order doubtful (garbage, a surplus reply) ends the link and fails exactly the requests in
//!    flight on it. A request that times out keeps its place in the order, and a probe behind it tells
//!    whether replies still come to whom they answer. See [`shard::link`].
//! 2. **A session's replies leave in the order of its commands.** See [`reply::slots`].
//! 3. **A request is sent at most once.** Nothing is retried: a write may have happened.
//! 4. **A number of a session is not reused while a link still carries it.** See
//!    [`client::session::Session::is_gone`].
//! 5. **Everything is borrowed within one poll of one task, never across an await.** That is why
//!    a worker needs no lock. See [`worker`].
//! 6. **A link that takes requests leads to a shard that is in.** Health fails the links of a
//!    shard before the ring forgets it. See [`shard::link::Link::takes_requests`].
//! 7. **Ejection moves no key of a live shard.** See [`route::ring`].
//! 8. **Nothing is scanned twice, and nothing is reserved because a peer announced it.** See
//!    [`resp`].
//! 9. **A link of its own comes back clean, or is closed.** What would leave state on a shared link
//!    (WATCH, an open MULTI) or hold it up (BLPOP) travels on a private one, which ends with its
//!    session. See [`worker::PrivateLink`].
//! 10. **A transaction is sent in one piece, or on a private link; never in halves, never twice.**
//!     See [`client::transaction`].
//! 11. **What a session says while its last command is in the works waits.** Several steps, a wait,
//!     a subscription on its way: each is a [`client::session::Pause`] that ends by itself.
//! 12. **A forwarded command asks no other worker.** What workers know of each other
//!     ([`worker::Shared`]) is for CLIENT LIST, PUBLISH's count and their kind.
//! 13. **What was written elsewhere is remembered before it is written.** A record is given up only
//!     when its effect is done, and a key goes home only when nothing that concerns it is in flight.
//!     See [`shard::rejoin`].

pub mod access;
pub mod admin;
pub mod client;
pub mod command;
pub mod commandline;
pub mod compare;
pub mod config;
pub mod demo;
pub mod explain;
pub mod hotkeys;
pub mod journal;
pub mod manual;
pub mod outbox;
pub mod reload;
pub mod reply;
pub mod resp;
pub mod route;
pub mod secret;
pub mod server;
pub mod shard;
pub mod socket;
pub mod subscription;
pub mod survey;
pub mod tcp;
pub mod tls;
pub mod upgrade;
pub mod worker;
