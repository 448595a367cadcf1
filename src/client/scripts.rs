//! Scripts and functions: run on the shard of their keys, known to all.

use bytes::Bytes;

use super::intake::frame;
use super::split::positions;
use crate::command::{Script, Spec};
use crate::reply::slots::Frame;
use crate::resp::{Request, write};
use crate::shard::link::{Part, Pending};
use crate::shard::scripts::{Loaded, ScriptCache, Sha, parse_sha};
use crate::worker::Worker;

impl Worker {
    /// A command of the group "scripting".
    pub(crate) fn script(
        &mut self,
        number: u32,
        spec: &'static Spec,
        script: Script,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        match script {
            _ if script.runs() => self.run_script(number, spec, script, request, whole),
            Script::Flush | Script::DeleteLibrary | Script::FlushLibraries => {
                self.forget(number, script, request);
                self.fan_out(number, spec, request);
            }
            _ => self.administer_scripts(number, script, request),
        }
    }

    fn run_script(
        &mut self,
        number: u32,
        spec: &'static Spec,
        script: Script,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        if script == Script::RunLoaded && request.arg(1).len() != SHA_DIGITS {
            // Redis looks at it before it counts the keys.
            return self.say(number, |writer| writer.error(NO_SCRIPT));
        }
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            // It is an error in any case; which one depends on whether there is the function.
            Err(_) if script == Script::Call => Default::default(),
            Err(error) => return self.say(number, |writer| writer.error(&error.to_string())),
        };
        let Some(shard) = self.common_shard(number, spec, request, &keys) else { return };
        let part = self.prepare_script(number, shard, script, request.arg(1));
        let sequence = self.sessions[number as usize].replies.reserve();
        self.send(number, sequence, part, shard, frame(request, whole));
    }

    /// Gives `shard` what a script that runs there next needs, and remembers what it brings; `name`
    /// is the command's first argument. Says how the reply is to be taken.
    pub(super) fn prepare_script(
        &mut self,
        number: u32,
        shard: usize,
        script: Script,
        name: &[u8],
    ) -> Part {
        match script {
            Script::RunLoaded => {
                if parse_sha(name).is_some_and(|sha| self.ensure_script(number, shard, sha)) {
                    return Part::Script;
                }
            }
            Script::Call => self.ensure_libraries(number, shard),
            _ => self.remember_script(number, name),
        }
        Part::Whole
    }

    /// EVAL makes its script known, as in one Redis.
    pub(crate) fn remember_script(&mut self, number: u32, body: &[u8]) {
        let pool = usize::from(self.sessions[number as usize].pool);
        let state = &mut self.pools[pool];
        state.seen_scripts.see(body, &state.commons.scripts);
    }

    /// Loads a script that circlet keeps into `shard` before the session's next command there,
    /// unless that was done over the same connection; whether the shard should know it now.
    pub(crate) fn ensure_script(&mut self, number: u32, shard: usize, sha: Sha) -> bool {
        let flushes = self.scripts_of(number).flushes();
        if let Some(loaded) = self.loaded(number, shard)
            && loaded.has(&sha, flushes)
        {
            return true;
        }
        let Some(body) = self.scripts_of(number).body(&sha) else { return false };
        self.load(number, shard, Part::ScriptLoaded, &[b"SCRIPT", b"LOAD", &body]);
        if let Some(loaded) = self.loaded(number, shard) {
            loaded.add(sha, flushes);
        }
        true
    }

    /// Loads the libraries that circlet keeps into `shard` before the session's next command
    /// there, unless that was done over the same connection. A shard that has one keeps its own.
    pub(crate) fn ensure_libraries(&mut self, number: u32, shard: usize) {
        let version = self.scripts_of(number).libraries.version();
        let known = self.loaded(number, shard).map_or(0, |loaded| loaded.libraries);
        if known == version {
            return;
        }
        for code in self.scripts_of(number).libraries.all() {
            self.load(number, shard, Part::Unclaimed, &[b"FUNCTION", b"LOAD", &code]);
        }
        if let Some(loaded) = self.loaded(number, shard) {
            loaded.libraries = version;
        }
    }

    fn load(&mut self, number: u32, shard: usize, part: Part, words: &[&[u8]]) {
        let mut command = Vec::with_capacity(words.iter().map(|word| word.len() + 32).sum());
        write::command(&mut command, words);
        self.send(number, 0, part, shard, Frame::Small(&command));
    }

    /// What was loaded over the connection that the session's commands to `shard` take; `None`
    /// while there is none.
    fn loaded(&mut self, number: u32, shard: usize) -> Option<&mut Loaded> {
        let session = &self.sessions[number as usize];
        let link = self.pools[usize::from(session.pool)].link(session, shard)?;
        let link = &mut *self.links[link as usize];
        link.takes_requests().then_some(&mut link.loaded)
    }

    /// The scripts of the session's pool.
    pub(super) fn scripts_of(&self, number: u32) -> &ScriptCache {
        &self.pool_of(number).commons.scripts
    }

    /// Forgets before the shards are told to: what is loaded from here on is meant to stay.
    fn forget(&self, number: u32, script: Script, request: &Request<'_>) {
        let scripts = self.scripts_of(number);
        let is_mode =
            |mode: &[u8]| [&b"async"[..], b"sync"].iter().any(|m| mode.eq_ignore_ascii_case(m));
        let is_flush = request.len() == 2 || (request.len() == 3 && is_mode(request.arg(2)));
        match script {
            Script::DeleteLibrary => scripts.libraries.forget(request.arg(2)),
            Script::FlushLibraries if is_flush => scripts.libraries.clear(),
            Script::Flush if is_flush => scripts.flush(),
            _ => {}
        }
    }

    /// A reply to EVALSHA of a script that its shard should know.
    #[cold]
    pub(crate) fn script_answered(&mut self, pending: Pending, frame: Frame<'_>) {
        if frame.bytes().starts_with(b"-NOSCRIPT") {
            self.doubt_scripts(pending.session);
        }
        self.answer(pending.session, pending.sequence, frame);
    }

    /// A reply to a script that circlet loaded itself.
    #[cold]
    pub(crate) fn script_loaded(&mut self, pending: Pending, frame: &Frame<'_>) {
        if frame.bytes().starts_with(b"-") {
            self.doubt_scripts(pending.session);
        }
    }

    /// A shard does not know what was loaded into it: somebody flushed its scripts behind our back.
    fn doubt_scripts(&mut self, number: u32) {
        let pool = usize::from(self.sessions[number as usize].pool);
        for (_, link) in self.links.iter_mut().filter(|(_, link)| link.pool == pool) {
            link.loaded = Loaded::default();
        }
    }
}

/// Hexadecimal digits of a script's name.
const SHA_DIGITS: usize = 40;
/// Redis's own words.
const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";
