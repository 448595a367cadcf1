//! `circlet compare`: beside Debian's nutcracker over real shards, does it find that both agree, and
//! where they do not, which line of the file it is?

use std::fs;
use std::process::{Command, Output};

use crate::harness::{CIRCLET, Circlet, Nutcracker, Proxy, Reply, Shard, pool_yaml, say};

mod unasked;

/// nutcracker over three shards, and a folder for the files that circlet is to serve with.
struct Fleet {
    shards: Vec<Shard>,
    nutcracker: Proxy,
}

impl Fleet {
    /// nutcracker's pool has these settings.
    fn with(settings: &str) -> Fleet {
        let shards = Shard::several(3);
        let text = pool_yaml("pool", &lines(&shards), settings);
        Fleet { nutcracker: Nutcracker::with_config(&text), shards }
    }

    /// Keys of all kinds, through nutcracker.
    fn fill(&self, count: usize) {
        let mut client = self.nutcracker.client();
        let keys = (0..count).map(|number| match number % 3 {
            0 => format!("plain:{number}"),
            1 => format!("tag{{{number}}}:rest"),
            _ => format!("été:{number}"),
        });
        let sets: Vec<Vec<String>> =
            keys.map(|key| vec!["SET".to_owned(), key, "value".to_owned()]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == Reply::ok()));
    }

    /// Compares with what nutcracker's own file says, changed: from one text to another.
    fn compare(&self, changes: &[(&str, &str)], arguments: &[&str]) -> Compared {
        let mut text = self.nutcracker.config_text();
        for (from, to) in changes {
            assert!(text.contains(from), "no {from} in\n{text}");
            text = text.replace(from, to);
        }
        let file = self.nutcracker.directory().join(format!("{}.yml", fastrand::u64(..)));
        fs::write(&file, text).expect("a file in our own directory");
        let file = file.display().to_string();
        compare(&[&["-c", &file, "--keys", "600"], arguments].concat())
    }

    /// All that the shards hold.
    fn sizes(&self) -> Vec<i64> {
        self.shards.iter().map(|shard| say(&mut shard.client(), "DBSIZE").integer()).collect()
    }
}

fn lines(shards: &[Shard]) -> Vec<String> {
    let names = ["s1", "s2", "s3"];
    shards.iter().zip(names).map(|(shard, name)| shard.server(1, Some(name))).collect()
}

struct Compared {
    agrees: bool,
    report: String,
}

impl Compared {
    #[track_caller]
    fn says(&self, parts: &[&str]) -> &Compared {
        for part in parts {
            assert!(self.report.contains(part), "no \"{part}\" in\n{}", self.report);
        }
        self
    }
}

#[track_caller]
fn compare(arguments: &[&str]) -> Compared {
    let output = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let report = text(&output.stdout) + &text(&output.stderr);
    Compared { agrees: output.status.code() == Some(0), report }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(CIRCLET);
    command.arg("compare").args(arguments).env_remove("REDISCLI_AUTH");
    command.output().expect("circlet starts")
}

#[test]
fn they_agree_whatever_the_file_says_and_nothing_is_written() {
    for settings in [
        "",
        "hash: md5\nhash_tag: \"{}\"",
        "hash: crc16\ndistribution: modula",
        "hash: murmur\nhash_tag: \"||\"\ndistribution: modula",
        "hash: hsieh",
        "hash: jenkins\nhash_tag: \"{}\"",
    ] {
        let fleet = Fleet::with(settings);
        fleet.fill(900);
        let before = fleet.sizes();
        let compared = fleet.compare(&[], &[]);
        assert!(compared.agrees, "{settings}:\n{}", compared.report);
        compared.says(&["660 keys compared with the file: all agree", "nothing was written"]);
        assert_eq!(fleet.sizes(), before);
    }
}

#[test]
fn the_line_that_differs_is_named() {
    let fleet = Fleet::with("hash: md5\nhash_tag: \"{}\"");
    fleet.fill(900);
    let differs = |change: (&str, &str), parts: &[&str]| {
        let compared = fleet.compare(&[change], &[]);
        assert!(!compared.agrees, "{change:?}:\n{}", compared.report);
        compared.says(&["disagree", "the proxy looks on", "cause: "]).says(parts);
    };
    differs(("  hash_tag: \"{}\"\n", ""), &["`hash_tag: \"{}\"` (the file has no `hash_tag`)"]);
    differs(("hash: md5", "hash: fnv1a_64"), &["`hash: md5` (the file has fnv1a_64)"]);
    differs((" s2\n", " other\n"), &["to or from other"]);
    differs((":1 s3", ":4 s3"), &["the weight 1 for s3 (the file has 4)"]);
    let swapped = fleet.compare(&[(" s2\n", " s9\n"), (" s1\n", " s2\n"), (" s9\n", " s1\n")], &[]);
    swapped.says(&["each other's places", "s1 at s2, s2 at s1"]);
}

#[test]
fn a_circlet_that_runs_is_compared_too() {
    let fleet = Fleet::with("hash: murmur");
    let with = |settings| Circlet::with_config(&pool_yaml("pool", &lines(&fleet.shards), settings));
    let against = |circlet: &Proxy| {
        let address = circlet.address().to_string();
        fleet.compare(&[], &["--circlet", &address])
    };
    let (same, other) = (with("hash: murmur"), with("hash: md5"));
    let agreeing = against(&same);
    assert!(agreeing.agrees, "{}", agreeing.report);
    agreeing.says(&[&format!("600 keys compared with circlet at {}: all agree", same.address())]);
    let differing = against(&other);
    assert!(!differing.agrees);
    differing.says(&["with the file: all agree", "that circlet runs another file"]);
}

#[test]
fn keys_that_lie_where_nobody_looks_are_told_as_such() {
    let fleet = Fleet::with("");
    fleet.fill(30);
    let mut copies = 0;
    for shard in &fleet.shards {
        copies += say(&mut shard.client(), "SETNX plain:0 old").integer();
    }
    assert_eq!(copies, 2);
    let compared = fleet.compare(&[], &[]);
    assert!(compared.agrees, "{}", compared.report);
    compared.says(&["2 keys lie on a shard where the proxy does not look", "\"plain:0\""]);
}

#[test]
fn writing_leaves_nothing_behind() {
    let fleet = Fleet::with("hash: md5");
    fleet.fill(30);
    let before = fleet.sizes();
    let agreeing = fleet.compare(&[], &["--write"]);
    assert!(agreeing.agrees, "{}", agreeing.report);
    agreeing.says(&["600 made up, written through the proxy and removed", "all agree"]);
    let differing = fleet.compare(&[("hash: md5", "hash: hsieh")], &["--write"]);
    differing.says(&["`hash: md5` (the file has hsieh)"]);
    assert_eq!(fleet.sizes(), before);
}
