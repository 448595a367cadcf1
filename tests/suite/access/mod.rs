//! Who may do what: users of circlet's own, commands that a pool switches off, protected mode, and
//! limits of users and addresses.

mod enforced;
mod limits;
mod protected;
mod switched;
mod told;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, pool_yaml, raw, say};

/// Circlet with users of its own over shards that know of none, beside one Redis with these users.
struct Scene {
    shards: Vec<Shard>,
    single: Shard,
    proxy: Proxy,
}

impl Scene {
    fn with(users: &[&str], settings: &str) -> Scene {
        let mut shards = Shard::several(4);
        let single = shards.remove(3);
        let mut admin = single.client();
        for user in users {
            assert_eq!(say(&mut admin, &format!("ACL SETUSER {user}")), Reply::ok(), "{user}");
        }
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let listed: Vec<String> = users.iter().map(|user| format!("\"{user}\"")).collect();
        let settings = format!("users: [{}]\nhash_tag: \"{{}}\"\n{settings}", listed.join(", "));
        let text = pool_yaml("pool", &servers, &settings);
        let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
        Scene { shards, single, proxy }
    }

    /// Both give the same bytes to each line, in both versions of RESP. A line that begins with
    /// `>` is sent to both and read by nobody.
    #[track_caller]
    fn same(&self, lines: &[&str]) {
        for hello in ["HELLO 2", "HELLO 3"] {
            let (mut ours, mut theirs) = (self.proxy.client(), self.single.client());
            for line in lines {
                let line = line.replace("HELLO", hello);
                let (one, other) = (raw(&mut ours, &line), raw(&mut theirs, &line));
                match line.starts_with("HELLO") && !other.starts_with('-') {
                    true => assert_eq!(one[..2], other[..2], "{line}"),
                    false => assert_eq!(one, other, "{line} ({hello})"),
                }
            }
        }
    }
}

#[track_caller]
fn refusal(client: &mut Client, line: &str) -> String {
    let reply = say(client, line);
    reply.error().unwrap_or_else(|| panic!("{line} is not refused: {reply}")).to_owned()
}
