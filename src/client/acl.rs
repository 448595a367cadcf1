//! ACL: users are the shards'; circlet asks and tells them.

use crate::command::Local;
use crate::reply::MergeKind;
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::worker::Worker;

impl Worker {
    /// Sees to the subcommands of ACL that are not simply asked of a shard; false if it is none.
    pub(super) fn acl(&mut self, number: u32, local: Local, request: &Request<'_>) -> bool {
        match local {
            Local::AclWhoAmI => {
                let user = self.user_name(number).to_vec();
                self.say(number, |writer| writer.bulk(&user));
            }
            Local::AclAsk if self.has_accounts(number) => self.about_accounts(number, request),
            Local::AclAsk => {
                let shard = self.pool_of(number).any_shard();
                self.forward(number, shard, Frame::Small(request.wire()));
            }
            Local::AclLog | Local::AclChange if self.has_accounts(number) => {
                self.say(number, |writer| writer.error(OWN_USERS));
            }
            Local::AclLog => self.acl_log(number, request),
            Local::AclChange if self.shards_decide(number) => {
                self.fan_out_as(number, MergeKind::AllSucceeded, request);
            }
            Local::AclChange => self.say(number, |writer| writer.error(NOT_GOVERNED)),
            _ => return false,
        }
        true
    }

    /// The entries of all shards, one shard's after the other's; RESET forgets them everywhere.
    fn acl_log(&mut self, number: u32, request: &Request<'_>) {
        let resets = request.len() == 3 && request.arg(2).eq_ignore_ascii_case(b"reset");
        let kind = if resets { MergeKind::AllSucceeded } else { MergeKind::Concatenate };
        self.fan_out_as(number, kind, request);
    }
}

const OWN_USERS: &str = "ERR this pool's users are those of circlet's configuration, in its keys \
     users and users_file: change them there and restart circlet; there is no log of what they \
     were refused";
const NOT_GOVERNED: &str = "ERR this pool's clients all speak as one user to the shards, so that a \
     change to the shards' users would not concern them; set `auth: shard` for the pool, or send \
     it to each shard itself";
