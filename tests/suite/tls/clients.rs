//! Clients that people use, speaking TLS: redis-cli, redis-py, redis-rs.

use std::process::Command;

use redis::{Client, Commands, TlsCertificates};

use super::Scene;
use super::certificates::Papers;
use crate::harness::{Address, encode};
use crate::real_clients::{finished, installed, output};

fn port(scene: &Scene) -> String {
    let Address::Tcp(port) = scene.address() else { panic!("TLS needs TCP") };
    port.to_string()
}

fn cli(scene: &Scene, papers: Option<&Papers>) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port(scene), "--tls", "--cacert"]);
    command.arg(scene.authority.file());
    if let Some(papers) = papers {
        command.arg("--cert").arg(&papers.cert).arg("--key").arg(&papers.key);
    }
    command
}

#[test]
fn redis_cli() {
    let scene = Scene::on_both_sides("tls_auth_clients: optional");
    let ann = scene.authority.sign("ann", &[]);
    for papers in [None, Some(&ann)] {
        let run =
            |arguments: &[&str], input: &str| output(cli(&scene, papers).args(arguments), input);
        assert_eq!(run(&["set", "1k", "one"], ""), "OK\n");
        assert_eq!(run(&["-3", "mget", "1k", "2k"], ""), "one\n\n");
        assert_eq!(run(&["-x", "set", "big"], &"x".repeat(1 << 20)), "OK\n");
        assert_eq!(run(&["strlen", "big"], ""), "1048576\n");
        let piped: Vec<u8> =
            (0..2000).flat_map(|n| encode(&["SET", &format!("p{n}"), "v"])).collect();
        let shown = run(&["--pipe"], &String::from_utf8_lossy(&piped));
        assert!(shown.contains("errors: 0, replies: 2000"), "{shown}");
    }
}

#[test]
fn redis_cli_is_refused_without_the_certificate_that_is_wanted() {
    let scene = Scene::start("tls_auth_clients: yes");
    let ann = scene.authority.sign("ann", &[]);
    assert_eq!(output(cli(&scene, Some(&ann)).arg("ping"), ""), "PONG\n");
    let refused = finished(cli(&scene, None).arg("ping"), "");
    let told = [refused.stdout, refused.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(!told.contains("PONG") && !told.is_empty(), "{told}");
}

#[test]
fn redis_py() {
    let scene = Scene::on_both_sides("tls_auth_clients: yes");
    let ann = scene.authority.sign("ann", &[]);
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", installed("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-c", PYTHON, &port(&scene)]).arg(scene.authority.file());
    command.arg(&ann.cert).arg(&ann.key);
    assert_eq!(output(&mut command, ""), "done\n");
}

const PYTHON: &str = r#"
import sys, redis
port, ca, cert, key = sys.argv[1:]
for name in ("localhost", "127.0.0.1"):
    for protocol in (2, 3):
        r = redis.Redis(host=name, port=int(port), ssl=True, ssl_ca_certs=ca, ssl_certfile=cert,
                        ssl_keyfile=key, protocol=protocol)
        assert r.set("k", "v") and r.get("k") == b"v"
        big = bytes(range(256)) * 40000
        assert r.set("big", big) and r.get("big") == big
        with r.pipeline(transaction=False) as p:
            for n in range(3000):
                p.set(f"k{n}", n)
            assert all(p.execute())
        assert r.mget([f"k{n}" for n in range(3000)]) == [str(n).encode() for n in range(3000)]
        with r.pubsub() as s:
            s.subscribe("c")
            assert s.get_message(timeout=10)["type"] == "subscribe"
            while not r.publish("c", "m"):
                pass
            assert s.get_message(timeout=10)["data"] == b"m"
try:
    redis.Redis(port=int(port), ssl=True, ssl_ca_certs=ca).ping()
    print("served without a certificate")
except redis.ConnectionError:
    pass
print("done")
"#;

#[test]
fn redis_rs() {
    let scene = Scene::on_both_sides("");
    let ann = scene.authority.sign("ann", &[]);
    let read = |file: &std::path::Path| std::fs::read(file).expect("our own file");
    let certificates = TlsCertificates {
        client_tls: Some(redis::ClientTlsConfig {
            client_cert: read(&ann.cert),
            client_key: read(&ann.key),
        }),
        root_cert: Some(read(&scene.authority.file())),
    };
    // It takes whatever cryptography the process has chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("rediss://localhost:{}", port(&scene));
    let client = Client::build_with_tls(url, certificates).expect("a client");
    let mut connection = client.get_connection().expect("a handshake");
    let _: () = connection.set("k", "v").expect("SET");
    assert_eq!(connection.get::<_, String>("k").expect("GET"), "v");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let patient =
        redis::AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    runtime.expect("a runtime").block_on(async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&patient)
            .await
            .expect("a handshake");
        let mut pipe = redis::pipe();
        for number in 0..500 {
            pipe.cmd("INCRBY").arg(format!("{number}k")).arg(1);
        }
        let sums: Vec<usize> = pipe.query_async(&mut connection).await.expect("a pipeline");
        assert_eq!(sums, vec![1; 500]);
    });
}
