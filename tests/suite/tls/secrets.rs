//! Passwords and keys appear nowhere that is not the file they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::certificates::Authority;
use super::{Scene, pool, tls_shard, to_shards};
use crate::harness::{CIRCLET, Circlet, Proxy, encode};

/// Long enough not to occur by chance.
const PASSWORD: &str = "pass-7f3a9c-word";
const OTHERS: &str = "user-51e8d2-secret";

#[test]
fn a_password_is_in_no_log_no_reply_and_no_argument() {
    let authority = Authority::new();
    let (papers, link) = (authority.sign("shard", &["127.0.0.1"]), authority.sign("link", &[]));
    let own = authority.sign("circlet", &["localhost"]);
    let (shard, server) = tls_shard(&authority, &papers, &["--requirepass", PASSWORD]);
    let user = format!(">{OTHERS}");
    let by_pool = format!("{}\nredis_auth: {PASSWORD}", to_shards(&authority, &link));
    let by_shard = format!("{by_pool}\nauth: shard");
    for settings in [by_pool, by_shard] {
        let mut direct = shard.client();
        direct.command(&["AUTH", PASSWORD]);
        direct.command(&["ACL", "SETUSER", "ann", "on", "~*", "&*", "+@all", &user]);
        let text = pool(&authority, &own, std::slice::from_ref(&server), &settings);
        // All that the log can say.
        let proxy = Circlet::with_arguments(&text, &["-v", "11"]);
        let mut heard = everything_said(&proxy);
        // What is said of a shard that was lost.
        shard.kill9();
        heard.extend(everything_said(&proxy));
        shard.restart();
        heard.extend_from_slice(proxy.log().as_bytes());
        heard.extend_from_slice(proxy.stats().as_bytes());
        for file in ["cmdline", "environ"] {
            heard.extend(fs::read(format!("/proc/{}/{file}", proxy.pid())).expect("it runs"));
        }
        heard.extend(checked(&proxy));
        let key = fs::read_to_string(&own.key).expect("our own file");
        let key = key.lines().nth(1).expect("PEM").to_owned();
        for secret in [PASSWORD, OTHERS, &key] {
            let found = heard.windows(secret.len()).position(|window| window == secret.as_bytes());
            assert!(found.is_none(), "{}", around(&heard, found.unwrap_or(0)));
        }
        assert!(heard.windows(11).any(|window| window == b"requirepass"), "CONFIG GET answered");
    }
}

/// What circlet answers to those who ask for it all, and to those who ask wrongly.
fn everything_said(proxy: &Proxy) -> Vec<u8> {
    let mut client = proxy.client();
    let mut heard = Vec::new();
    let auths: [&[&str]; 6] = [
        &["AUTH", "wrong"],
        &["AUTH", "ann", "wrong"],
        &["HELLO", "3", "AUTH", "ann", "wrong"],
        &["AUTH", PASSWORD, "x", "y"],
        &["AUTH", PASSWORD],
        &["AUTH", "ann", OTHERS],
    ];
    let mut watcher = proxy.client();
    watcher.command(&["AUTH", PASSWORD]);
    heard.extend(format!("{:?}", watcher.command(&["MONITOR"])).into_bytes());
    for auth in auths {
        client.send(&encode(auth));
        heard.extend(client.read_reply_bytes());
    }
    client.command(&["AUTH", PASSWORD]);
    for line in [
        "INFO everything",
        "CONFIG GET *",
        "CONFIG GET requirepass",
        "CONFIG GET *auth*",
        "CLIENT LIST",
        "CLIENT INFO",
        "SLOWLOG GET 100",
        "ACL LOG",
        "NOSUCH",
        "DEBUG OBJECT nosuch",
        "MULTI",
        "CONFIG GET requirepass",
        "EXEC",
        "GET a b c",
    ] {
        client.send(&encode(&line.split(' ').collect::<Vec<_>>()));
        heard.extend(client.read_reply_bytes());
    }
    // A client that tells its password where it does not belong reads at most its own words; the
    // log must not keep them.
    let mut clumsy = proxy.client();
    clumsy.send(format!("*2\r\n$4\r\nAUTH\r\n{OTHERS}\r\n").as_bytes());
    let _ = clumsy.read_to_close();
    watcher.set_patience(std::time::Duration::from_millis(300));
    while let Ok(bytes) = watcher.try_read_reply_bytes() {
        heard.extend(bytes);
    }
    heard
}

/// What `circlet check` and `-t` say of the file, and of one that is broken at the password.
fn checked(proxy: &Proxy) -> Vec<u8> {
    let file = proxy.config_file();
    let mut told = run(&["check", &file.display().to_string()]);
    told.extend(run(&["-t", "-c", &file.display().to_string()]));
    let text = fs::read_to_string(&file).expect("our own file");
    let wrong = [
        text.replace("redis_auth:", "redis_auht:"),
        text.replace("redis_auth: ", "redis_auth: [").replace(PASSWORD, &format!("{PASSWORD}]")),
        text.replace("redis_auth: ", "redis_auth: \""),
        text.replace("redis_auth: ", "redis_auth: *"),
        text.replace("redis_auth: ", "redis_auth: !!int "),
        text.replace("redis_auth: ", "redis_auth: @"),
        text.replace("redis_auth: ", "redis_db: "),
    ];
    for (number, text) in wrong.iter().enumerate().take(6) {
        let file = proxy.directory().join(format!("wrong{number}.yml"));
        fs::write(&file, text).expect("our own directory");
        told.extend(run(&["check", &file.display().to_string()]));
    }
    let toml = proxy.directory().join("wrong.toml");
    fs::write(&toml, format!("[pool]\nredis_auth = {PASSWORD}\n")).expect("our own directory");
    told.extend(run(&["check", &toml.display().to_string()]));
    told
}

fn run(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(CIRCLET).args(arguments).output().expect("it runs");
    [output.stdout, output.stderr].concat()
}

fn around(heard: &[u8], at: usize) -> String {
    let (from, to) = (at.saturating_sub(300), (at + 100).min(heard.len()));
    String::from_utf8_lossy(&heard[from..to]).into_owned()
}

#[test]
fn files_that_others_can_read_are_warned_of_at_the_start_and_by_check() {
    let authority = Authority::new();
    let papers = authority.sign("circlet", &["localhost"]);
    let server = ["127.0.0.1:1:1".to_owned()];
    let text = pool(&authority, &papers, &server, "redis_auth: x");
    let mode = |file: &std::path::Path, mode| {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("our own file");
    };
    let proxy = Circlet::with_config(&text);
    mode(&proxy.config_file(), 0o640);
    mode(&papers.key, 0o604);
    let file = proxy.config_file().display().to_string();
    let told = String::from_utf8_lossy(&run(&["check", &file])).into_owned();
    assert!(told.contains(&format!("mode 0640): chmod 600 {file}")), "{told}");
    assert!(told.contains("the private key can be read by others (mode 0604)"), "{told}");
    mode(&proxy.config_file(), 0o600);
    mode(&papers.key, 0o600);
    let told = String::from_utf8_lossy(&run(&["check", &file])).into_owned();
    assert!(!told.contains("can be read by others"), "{told}");
    // Without a secret it is anybody's to read.
    let open = pool(&authority, &papers, &server, "");
    fs::write(&file, open).expect("our own file");
    mode(&proxy.config_file(), 0o644);
    let told = String::from_utf8_lossy(&run(&["check", &file])).into_owned();
    assert!(!told.contains("can be read by others"), "{told}");
    mode(&papers.key, 0o644);
    let scene = Circlet::with_config(&text);
    scene.expect_log("the private key can be read by others (mode 0644)");
}

#[test]
fn a_certificate_of_a_scene_is_as_an_operator_has_it() {
    let scene = Scene::start("");
    assert!(!scene.proxy.log().contains("can be read by others"), "{}", scene.proxy.log());
}
