//! Protected mode: pools without a password serve their own networks alone.
//!
//! The test plays in a network namespace of its own, whose loopback device has a public address.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::say;
use crate::harness::{Circlet, PATIENCE, Proxy, Reply, Shard, pool_yaml};

/// An address that documentation uses and nobody has.
const PUBLIC: &str = "203.0.113.7";
const INSIDE: &str = "CIRCLET_TEST_INSIDE_NAMESPACE";

#[test]
fn strangers_from_public_addresses_are_refused_while_nobody_needs_a_password() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let name = "access::protected::strangers_from_public_addresses_are_refused_while_nobody_needs_a_password";
    let script = format!(
        "ip link set lo up && ip addr add {PUBLIC}/32 dev lo || {{ echo NO-NAMESPACE; exit 0; }}; \
         exec \"$0\" --exact --nocapture {name}"
    );
    let program = std::env::current_exe().expect("a running program");
    let mut command = Command::new("unshare");
    command.args(["--net", "--map-root-user", "sh", "-c", &script]).arg(program).env(INSIDE, "1");
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return println!("skipped: there is no unshare to start: {error}"),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("unshare failed") || told.contains("NO-NAMESPACE") {
        return println!("skipped: no network namespace is to be had here: {errors}");
    }
    assert!(output.status.success() && told.contains(" 1 passed"), "{told}{errors}");
}

fn inside() {
    let (open, locked) = (Shard::start(), Shard::with(&["--requirepass", "secret"]));
    let proxy = |shard: &Shard, settings: &str| {
        let text = pool_yaml("pool", &[shard.server(1, None)], settings);
        Circlet::with_config(&text.replace("listen: 127.0.0.1", "listen: 0.0.0.0"))
    };
    let denied = "-DENIED circlet is running in protected mode";
    let open_user = "users: [\"default on nopass ~* +@all\", \"ann on >x ~* +@all\"]";
    for settings in ["auth: pool", "", "auth: shard", open_user] {
        let proxy = proxy(&open, settings);
        assert_eq!(say(&mut proxy.client(), "SET k v"), Reply::ok(), "{settings}");
        for command in ["PING\r\n", "GET k\r\n", "HELLO 3\r\n"] {
            let reply = ask(&proxy, command);
            assert!(reply.starts_with(denied), "{settings}, {command}: {reply}");
        }
    }
    let trusting = proxy(&open, "protected_mode: false");
    assert_eq!(ask(&trusting, "PING\r\n"), "+PONG\r\n");
    // Who has to say a password is asked for it, and let in with it.
    for (shard, settings) in [
        (&locked, "redis_auth: secret"),
        (&locked, ""),
        (&open, "users: [\"default on >secret ~* +@all\"]"),
    ] {
        let proxy = proxy(shard, settings);
        let reply = ask(&proxy, "PING\r\n");
        assert_eq!(reply, "-NOAUTH Authentication required.\r\n", "{settings}");
        assert_eq!(ask(&proxy, "AUTH secret\r\nPING\r\n"), "+OK\r\n+PONG\r\n", "{settings}");
    }
    // Its heartbeats say a password, so that a client is the first to find out that none is needed.
    let heartbeats = proxy(&open, "auth: shard\nredis_auth: unused");
    assert!(ask(&heartbeats, "GET k\r\n").starts_with(denied));
}

/// What a client from the public address reads in answer to these lines.
fn ask(proxy: &Proxy, lines: &str) -> String {
    let port = proxy.address().to_string();
    let port = port.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let mut stream = TcpStream::connect((PUBLIC, port)).expect("the namespace has the address");
    assert_eq!(stream.local_addr().expect("connected").ip().to_string(), PUBLIC);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    // Who is not to be served may be told so and closed before this arrives.
    std::thread::sleep(Duration::from_millis(50));
    let _ = stream.write_all(lines.as_bytes());
    let (mut reply, wanted) = (Vec::new(), lines.matches('\n').count());
    let mut byte = [0];
    while reply.iter().filter(|&&byte| byte == b'\n').count() < wanted {
        match stream.read(&mut byte) {
            Ok(1) => reply.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&reply).into_owned()
}
