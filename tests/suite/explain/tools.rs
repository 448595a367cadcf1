//! `circlet explain`, `ring`, `diff` and `top`, as they are run.

use std::fs;
use std::process::{Command, Output};

use circlet::config::{Format, parse};
use circlet::route::Ring;
use tempfile::TempDir;

use super::told::explain;
use crate::admin::with_admin;
use crate::harness::{CIRCLET, Circlet, Reply, Shard, pool_yaml};

fn run(arguments: &[&str]) -> Output {
    Command::new(CIRCLET).args(arguments).output().expect("it is built")
}

#[track_caller]
fn told(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

fn yaml(servers: &[String], settings: &str) -> String {
    pool_yaml("pool", servers, settings).replace("{port:pool}", "22121")
}

/// Two files in one folder.
fn files(old: &str, new: &str) -> (TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file in our own folder");
        path.display().to_string()
    };
    let (old, new) = (path("old.yml", old), path("new.yml", new));
    (folder, old, new)
}

fn unreachable(names: &[(&str, u32)]) -> Vec<String> {
    names.iter().map(|(name, weight)| format!("127.0.0.1:1:{weight} {name}")).collect()
}

#[test]
fn explain_says_what_proxy_explain_says() {
    let shards = Shard::several(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, "hash_tag: \"{}\""));
    let file = proxy.config_file().display().to_string();
    let mut client = proxy.client();
    for key in ["user:{7}:x", "a"] {
        let text = told(&["explain", "-c", &file, "--pool", "pool", key]);
        let field = |name: &str| {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name));
            let value = line.unwrap_or_else(|| panic!("no {name}: {text}"))[name.len()..].trim();
            value.replace('-', "")
        };
        let over_resp = explain(&mut client, &[key]);
        for name in ["key", "hash_tag", "hash", "point", "home", "shard", "place", "if_ejected"] {
            assert_eq!(field(name), over_resp.text(name).replace('-', ""), "{name}: {text}");
        }
    }
    let wrong = refused(&["explain", "-c", &file, "--pool", "nosuch", "a"]);
    assert!(wrong.contains("has no pool 'nosuch'; --pool takes pool"), "{wrong}");
    assert!(refused(&["explain", "-c", &file]).contains("<KEY>"));
    assert!(refused(&["explain", "-c", "/nosuch.yml", "a"]).contains("/nosuch.yml"));
}

#[test]
fn ring_is_a_table_or_a_drawing() {
    let text = yaml(&unreachable(&[("a", 1), ("b&c", 3)]), "distribution: modula");
    let (folder, file, _) = files(&text, &text);
    let table = told(&["ring", "-c", &file]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "pool pool: 2 shards, modula, fnv1a_64, peak-to-mean 1.00");
    assert!(
        lines[2].starts_with("a ") && lines[2].ends_with("1       1  25.00 %    25.00 %"),
        "{table}"
    );
    assert!(lines[3].ends_with("3       3  75.00 %    75.00 %"), "{table}");
    let drawing = told(&["ring", "-c", &file, "--svg"]);
    assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"), "{drawing}");
    assert_eq!(drawing.matches("<path ").count(), 2);
    assert!(drawing.contains("b&amp;c 75.00 %"), "{drawing}");
    let target = folder.path().join("ring.svg").display().to_string();
    assert_eq!(told(&["ring", "-c", &file, "--svg", &target]), "");
    assert_eq!(fs::read_to_string(target).expect("it was written"), drawing);
    assert!(refused(&["ring", "-c", &file, "--svg", "/nosuch/x.svg"]).contains("/nosuch/x.svg"));
}

#[test]
fn diff_tells_the_part_that_counted_keys_move() {
    let old = unreachable(&[("a", 1), ("b", 1), ("c", 2)]);
    let new = unreachable(&[("a", 1), ("b", 2), ("c", 2), ("d", 1)]);
    for (settings, others) in [
        ("hash: md5", "hash: md5"),
        ("hash: murmur\ndistribution: modula", "hash: murmur\ndistribution: modula"),
        ("hash: md5", "hash: md5\ndistribution: rendezvous"),
        ("hash: md5", "hash: jenkins"),
    ] {
        let (old, new) = (yaml(&old, settings), yaml(&new, others));
        let (_folder, old_file, new_file) = files(&old, &new);
        let text = told(&["diff", &old_file, &new_file]);
        let share = part_of(text.split("pool pool: ").nth(1).expect(&text));
        let ring = |text: &str| {
            let pool = parse(text, Format::Yaml, "test").expect("it is valid").pools.remove(0);
            (Ring::new(&pool), pool)
        };
        let ((old, old_pool), (new, new_pool)) = (ring(&old), ring(&new));
        let is_moved = |key: &String| {
            let (from, to) = (old.shard(key.as_bytes()), new.shard(key.as_bytes()));
            let name = |pool: &circlet::config::Pool, shard: Option<usize>| {
                pool.servers[shard.expect("all are in")].name.clone()
            };
            name(&old_pool, from) != name(&new_pool, to)
        };
        let moved = (0..100_000).map(|n| format!("key:{n}")).filter(is_moved).count();
        let counted = moved as f64 / 1_000.0;
        assert!((share - counted).abs() < 0.6, "{share} told, {counted} counted: {text}");
    }
    let (_folder, same, _) = files(&yaml(&old, ""), "");
    assert!(told(&["diff", &same, &same]).starts_with("pool pool: 0.00 % of all keys move"));
    assert!(refused(&["diff", &same]).contains("<NEW>"));
}

/// `25.01 % …` → 25.01.
fn part_of(text: &str) -> f64 {
    let digits = text.split(' ').next().expect("a word");
    digits.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

#[test]
fn diff_looks_at_real_keys() {
    let shards = Shard::several(3);
    let server = |shard: &Shard, name: &str| shard.server(1, Some(name));
    let old = vec![server(&shards[0], "a"), server(&shards[1], "b")];
    let new = [&old[..], &[server(&shards[2], "c")]].concat();
    let settings = "hash: md5";
    let proxy = Circlet::with_config(&pool_yaml("pool", &old, settings));
    let mut client = proxy.client();
    for start in (0..3_000).step_by(100) {
        let words: Vec<String> =
            (start..start + 100).flat_map(|n| [format!("key:{n}"), "v".repeat(100)]).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        client.command(&[&["MSET"][..], &words].concat());
    }
    let (_folder, old_file, new_file) = files(&yaml(&old, settings), &yaml(&new, settings));
    let text = told(&["diff", &old_file, &new_file, "--scan", "100000", "--bytes"]);
    // Written through the new ring, as many are on c as were said to move.
    let larger = Circlet::with_config(&pool_yaml("pool", &new, settings));
    let mut client = larger.client();
    for n in 0..3_000 {
        client.send(&crate::harness::encode(&["SET", &format!("key:{n}"), "w"]));
    }
    (0..3_000).for_each(|_| assert_eq!(client.read_reply(), Reply::ok()));
    let Reply::Integer(moved) = shards[2].client().command(&["DBSIZE"]) else { panic!("no size") };
    assert!(moved > 500, "{moved}");
    let count = format!("{},{:03}", moved / 1000, moved % 1000);
    let count = count.trim_start_matches("0,").to_owned();
    let expected =
        format!("pool pool: {count} of 3,000 keys looked at move; of all 3,000 about {count}, ");
    assert!(text.contains(&expected), "{expected}\n{text}");
    assert!(text.contains(" bytes") && text.contains("a     c "), "{text}");
    let part = told(&["diff", &old_file, &new_file, "--sample", "500"]);
    assert!(part.contains("keys looked at move; of all 3,000 about "), "{part}");
    shards[0].kill9();
    let gone = refused(&["diff", &old_file, &new_file, "--scan"]);
    assert!(gone.contains("pool pool: shard a ("), "{gone}");
}

#[test]
fn top_prints_one_table_where_there_is_no_terminal() {
    let shards = Shard::several(2);
    let (proxy, port) = with_admin(&[&shards[0], &shards[1]], "hash: md5");
    let mut client = proxy.client();
    client.command(&["SET", "a", "1"]);
    let stats = proxy.stats_address().to_string();
    for address in [format!("127.0.0.1:{port}"), stats] {
        let text = told(&["top", &address, "--once"]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("circlet ") && lines[0].contains(&address), "{text}");
        assert!(lines[2].starts_with("pool pool: 1 clients, "), "{text}");
        assert!(lines[3].contains("requests/s  errors/s  in flight"), "{text}");
        for shard in &shards {
            let name = shard.address().to_string();
            assert!(lines.iter().any(|line| line.starts_with(&name)), "{text}");
        }
    }
    let free = crate::harness::free_port();
    let nobody = refused(&["top", &format!("127.0.0.1:{free}"), "--once"]);
    assert!(nobody.contains("is this circlet's admin address"), "{nobody}");
    let other = refused(&["top", &shards[0].address().to_string(), "--once"]);
    assert!(other.contains("neither an admin address nor statistics"), "{other}");
}

/// On a terminal of its own, which python3 has: it draws, sees a new size, and ends at `q`, leaving
/// the terminal as it was.
#[test]
fn top_on_a_terminal_draws_and_leaves_at_q() {
    let shard = Shard::start();
    let (_proxy, port) = with_admin(&[&shard], "");
    let program = r#"
import fcntl, os, pty, select, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top", sys.argv[2]])
def size(columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
size(100)
before = termios.tcgetattr(fd)[3]
seen = b""
def until(what, holds):
    global seen
    end = time.time() + 20
    while not holds() and time.time() < end:
        if select.select([fd], [], [], 0.2)[0]:
            seen += os.read(fd, 65536)
    assert holds(), (what, seen)
def widths():
    drawn = [part.split(b"\x1b[J")[0] for part in seen.split(b"\x1b[H")[1:] if b"\x1b[J" in part]
    return [max(len(line) for line in part.replace(b"\x1b[K", b"").split(b"\r\n")) for part in drawn]
until("wide", lambda: any(width > 40 for width in widths()))
seen = b""
size(30)
until("narrow", lambda: any(0 < width <= 30 for width in widths()))
os.write(fd, b"q")
until("the end", lambda: b"\x1b[?1049l" in seen)
status = os.waitpid(pid, 0)[1]
print(status, termios.tcgetattr(fd)[3] == before)
"#;
    let address = format!("127.0.0.1:{port}");
    let output = Command::new("python3").args(["-c", program, CIRCLET, &address]).output();
    let output = output.expect("python3 is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "0 True\n", "{}", String::from_utf8_lossy(&output.stderr));
}
