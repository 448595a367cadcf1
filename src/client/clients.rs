//! CLIENT: what a client tells of itself, and what it asks about the others of its pool, whichever
//! workers they are with.

use super::filter::{Filter, Listed, SYNTAX};
use super::session::{About, Session};
use super::users::Right;
use crate::command::Local;
use crate::resp::{Request, Writer};
use crate::worker::Worker;

impl Worker {
    /// Sees to a subcommand of CLIENT, or MONITOR; false if it is none.
    pub(super) fn client_command(
        &mut self,
        number: u32,
        local: Local,
        request: &Request<'_>,
    ) -> bool {
        match local {
            Local::ClientId => {
                let id = self.sessions[number as usize].id as i64;
                self.say(number, |writer| writer.integer(id));
            }
            Local::ClientGetName => self.client_name(number),
            Local::ClientSetName => {
                self.set_about(number, "Client names", request.arg(2), |about| &mut about.name);
            }
            Local::ClientSetInfo => self.set_info(number, request),
            Local::ClientInfo => {
                let line = self.describe(number, request.wire().len()) + "\n";
                self.say(number, |writer| writer.verbatim(&line));
            }
            Local::ClientList => self.client_list(number, request),
            Local::ClientKill => self.client_kill(number, request),
            Local::ClientReply => self.client_reply(number, request),
            Local::ClientPause => self.client_pause(number, request),
            Local::ClientUnpause => self.client_unpause(number),
            Local::ClientNoEvict => self.switch(number, request, |about| &mut about.no_evict),
            Local::ClientNoTouch => self.switch(number, request, |about| &mut about.no_touch),
            Local::ClientTracking => self.tracking(number, request),
            Local::ClientTrackingInfo => self.say(number, tracking_info),
            Local::ClientCaching => self.say(number, |writer| writer.error(NOT_TRACKING)),
            Local::ClientGetRedir => self.say(number, |writer| writer.integer(-1)),
            Local::Monitor => self.monitor(number),
            _ => return false,
        }
        true
    }

    fn client_name(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let name = session.about.as_ref().map(|about| about.name.clone());
        self.say(number, |writer| match name {
            Some(name) if !name.is_empty() => writer.bulk(&name),
            _ => writer.null(),
        });
    }

    fn set_info(&mut self, number: u32, request: &Request<'_>) {
        let value = request.arg(3);
        match &request.arg(2).to_ascii_lowercase()[..] {
            b"lib-name" => self.set_about(number, "lib-name", value, |about| &mut about.library),
            b"lib-ver" => {
                self.set_about(number, "lib-ver", value, |about| &mut about.library_version);
            }
            _ => {
                let option = String::from_utf8_lossy(request.arg(2));
                let text = format!("ERR Unrecognized option '{option}'");
                self.say(number, |writer| writer.error(&text));
            }
        }
    }

    /// `ON` or `OFF` of something that is only remembered.
    fn switch(
        &mut self,
        number: u32,
        request: &Request<'_>,
        field: impl FnOnce(&mut About) -> &mut bool,
    ) {
        let Some(on) = on_or_off(request.arg(2)) else {
            return self.say(number, |writer| writer.error(SYNTAX));
        };
        *field(self.sessions[number as usize].about.get_or_insert_default()) = on;
        self.say(number, |writer| writer.simple("OK"));
    }

    fn client_list(&mut self, number: u32, request: &Request<'_>) {
        let listed = match Listed::parse(request) {
            Ok(listed) => listed,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        let session = &self.sessions[number as usize];
        let (pool, asker) = (usize::from(session.pool), (session.id, request.wire().len()));
        let shared = self.shared.clone();
        self.run_procedure(number, |steps| async move {
            if let Err(refusal) = steps.permitted(Right::List).await {
                return refusal;
            }
            let question = listed.clone();
            let told = shared.ask_all(move |worker| worker.lines(pool, &question, asker)).await;
            let mut lines: Vec<(u64, String)> = told.into_iter().flatten().collect();
            lines.sort_unstable_by_key(|(id, _)| *id);
            let text = in_order(&lines, &listed);
            steps.reply(|writer| writer.verbatim(&text))
        });
    }

    /// The lines of this worker's sessions with `pool`, each with the session's id. The one that
    /// asks has that id and used so many bytes to ask.
    fn lines(&self, pool: usize, listed: &Listed, asker: (u64, usize)) -> Vec<(u64, String)> {
        let asked = |session: &Session| if session.id == asker.0 { asker.1 } else { 0 };
        self.sessions
            .iter()
            .filter(|(_, session)| usize::from(session.pool) == pool && session.socket.is_some())
            .filter(|(_, session)| listed.meets(session))
            .map(|(number, session)| {
                (session.id, self.describe(number as u32, asked(session)) + "\n")
            })
            .collect()
    }

    /// `CLIENT KILL address`, or `CLIENT KILL option value …`.
    fn client_kill(&mut self, number: u32, request: &Request<'_>) {
        let by_address = request.len() == 3;
        let filter = match by_address {
            true => Ok(Filter::of_address(request.arg(2))),
            false => Filter::parse(request).and_then(|filter| self.know_user(number, filter)),
        };
        let filter = match filter {
            Ok(filter) => filter,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        let session = &self.sessions[number as usize];
        let (pool, me) = (usize::from(session.pool), session.id);
        let shared = self.shared.clone();
        self.run_procedure(number, |steps| async move {
            if let Err(refusal) = steps.permitted(Right::Kill).await {
                return refusal;
            }
            if let Some(user) = &filter.user
                && let Err(refusal) = steps.knows_user(user).await
            {
                return refusal;
            }
            let kill = move |worker: &mut Worker| worker.kill(pool, &filter, me);
            let killed: usize = shared.ask_all(kill).await.into_iter().sum();
            steps.reply(|writer| match (by_address, killed) {
                (true, 0) => writer.error("ERR No such client"),
                (true, _) => writer.simple("OK"),
                (false, killed) => writer.integer(killed as i64),
            })
        });
    }

    /// Refuses to look for clients of a user that cannot exist.
    fn know_user(&self, number: u32, filter: Filter) -> Result<Filter, String> {
        let users = self.pool_of(number).config.users.as_ref();
        let is_known = |user: &[u8]| users.is_some_and(|users| users.named(user).is_some());
        match &filter.user {
            Some(user) if user != b"default" && !self.shards_decide(number) && !is_known(user) => {
                Err(format!("ERR No such user '{}'", String::from_utf8_lossy(user)))
            }
            _ => Ok(filter),
        }
    }

    /// Ends the sessions that `filter` means and returns how many; the one that asks gets its
    /// reply first.
    fn kill(&mut self, pool: usize, filter: &Filter, me: u64) -> usize {
        let meant: Vec<(u32, u64)> = self
            .sessions
            .iter()
            .filter(|(_, session)| usize::from(session.pool) == pool && session.socket.is_some())
            .filter(|(_, session)| !(filter.skip_me && session.id == me))
            .filter(|(number, session)| filter.meets(session, self.user_name(*number as u32)))
            .map(|(number, session)| (number as u32, session.id))
            .collect();
        for &(number, id) in &meant {
            match id == me {
                true => self.finish_session(number),
                false => self.end_session(number),
            }
        }
        meant.len()
    }
}

/// The lines by id, or as they were asked for.
fn in_order(lines: &[(u64, String)], listed: &Listed) -> String {
    let Listed::Ids(ids) = listed else {
        return lines.iter().map(|(_, line)| &line[..]).collect();
    };
    let line_of = |id: &u64| {
        let found = lines.binary_search_by_key(id, |(id, _)| *id);
        found.ok().map(|index| &lines[index].1[..])
    };
    ids.iter().filter_map(line_of).collect()
}

fn on_or_off(word: &[u8]) -> Option<bool> {
    match &word.to_ascii_lowercase()[..] {
        b"on" => Some(true),
        b"off" => Some(false),
        _ => None,
    }
}

fn tracking_info(writer: &mut Writer<'_>) {
    writer.map(3);
    writer.bulk(b"flags");
    writer.set(1);
    writer.bulk(b"off");
    writer.bulk(b"redirect");
    writer.integer(-1);
    writer.bulk(b"prefixes");
    writer.array(0);
}

const NOT_TRACKING: &str = "ERR CLIENT CACHING can be called only when the client is in tracking \
     mode with OPTIN or OPTOUT mode enabled";
