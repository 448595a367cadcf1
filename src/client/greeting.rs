//! HELLO and AUTH: who the client is, and which RESP it speaks.

use std::sync::Arc;

use super::cluster;
use super::local::{bad_name, integer, is_name};
use crate::resp::{Protocol, Request, Writer};
use crate::shard::connect::{Identity, User};
use crate::worker::Worker;

/// The options of HELLO.
#[derive(Default)]
struct Hello<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

/// What HELLO changes, apart from the user.
struct Settled {
    protocol: Option<Protocol>,
    name: Option<Vec<u8>>,
}

impl Hello<'_> {
    fn settled(&self) -> Settled {
        Settled { protocol: self.protocol, name: self.name.map(<[u8]>::to_vec) }
    }
}

impl Worker {
    /// `HELLO [protover [AUTH username password] [SETNAME name]]`; nothing changes unless all of
    /// it is right.
    pub(crate) fn hello(&mut self, number: u32, request: &Request<'_>) {
        let hello = match parse(request) {
            Ok(hello) => hello,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        // What follows travels on other links: it must not overtake what the session sent before.
        let protocol = self.sessions[number as usize].protocol;
        let turns = hello.credentials.is_some() || hello.protocol.is_some_and(|to| to != protocol);
        if turns && !self.is_drained(number) {
            return;
        }
        if let Some((name, password)) = hello.credentials
            && self.shards_decide(number)
        {
            let user = User { name: name.to_vec(), password: password.into() };
            let settled = hello.settled();
            let auth: [&[u8]; 3] = [b"AUTH", name, password];
            return self.authenticate_by_shard(number, user, &auth, move |worker, number, user| {
                let reply = worker.settle(number, settled, Some(user))?;
                worker.authenticated_or_closing(number).map(|()| reply)
            });
        }
        let account = match hello.credentials {
            Some((name, password)) if self.has_accounts(number) => {
                match self.account_of(number, name, password) {
                    Ok(account) => Some(account),
                    Err(text) => return self.say(number, |writer| writer.error(text)),
                }
            }
            _ => None,
        };
        let admitted = match hello.credentials {
            _ if account.is_some() => Ok(true),
            Some((user, password)) => self.credentials_fit(number, user, password),
            None => Ok(self.may_greet(number)),
        };
        match admitted {
            Ok(true) => {}
            Ok(false) => return self.say(number, |writer| writer.error(HELLO_NEEDS_AUTH)),
            Err(text) => return self.say(number, |writer| writer.error(text)),
        }
        let user = self.identity_of(number).user.clone();
        match self.settle(number, hello.settled(), user) {
            Ok(reply) => {
                let taken = match account {
                    Some(account) => self.take_account(number, account),
                    None if hello.credentials.is_some() => self.authenticated(number),
                    None => Ok(()),
                };
                match taken {
                    Ok(()) => self.say(number, |writer| writer.raw(&reply)),
                    Err(text) => self.send_off(number, &text),
                }
            }
            Err(text) => self.say(number, |writer| writer.error(&text)),
        }
    }

    /// Does what an admitted HELLO asks for; its reply.
    fn settle(
        &mut self,
        number: u32,
        hello: Settled,
        user: Option<Arc<User>>,
    ) -> Result<Vec<u8>, String> {
        let protocol = hello.protocol.unwrap_or(self.sessions[number as usize].protocol);
        let identity = Identity { protocol, user, ..self.identity_of(number).clone() };
        self.change_identity(number, identity)?;
        let session = &mut self.sessions[number as usize];
        if let Some(name) = hello.name {
            session.about.get_or_insert_default().name = name;
        }
        let mut reply = Vec::new();
        let id = session.id;
        let mode = cluster::mode(&self.pool_of(number).config);
        introduce(&mut Writer::new(&mut reply, protocol), id, mode);
        Ok(reply)
    }

    /// `AUTH [username] password`.
    pub(crate) fn auth(&mut self, number: u32, request: &Request<'_>) {
        if self.has_accounts(number) {
            return self.auth_by_account(number, request);
        }
        if self.shards_decide(number) && matches!(request.len(), 2 | 3) {
            return self.auth_by_shard(number, request);
        }
        let wants_password = self.pool_of(number).config.redis_auth.is_some();
        let (user, password): (&[u8], &[u8]) = match request.len() {
            2 if !wants_password => {
                return self.say(number, |writer| writer.error(NO_PASSWORD_SET));
            }
            2 => (b"default", request.arg(1)),
            3 => (request.arg(1), request.arg(2)),
            _ => return self.say(number, |writer| writer.error("ERR syntax error")),
        };
        match self.credentials_fit(number, user, password) {
            Ok(_) => {
                let taken = self.authenticated(number);
                self.say_ok_or_send_off(number, taken);
            }
            Err(text) => self.say(number, |writer| writer.error(text)),
        }
    }

    /// Whether user and password are the pool's. Without `redis_auth` the default user needs no
    /// password and takes any, as in Redis.
    fn credentials_fit(
        &self,
        number: u32,
        user: &[u8],
        password: &[u8],
    ) -> Result<bool, &'static str> {
        let expected = &self.pool_of(number).config.redis_auth;
        let fits =
            user == b"default" && expected.as_ref().is_none_or(|expected| expected.is(password));
        if fits { Ok(true) } else { Err(WRONG_PASSWORD) }
    }
}

fn parse<'a>(request: &Request<'a>) -> Result<Hello<'a>, String> {
    let mut hello = Hello::default();
    if request.len() == 1 {
        return Ok(hello);
    }
    hello.protocol = Some(match integer(request.arg(1)) {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        Some(_) => return Err("NOPROTO unsupported protocol version".into()),
        None => return Err("ERR Protocol version is not an integer or out of range".into()),
    });
    let mut index = 2;
    while index < request.len() {
        let left = request.len() - index - 1;
        match &request.arg(index).to_ascii_lowercase()[..] {
            b"auth" if left >= 2 => {
                hello.credentials = Some((request.arg(index + 1), request.arg(index + 2)));
                index += 3;
            }
            b"setname" if left >= 1 => {
                let name = request.arg(index + 1);
                if !is_name(name) {
                    return Err(bad_name("Client names"));
                }
                hello.name = Some(name);
                index += 2;
            }
            _ => {
                let option = String::from_utf8_lossy(request.arg(index)).into_owned();
                return Err(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
    }
    Ok(hello)
}

/// The reply to HELLO: to its clients circlet is one Redis.
fn introduce(writer: &mut Writer<'_>, id: u64, mode: &str) {
    let protocol = writer.protocol().number();
    writer.map(7);
    writer.bulk(b"server");
    writer.bulk(b"redis");
    writer.bulk(b"version");
    writer.bulk(REDIS_VERSION.as_bytes());
    writer.bulk(b"proto");
    writer.integer(protocol);
    writer.bulk(b"id");
    writer.integer(id as i64);
    writer.bulk(b"mode");
    writer.bulk(mode.as_bytes());
    writer.bulk(b"role");
    writer.bulk(b"master");
    writer.bulk(b"modules");
    writer.array(0);
}

/// The version of Redis whose commands and replies circlet's own answers follow.
pub const REDIS_VERSION: &str = "7.0.15";

pub(super) const WRONG_PASSWORD: &str =
    "WRONGPASS invalid username-password pair or user is disabled.";
pub(super) const NO_PASSWORD_SET: &str = "ERR AUTH <password> called without any password configured for the \
     default user. Are you sure your configuration is correct?";
const HELLO_NEEDS_AUTH: &str = "NOAUTH HELLO must be called with the client already authenticated, \
     otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and \
     select the RESP protocol version at the same time";
