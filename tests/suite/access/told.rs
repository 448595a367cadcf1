//! What ACL tells of the users: the same as one Redis with these users.

use super::{Scene, raw, refusal, say};
use crate::every_command::examples;
use crate::harness::Reply;

/// Users whose rules differ in everything that rules can say.
const USERS: &[&str] = &[
    "ann on >secret ~* &* +@all",
    "bob on nopass ~cache:* %R~k* %W~w* &news:* +@read +@write -@dangerous +config|get",
    "carl on >x %R~* resetchannels +@all -@admin +debug|object",
    "dora off >y allkeys allchannels +get +set -set",
    "eve on >a >b <a ~l* ~z* ~s* ~h* +@list +@sortedset +@stream +@hash +select|0",
    "fay on >z (~k* +get) (%W~w* +set &ch*) ~a* +mget +publish",
    "gus on nopass ~* &ch &ch? +@pubsub +@transaction +@connection",
    "hal on nopass %W~* +@all -keys -@scripting",
    "ivy on nopass %RW~k ~s +@string +@set +@geo +@bitmap +@hyperloglog +@keyspace",
    "jim on nopass ~* &* nocommands +@slow -@blocking",
    "kai on nopass ~* &* +@fast +@scripting -eval",
    "lea on nopass ~* reset on nopass ~a +acl +client -client|kill",
];

#[test]
fn every_example_is_allowed_to_whom_redis_allows_it() {
    let scene = Scene::with(USERS, "");
    let (mut ours, mut theirs) = (scene.proxy.client(), scene.single.client());
    // Redis 7.0 counts such keys modulo 2^32 here, and refuses the command itself in any case.
    let overflows = |word: &String| word.parse::<i64>().is_ok_and(|it| i32::try_from(it).is_err());
    let examples: Vec<_> =
        examples().into_iter().filter(|words| !words.iter().any(overflows)).collect();
    let names: Vec<&str> = USERS.iter().filter_map(|user| user.split(' ').next()).collect();
    let mut refused = 0;
    for name in names {
        let dry_run = |words: &Vec<String>| {
            let start = ["ACL", "DRYRUN", name].map(str::to_owned);
            start.into_iter().chain(words.iter().cloned()).collect::<Vec<String>>()
        };
        let commands: Vec<_> = examples.iter().map(dry_run).collect();
        let replies = ours.pipeline(&commands).into_iter().zip(theirs.pipeline(&commands));
        for (command, (one, other)) in commands.iter().zip(replies) {
            refused += usize::from(matches!(other, Reply::Bulk(_)));
            assert_eq!(one, other, "{command:?}");
        }
    }
    assert!(refused > 1000, "only {refused} were refused");
}

#[test]
fn users_are_described_as_redis_describes_them() {
    let scene =
        Scene::with(&["ann on >secret ~a* %R~b &c ( ~x +@all )", "bob off +@all", "carl"], "");
    scene.same(&[
        "ACL LIST",
        "ACL USERS",
        "ACL GETUSER ann",
        "ACL GETUSER bob",
        "ACL GETUSER default",
        "ACL GETUSER nobody",
        "ACL WHOAMI",
        "ACL CAT",
        "ACL CAT nothing",
        "ACL CAT a b",
        "ACL GENPASS 0",
        "ACL GENPASS -5",
        "ACL GENPASS x",
        "ACL GENPASS 4097",
        "ACL GENPASS 1 2",
        "ACL DRYRUN nobody get x",
        "ACL DRYRUN ann nothing",
        "ACL DRYRUN ann get",
        "ACL DRYRUN ann config nothing",
        "ACL DRYRUN ann config",
        "ACL DRYRUN ann",
        "AUTH ann secret",
        "ACL WHOAMI",
    ]);
    let mut client = scene.proxy.client();
    assert_eq!(say(&mut client, "ACL GENPASS 10").bytes().len(), 3);
    let one = raw(&mut client, "ACL GENPASS");
    assert!(one.len() == 5 + 64 + 2 && one != raw(&mut client, "ACL GENPASS"), "{one}");
    let of = |client: &mut crate::harness::Client| {
        let mut names: Vec<_> = say(client, "ACL CAT scripting").elements().to_vec();
        names.sort_by_key(ToString::to_string);
        names
    };
    let (ours, theirs) = (of(&mut client), of(&mut scene.single.client()));
    assert!(theirs.iter().all(|name| ours.contains(name)), "{ours:?}");
}

#[test]
fn users_are_changed_in_the_configuration_alone() {
    let scene = Scene::with(&["ann on nopass"], "");
    let mut client = scene.proxy.client();
    for line in ["ACL SETUSER ann on", "ACL DELUSER ann", "ACL LOAD", "ACL SAVE", "ACL LOG"] {
        let text = refusal(&mut client, line);
        assert!(text.contains("users and users_file"), "{line}: {text}");
    }
    for shard in &scene.shards {
        assert_eq!(say(&mut shard.client(), "ACL USERS").elements().len(), 1);
    }
}
