//! `auth: users`: who a client may be is circlet's own to say. All clients are the same user to the
//! shards.

use std::sync::Arc;

use super::greeting::{NO_PASSWORD_SET, WRONG_PASSWORD};
use super::session::Special;
use crate::access::Account;
use crate::command::{Categories, CommandError, answer, resolve, table};
use crate::resp::{Request, Writer};
use crate::worker::Worker;

impl Worker {
    /// Begins a session as the user called `name`, who has shown by other means than a password
    /// who it is (a client certificate). `Ok(false)` if there is no such user or it is off: then
    /// nothing has changed. An error is what it is to read before it is closed.
    pub fn begin_as(&mut self, number: u32, name: &[u8]) -> Result<bool, String> {
        let users = self.pool_of(number).config.users.clone();
        let named = users.as_ref().and_then(|users| users.named(name));
        match named.filter(|account| account.is_on()) {
            Some(account) => self.take_account(number, Arc::clone(account)).map(|()| true),
            None => Ok(false),
        }
    }

    /// The session is the default user, as all are to begin with.
    pub(super) fn begin_as_default(&mut self, number: u32) {
        if let Some(users) = &self.pool_of(number).config.users {
            let account = Arc::clone(users.default_account());
            self.sessions[number as usize].account = Some(account);
        }
        self.mark_ruled(number);
    }

    /// The session is this user from here on; if the user has too many connections, what it is to
    /// read before it is closed.
    pub(super) fn take_account(
        &mut self,
        number: u32,
        account: Arc<Account>,
    ) -> Result<(), String> {
        let session = &mut self.sessions[number as usize];
        session.account = Some(account);
        session.authenticate();
        self.mark_ruled(number);
        self.attend_as_user(number)
    }

    /// Says OK to a session that has shown who it is, unless there are too many of it.
    pub(super) fn say_ok_or_send_off(&mut self, number: u32, taken: Result<(), String>) {
        match taken {
            Ok(()) => self.say(number, |writer| writer.simple("OK")),
            Err(text) => self.send_off(number, &text),
        }
    }

    /// Marks a session whose commands have to be looked at.
    pub(super) fn mark_ruled(&mut self, number: u32) {
        let switch = &self.pool_of(number).config.commands;
        let by_pool = switch.as_ref().is_some_and(|switch| switch.concerns_forwarded());
        let session = &mut self.sessions[number as usize];
        let by_user = session.account.as_ref().is_some_and(|account| !account.may_everything());
        match by_pool || by_user {
            true => session.special.set(Special::RULED),
            false => session.special.clear(Special::RULED),
        }
    }

    /// The user whose name and password these are, or what the client reads.
    pub(super) fn account_of(
        &self,
        number: u32,
        name: &[u8],
        password: &[u8],
    ) -> Result<Arc<Account>, &'static str> {
        let users = self.pool_of(number).config.users.as_ref();
        let account = users.and_then(|users| users.authenticate(name, password));
        account.map(Arc::clone).ok_or(WRONG_PASSWORD)
    }

    /// `AUTH [username] password`.
    pub(super) fn auth_by_account(&mut self, number: u32, request: &Request<'_>) {
        let users = self.pool_of(number).config.users.as_ref();
        let account = match request.len() {
            2 if users.is_some_and(|users| users.default_account().needs_no_password()) => {
                Err(NO_PASSWORD_SET)
            }
            2 => self.account_of(number, b"default", request.arg(1)),
            3 => self.account_of(number, request.arg(1), request.arg(2)),
            _ => Err("ERR syntax error"),
        };
        match account {
            Ok(account) => {
                let taken = self.take_account(number, account);
                self.say_ok_or_send_off(number, taken);
            }
            Err(text) => self.say(number, |writer| writer.error(text)),
        }
    }

    /// A subcommand of ACL that asks about users.
    pub(super) fn about_accounts(&mut self, number: u32, request: &Request<'_>) {
        let pool = self.pool_of(number);
        let learned = Arc::clone(&pool.learned);
        let Some(users) = pool.config.users.clone() else {
            return;
        };
        let subcommand = request.arg(1).to_ascii_lowercase();
        self.say(number, |writer| match &subcommand[..] {
            b"list" => {
                writer.array(users.all().len());
                users.all().for_each(|account| writer.bulk(account.line().as_bytes()));
            }
            b"users" => {
                writer.array(users.all().len());
                users.all().for_each(|account| writer.bulk(account.name.as_bytes()));
            }
            b"getuser" => match users.named(request.arg(2)) {
                Some(account) => account.describe(writer),
                None => writer.null(),
            },
            b"cat" => categories(request, writer),
            b"genpass" => password(request, writer),
            _ => match users.named(request.arg(2)) {
                Some(account) => dry_run(account, request, &learned, writer),
                None => {
                    let name = String::from_utf8_lossy(request.arg(2));
                    writer.error(&format!("ERR User '{name}' not found"));
                }
            },
        });
    }
}

/// `ACL CAT [category]`.
fn categories(request: &Request<'_>, writer: &mut Writer<'_>) {
    if request.len() == 2 {
        let all = table::all().fold(Categories::default(), |all, spec| all.with(spec.categories));
        writer.array(all.count());
        return all.names().for_each(|name| writer.bulk(name.as_bytes()));
    }
    if request.len() > 3 {
        return wrong_count(request, writer);
    }
    let name = String::from_utf8_lossy(request.arg(2));
    let Some(category) = Categories::from_name(&name) else {
        return writer.error(&format!("ERR Unknown category '{name}'"));
    };
    let of_category: Vec<_> =
        table::all().filter(|spec| spec.categories.contains(category)).collect();
    writer.array(of_category.len());
    of_category.iter().for_each(|spec| writer.bulk(spec.name.as_bytes()));
}

/// `ACL GENPASS [bits]`.
fn password(request: &Request<'_>, writer: &mut Writer<'_>) {
    if request.len() > 3 {
        return wrong_count(request, writer);
    }
    let bits = match request.len() {
        2 => 256,
        _ => match super::local::integer(request.arg(2)) {
            None => return writer.error("ERR value is not an integer or out of range"),
            Some(bits @ 1..=MOST_BITS) => bits as usize,
            Some(_) => return writer.error(BITS),
        },
    };
    let mut random = [0; MOST_BITS as usize / 8];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()) {
        Ok(count) if count == random.len() => {
            let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            writer.bulk(&digits.as_bytes()[..bits.div_ceil(4)]);
        }
        _ => writer.error("ERR the system has no random numbers to give; try again"),
    }
}

/// `ACL DRYRUN username command [arg …]`.
fn dry_run(
    account: &Account,
    request: &Request<'_>,
    learned: &crate::command::Learned,
    writer: &mut Writer<'_>,
) {
    let (bytes, spans) = answer::inner(request, 3);
    let asked = Request::new(&bytes, &spans);
    let resolved = match resolve(&asked) {
        Err(error @ CommandError::WrongArity(_)) => Err(error),
        Err(error) => learned.resolve(&asked).unwrap_or(Err(error)),
        known => known,
    };
    let spec = match resolved {
        Ok(spec) => spec,
        Err(error @ CommandError::WrongArity(_)) => {
            return writer.error(&String::from_utf8_lossy(&error.text(&asked)));
        }
        Err(_) => {
            let name = String::from_utf8_lossy(asked.arg(0)).into_owned();
            return writer.error(&format!("ERR Command '{name}' not found"));
        }
    };
    match account.check(spec, &asked) {
        Ok(()) => writer.simple("OK"),
        Err(denied) => writer.bulk(&denied.told(spec, &asked)),
    }
}

fn wrong_count(request: &Request<'_>, writer: &mut Writer<'_>) {
    let name = String::from_utf8_lossy(request.arg(1));
    writer.error(&format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP."
    ));
}

const MOST_BITS: i64 = 4096;
const BITS: &str = "ERR ACL GENPASS argument must be the number of bits for the output password, a \
     positive number up to 4096";
