//! SCRIPT and FUNCTION subcommands that take more than a merge of all shards' replies.

use bytes::Bytes;

use super::procedure::Steps;
use crate::command::Script;
use crate::reply::frame::{bulk, is_error};
use crate::reply::slots::Frame;
use crate::resp::reply::elements;
use crate::resp::{Request, write};
use crate::shard::link::Part;
use crate::shard::scripts::{Libraries, parse_sha};
use crate::worker::Worker;

type Replies = Vec<(usize, Bytes)>;

impl Worker {
    /// Loads, looks for, kills.
    #[cold]
    pub(super) fn administer_scripts(
        &mut self,
        number: u32,
        script: Script,
        request: &Request<'_>,
    ) {
        let wire = request.wire().to_vec();
        let args: Vec<Bytes> = request.args().skip(2).map(Bytes::copy_from_slice).collect();
        self.run_procedure(number, async move |steps| {
            let replies = match script {
                Script::Kill | Script::Stats => steps.ask_all_apart(&wire).await,
                _ => steps.ask_all(&wire).await,
            };
            if replies.is_empty() {
                let text = steps.with(|worker, number| worker.pool_of(number).nobody_in());
                return steps.reply(|writer| writer.error(&text));
            }
            match script {
                Script::Load => load(&steps, &args, &replies),
                Script::Exists => exists(&steps, &args, &replies),
                Script::Kill => kill(&replies),
                Script::LoadLibrary => load_library(&steps, &args, &replies),
                Script::RestoreLibraries => restore_libraries(&steps, &replies).await,
                _ => stats(&replies),
            }
        });
    }
}

/// SCRIPT LOAD: one shard that has taken it is enough, the others get it when they need it.
fn load(steps: &Steps, args: &[Bytes], replies: &Replies) -> Vec<u8> {
    let Some(taken) = replies.iter().map(|(_, reply)| reply).find(|reply| !is_error(reply)) else {
        return all_succeeded(replies);
    };
    if let (Some(sha), Some(body)) = (bulk(taken).and_then(parse_sha), args.first()) {
        steps.with(|worker, number| worker.scripts_of(number).keep(sha, body, true));
    }
    taken.to_vec()
}

/// SCRIPT EXISTS: a script exists if EVALSHA would find it, wherever its keys lead. One that
/// circlet saw in EVAL alone may be no script at all: some shard must have taken it.
fn exists(steps: &Steps, args: &[Bytes], replies: &Replies) -> Vec<u8> {
    let tables: Vec<Vec<bool>> = replies
        .iter()
        .filter(|(_, reply)| !is_error(reply))
        .filter_map(|(_, reply)| elements(reply))
        .map(|elements| elements.map(|known| known == b":1\r\n").collect())
        .collect();
    let answers: Option<Vec<bool>> = (0..args.len())
        .map(|index| {
            let mut told = tables.iter().map(|table| table.get(index) == Some(&true));
            let kept = parse_sha(&args[index]).and_then(|sha| {
                steps.with(|worker, number| worker.scripts_of(number).is_proven(&sha))
            });
            match kept {
                Some(true) => Some(true),
                Some(false) => Some(told.any(|known| known)),
                None if tables.len() < replies.len() => None,
                None => Some(told.all(|known| known)),
            }
        })
        .collect();
    match answers {
        None => all_succeeded(replies),
        Some(answers) => steps.reply(|writer| {
            writer.array(answers.len());
            answers.into_iter().for_each(|known| writer.integer(i64::from(known)));
        }),
    }
}

/// SCRIPT KILL, FUNCTION KILL: of several errors, that of a shard which runs something.
fn kill(replies: &Replies) -> Vec<u8> {
    let mut frames = replies.iter().map(|(_, reply)| reply);
    let killed = frames.clone().find(|reply| !is_error(reply));
    let failed = frames.find(|reply| !reply.starts_with(b"-NOTBUSY"));
    killed.or(failed).map_or_else(|| all_succeeded(replies), |reply| reply.to_vec())
}

fn load_library(steps: &Steps, args: &[Bytes], replies: &Replies) -> Vec<u8> {
    let taken = replies.iter().find_map(|(_, reply)| bulk(reply));
    if let (Some(name), Some(code)) = (taken, args.last()) {
        steps.with(|worker, number| worker.scripts_of(number).libraries.keep(name, code));
    }
    all_succeeded(replies)
}

/// FUNCTION RESTORE: what it brought the shards tell.
async fn restore_libraries(steps: &Steps, replies: &Replies) -> Vec<u8> {
    if let Some((shard, _)) = replies.iter().find(|(_, reply)| !is_error(reply)) {
        let mut question = Vec::new();
        write::command(&mut question, &[&b"FUNCTION"[..], b"LIST", b"WITHCODE"]);
        let list = steps.ask(*shard, &question).await;
        steps.with(|worker, number| keep_all(&worker.scripts_of(number).libraries, &list));
    }
    all_succeeded(replies)
}

fn keep_all(libraries: &Libraries, list: &[u8]) {
    for library in elements(list).into_iter().flatten() {
        let mut fields = elements(library).into_iter().flatten();
        let (mut name, mut code) = (None, None);
        while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
            match bulk(field) {
                Some(b"library_name") => name = bulk(value),
                Some(b"library_code") => code = bulk(value),
                _ => {}
            }
        }
        if let (Some(name), Some(code)) = (name, code) {
            libraries.keep(name, code);
        }
    }
}

/// FUNCTION STATS: of a shard that runs something, if one does.
fn stats(replies: &Replies) -> Vec<u8> {
    let runs = |reply: &&Bytes| {
        let running = elements(reply).and_then(|mut fields| fields.nth(1));
        running.is_some_and(|script| elements(script).is_some())
    };
    let frames = || replies.iter().map(|(_, reply)| reply);
    let told = frames().find(runs).or_else(|| frames().find(|reply| !is_error(reply)));
    told.map_or_else(|| all_succeeded(replies), |reply| reply.to_vec())
}

impl Steps {
    /// As [`Self::ask_all`], on links of their own: a shard in the middle of a script reads no
    /// further from the link that the script came on.
    async fn ask_all_apart(&self, request: &[u8]) -> Replies {
        let members: Vec<usize> =
            self.with(|worker, number| worker.pool_of(number).members().collect());
        let asked: Vec<_> =
            members.iter().map(|&shard| (shard, self.ask_apart(shard, request))).collect();
        let mut replies = Vec::with_capacity(asked.len());
        for (shard, reply) in asked {
            let reply = match reply {
                Ok(reply) => reply.await.unwrap_or(Bytes::from_static(super::procedure::GONE)),
                Err(text) => self.reply(|writer| writer.error(&text)).into(),
            };
            replies.push((shard, reply));
        }
        self.with(|worker, number| worker.return_loans(number));
        replies
    }

    fn ask_apart(
        &self,
        shard: usize,
        request: &[u8],
    ) -> Result<tokio::sync::oneshot::Receiver<Bytes>, String> {
        self.with(|worker, number| {
            let link = worker.lend_to_ask(number, shard)?;
            let (asker, reply) = tokio::sync::oneshot::channel();
            let place = worker.askers.insert(asker) as u32;
            worker.send_on(link, number, place, Part::Asked, Frame::Small(request));
            Ok(reply)
        })
    }
}

/// The first error, or else the first reply.
fn all_succeeded(replies: &Replies) -> Vec<u8> {
    let failed = replies.iter().find(|(_, reply)| is_error(reply));
    failed.or(replies.first()).map_or_else(Vec::new, |(_, reply)| reply.to_vec())
}
