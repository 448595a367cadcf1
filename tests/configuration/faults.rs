//! What is said of files that do not do.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use circlet::config::{self, Format};
use proptest::prelude::*;

use crate::{faults, parse, with, with_servers, yaml};

#[test]
fn each_bad_input_is_told_with_its_place_and_remedy() {
    let cases = [
        (
            with("timout: 400"),
            "x:4:3: pool alpha, key timout: there is no such key; did you mean timeout?",
        ),
        (
            with("sentinels: x"),
            "x:4:3: pool alpha, key sentinels: there is no such key; `circlet config-reference` \
             lists all keys",
        ),
        (
            with("timeout: soon"),
            "x:4:12: pool alpha, key timeout: \"soon\" is not a duration that serves here; write \
             milliseconds as a decimal integer from 0 to 2147483647, such as 400",
        ),
        (
            with("preconnect: yes"),
            "x:4:15: pool alpha, key preconnect: \"yes\" is not a boolean; write true or false",
        ),
        (
            with("backlog: [1, 2]"),
            "x:4:12: pool alpha, key backlog: a list is no value of this key; write integer, 0 to \
             2147483647",
        ),
        (with("hash: md6"), "x:4:9: pool alpha, key hash: \"md6\" is not known; did you mean md5?"),
        (
            with("hash_tag: \"{\""),
            "x:4:13: pool alpha, key hash_tag: \"{\" has not exactly two characters; write the two \
             delimiters in quotes, such as \"{}\"",
        ),
        (
            with("max_command: 4gb"),
            "x:4:16: pool alpha, key max_command: 4gb is out of range; write bytes, or a number \
             with k, kb, m, mb, g or gb, from 1 to 4294967295",
        ),
        (
            with("redis: true"),
            "x:4:3: pool alpha, key redis: the key is a duplicate of the one at line 3; keep one \
             of them",
        ),
        (
            with_servers(&["a:1:0"]),
            "x:5:6: pool alpha, key servers: the weight is 0; write a weight from 1 to 2147483647 \
             behind the last colon; to take a server out, remove its line",
        ),
        (
            with_servers(&["a:70000:1"]),
            "x:5:6: pool alpha, key servers: \"70000\" is not a port; write a port from 1 to 65535",
        ),
        (
            with_servers(&["a:1:1", "b:1:1", "a:1:2"]),
            "x:7:6: pool alpha, key servers: the server \"a:1\" is a duplicate of line 5; remove \
             one, or give it a name of its own behind its weight",
        ),
        (
            with("").replace("redis: true", "redis: false"),
            "x:3:10: pool alpha, key redis: this is a pool of memcached; circlet speaks Redis \
             only: set redis: true, or leave this pool to twemproxy",
        ),
        (
            with("").replace("redis: true", ""),
            "x:1:1: pool alpha, key redis: the key is missing, which means false, a pool of \
             memcached; circlet speaks Redis only: set redis: true, or leave this pool to twemproxy",
        ),
        (
            "- alpha\n- beta\n".into(),
            "x:1:1: the file is a list, not a mapping of pools; name each pool at the start of a \
             line and indent its keys below it",
        ),
        ("".into(), "x: the file holds no pool; see examples/smallest.yml for one"),
        ("# nothing\n\n".into(), "x: the file holds no pool; see examples/smallest.yml for one"),
        (
            "alpha:\n".into(),
            "x:1:1: pool alpha: the pool is empty; indent at least listen, redis and servers \
             below its name",
        ),
        (
            "alpha:\n\tlisten: 127.0.0.1:1\n".into(),
            "x:2:2: not valid YAML: tabs disallowed within this context (block indentation); \
             indent with spaces, never tabs; one mapping a pool, one `key: value` a line",
        ),
    ];
    for (text, fault) in cases {
        assert_eq!(faults(&text), [fault], "{text}");
    }
}

#[test]
fn pools_may_share_neither_name_nor_address() {
    let beta = with("").replace("alpha", "beta");
    let same_address = faults(&(with("") + &beta));
    let told = "x:8:11: pool beta, key listen: the pool alpha listens there too (line 2); give \
                each pool an address of its own";
    assert_eq!(same_address, [told]);
    let same_name = faults(&(with("") + &with("").replace("22121", "22122")));
    let told =
        "x:7:1: pool alpha: the pool is a duplicate of the one at line 1; give it another name";
    assert_eq!(same_name, [told]);
    let both = yaml(&(with("") + &beta.replace("22121", "22122"))).unwrap();
    assert_eq!(
        both.pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>(),
        ["alpha", "beta"]
    );
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "alpha:\n  listen: nowhere\n  hash: md6\n  servers:\n    - a:1:0\n    - b:99999:1\n\
                beta:\n  timout: 4\n  redis: maybe\n";
    let faults = config::parse(text, Format::Yaml, "x").unwrap_err().0;
    let told: Vec<_> = faults
        .iter()
        .map(|fault| {
            (fault.line.unwrap(), fault.pool.as_deref().unwrap(), fault.key.as_deref().unwrap())
        })
        .collect();
    let expected = [
        (2, "alpha", "listen"),
        (3, "alpha", "hash"),
        (5, "alpha", "servers"),
        (6, "alpha", "servers"),
        (1, "alpha", "redis"),
        (8, "beta", "timout"),
        (9, "beta", "redis"),
        (7, "beta", "listen"),
        (7, "beta", "servers"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| config::load(path).unwrap_err().to_string();
    let missing = folder.path().join("missing.yml");
    assert!(load(&missing).contains("cannot be read: No such file"), "{}", load(&missing));
    assert!(load(folder.path()).contains("this is a directory"), "{}", load(folder.path()));
    let latin1 = folder.path().join("latin1.yml");
    fs::write(&latin1, b"alpha:\n  redis_auth: caf\xe9\n").unwrap();
    assert!(load(&latin1).contains("line 2 is not UTF-8"), "{}", load(&latin1));
    // Reading a process's memory at 0 fails for everybody, also for root.
    let unreadable = Path::new("/proc/self/mem");
    assert!(load(unreadable).contains("the file cannot be read"), "{}", load(unreadable));
}

#[test]
fn hostile_yaml_is_refused_soon() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefghi".chars().zip("bcdefghij".chars()) {
        let aliases = vec![format!("*{from}"); 10].join(", ");
        bomb += &format!("{to}: &{to} [{aliases}]\n");
    }
    let deep = format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let start = Instant::now();
    assert!(faults(&bomb)[0].contains("not valid YAML"), "{:?}", faults(&bomb));
    assert!(faults(&deep)[0].contains("not valid YAML"), "{:?}", faults(&deep));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn hostile_toml_is_refused_soon() {
    let nested = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("a{} = 1\n", ".a".repeat(100_000));
    let tables = format!("[a{}]\n", ".a".repeat(100_000));
    let start = Instant::now();
    for text in [nested, dotted, tables] {
        assert!(!parse(&text, Format::Toml).unwrap_err().is_empty());
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn toml_faults_have_their_places() {
    let toml = "[beta]\nlisten = 5\nredis = true\nservers = ['a:1:0', { a = 1 }]\ntimout = 1\n\
                [alpha]\nredis = 'no'\n";
    let told: Vec<_> = config::parse(toml, Format::Toml, "x")
        .unwrap_err()
        .0
        .iter()
        .map(|fault| format!("{}:{} {}", fault.line.unwrap(), fault.column.unwrap(), fault.wrong))
        .collect();
    let expected = [
        "2:10 \"5\" has no port",
        "4:12 the weight is 0",
        "4:21 a mapping where a server belongs",
        "5:1 there is no such key",
        "7:9 \"no\" is not a boolean",
        "6:2 the key is missing",
        "6:2 the key is missing",
    ];
    assert_eq!(told, expected);
    assert!(parse("[a]\nb = 1\nb = 2\n", Format::Toml).unwrap_err()[0].starts_with("x:3:1:"));
}

#[test]
fn choices_that_are_seldom_meant_are_warned_of() {
    let warnings = |line| config::warnings(&yaml(&(with(line) + "   - b:1:1\n")).unwrap());
    assert!(warnings("hash: crc32")[0].contains("15 bits"));
    assert!(warnings("distribution: random")[0].contains("another server"));
    assert!(warnings("hash: md5").is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fall(
        text in prop_oneof![
            any::<String>(),
            "([a-z&*:{}\\[\\]\"'\n\t -]|alpha|listen|servers|  |: |\n  - |a:1:1|[^\\x00-\\x7f]){0,60}",
        ]
    ) {
        for format in [Format::Yaml, Format::Toml] {
            if let Err(faults) = config::parse(&text, format, "x") {
                prop_assert!(!faults.0.is_empty());
            }
        }
    }
}
