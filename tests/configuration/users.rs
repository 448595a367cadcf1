//! Users and switched commands: what is told of lines that do not do.

use std::fs;

use circlet::config::{self, Auth};

use crate::{faults, only_pool, with, yaml};

/// The one fault of a pool with this user.
fn fault_of(user: &str) -> String {
    let told = faults(&with(&format!("users: [\"{user}\"]")));
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

#[test]
fn each_bad_rule_is_told_with_pool_user_rule_and_remedy() {
    let start = "x:4:11: pool alpha, key users: ";
    for (user, told) in [
        (
            "ann on +gte",
            "user ann, rule +gte: Unknown command or category name in ACL; did you mean +get?",
        ),
        (
            "ann -@raed",
            "user ann, rule -@raed: Unknown command or category name in ACL; did you mean -@read?",
        ),
        (
            "ann +config|gett",
            "user ann, rule +config|gett: Unknown command or category name in ACL; did you mean \
             +config|get?",
        ),
        (
            "ann +qqqqqqqq",
            "user ann, rule +qqqqqqqq: Unknown command or category name in ACL; write a command or \
             @category that ACL CAT tells; a module's has a dot in its name",
        ),
        (
            "ann ~* ~x",
            "user ann, rule ~x: Adding a pattern after the * pattern (or the 'allkeys' flag) is \
             not valid and does not have any effect. Try 'resetkeys' to start with an empty list \
             of patterns; write resetkeys in front of it, or leave it out",
        ),
        (
            "ann #abc",
            "user ann, rule #abc: The password hash must be exactly 64 characters and contain only \
             lowercase hexadecimal characters; write what `printf %s PASSWORD | sha256sum` prints",
        ),
        (
            "ann <secret",
            "user ann, rule <: The password you are trying to remove from the user does not exist; \
             leave the rule out",
        ),
        (
            "ann +config|get|x",
            "user ann, rule +config|get|x: Allowing first-arg of a subcommand is not supported; \
             write the subcommand alone, as in +config|get",
        ),
        (
            "ann (~x +get",
            "user ann: Unmatched parenthesis in acl selector starting at '(~x +get'; close it with )",
        ),
        ("~x on", "a user has no name; write it first, as in `alice on ~cache:* +@read`"),
    ] {
        assert_eq!(fault_of(user), format!("{start}{told}"));
    }
    for user in ["ann on all", "ann %X~k", "ann %~k", "ann +get|", "ann (on)", "ann %R"] {
        assert!(fault_of(user).contains(": Syntax error; write a rule"), "{user}");
    }
    let twice = faults(&with("users: [\"ann on\", \"user ann off\"]"));
    assert_eq!(
        twice,
        ["x:4:21: pool alpha, key users: the user ann is written twice; keep one of \
                       the two lines"]
    );
}

#[test]
fn a_file_of_users_is_told_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.acl");
    fs::write(&file, "# ours\nuser ann on +get\n\nuser bob +gte\nuser carl off\nuser ann on\n")
        .unwrap();
    let (text, file) = (with(&format!("users_file: {}", file.display())), file.display());
    assert_eq!(
        faults(&text),
        [
            format!(
                "{file}:4: pool alpha, key users_file: user bob, rule +gte: Unknown command or \
                 category name in ACL; did you mean +get?"
            ),
            format!(
                "{file}:6: pool alpha, key users_file: the user ann is written twice; keep one of \
                 the two lines"
            ),
        ]
    );
    let missing = faults(&with("users_file: /nonexistent/users"));
    assert!(
        missing[0]
            .starts_with("x:4:15: pool alpha, key users_file: /nonexistent/users cannot be read")
    );
}

#[test]
fn users_and_auth_must_agree() {
    assert_eq!(
        faults(&with("auth: users")),
        ["x:4:9: pool alpha, key auth: auth: users without users; write users or users_file"]
    );
    for auth in ["pool", "shard"] {
        let told = faults(&with(&format!("users: [\"ann on\"]\n  auth: {auth}")));
        assert!(told[0].ends_with("write auth: users"), "{told:?}");
    }
    let pool = only_pool(&with("users: [\"ann on nopass ~* +@all\"]"));
    assert_eq!(pool.who_decides(), Auth::Users);
    assert!(!pool.wants_authentication(), "the default user needs no password, as in Redis");
    assert!(only_pool(&with("users: [\"default off\"]")).wants_authentication());
}

#[test]
fn no_password_is_shown_and_plain_ones_are_warned_of() {
    let config = yaml(&with("users: [\"ann on >s3cret ~* +@all\", \"bob on ~* +@all\"]")).unwrap();
    let warnings = config::warnings(&config);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("pool alpha: user ann: a password stands in the file"));
    assert!(warnings[1].starts_with("pool alpha: user bob is on and has no password"));
    assert!(warnings[2].contains("no line for `default`"));
    let shown = format!("{config:?} {warnings:?}");
    assert!(
        !shown.contains("s3cret")
            && !shown.contains("1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0")
    );
    let told = fault_of("ann on >s3cret nonsense");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn rules_for_commands_that_cannot_be_switched_are_told() {
    let start = "x:4:13: pool alpha, key commands: ";
    for (rules, told) in [
        (
            "-flushal",
            "rule -flushal: Unknown command or category name in ACL; did you mean -flushall?",
        ),
        (
            "-keys ~x",
            "rule ~x: Syntax error; write commands with + or - in front, such as `-flushall -keys \
             -config|set +debug`",
        ),
        (
            "+replicaof",
            "rule +replicaof: circlet cannot serve this command: REPLICAOF would make a shard \
             another server's copy and lose its keys; send it to that shard itself; leave the rule \
             out",
        ),
    ] {
        assert_eq!(faults(&with(&format!("commands: \"{rules}\""))), [format!("{start}{told}")]);
    }
    for rules in ["é", "+", "@", "+é|", "-|", "+debug|", "all"] {
        assert_eq!(faults(&with(&format!("commands: \"{rules}\""))).len(), 1, "{rules}");
        assert!(!fault_of(&format!("ann {rules}")).is_empty(), "{rules}");
    }
    let concerns = |rules: &str| {
        let pool = only_pool(&with(&format!("commands: \"{rules}\"")));
        pool.commands.unwrap().concerns_forwarded()
    };
    assert!(!concerns("-flushall -flushdb -keys -config|set +debug -publish"));
    assert!(
        concerns("-get")
            && concerns("-@dangerous")
            && concerns("-@all +get")
            && concerns("-json.set")
    );
}
