//! Spans of sampled requests, as a collector of OpenTelemetry gets them: built with the feature
//! `otel` only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::harness::{PATIENCE, Proxy, Shard, pool_yaml};

/// A collector as small as OTLP over HTTP allows: its port, and the bodies that it got.
fn collector() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let (mut line, mut length, mut header) = (String::new(), 0, String::new());
            while stream.read_line(&mut line).expect("a header") > 2 {
                let lower = line.to_ascii_lowercase();
                if let Some(digits) = lower.strip_prefix("content-length:") {
                    length = digits.trim().parse().expect("a length");
                }
                header += &line;
                line.clear();
            }
            assert!(header.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{header}");
            assert!(header.contains("Content-Type: application/json\r\n"), "{header}");
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            stream.get_mut().write_all(answer).expect("it reads");
            if sender.send(serde_json::from_slice(&body).expect("JSON")).is_err() {
                return;
            }
        }
    });
    (port, bodies)
}

/// An attribute's value, of whichever type.
fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let attributes = span["attributes"].as_array().expect("attributes");
    let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str())
}

#[test]
fn a_sampled_request_is_a_trace_of_two_spans() {
    let shard = Shard::start();
    let (port, bodies) = collector();
    let text = pool_yaml("alpha", &[shard.server(1, Some("one"))], "");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let settings = folder.path().join("circlet.toml");
    let endpoint = format!("otel_endpoint = \"http://127.0.0.1:{port}\"\naccess_log_sample = 1\n");
    std::fs::write(&settings, endpoint).expect("a file in our own directory");
    let settings = settings.to_str().expect("our own name");
    let proxy: Proxy =
        crate::harness::Circlet::with_arguments(&text, &["--threads", "1", "--settings", settings]);
    let mut client = proxy.client();
    client.pipeline(&[vec!["SET", "k", "1"], vec!["LPUSH", "k", "x"], vec!["PING"]]);
    let mut spans: Vec<Value> = Vec::new();
    while spans.len() < 5 {
        let body = bodies.recv_timeout(PATIENCE).expect("spans come");
        let resource = &body["resourceSpans"][0];
        assert_eq!(attribute(&resource["resource"], "service.name"), Some("circlet"));
        let more = resource["scopeSpans"][0]["spans"].as_array().expect("spans");
        spans.extend(more.iter().cloned());
    }
    assert_eq!(spans.len(), 5, "two for each that asked the shard");
    let named = |name: &str, kind: u64| {
        let found = spans.iter().find(|span| span["name"] == name && span["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {name} of kind {kind} in {spans:?}"))
    };
    let (here, there) = (named("SET", 2), named("SET", 3));
    assert_eq!((&here["traceId"], &here["spanId"]), (&there["traceId"], &there["parentSpanId"]));
    let lengths = ["traceId", "spanId"].map(|id| here[id].as_str().map(str::len));
    assert_eq!(lengths, [Some(32), Some(16)]);
    assert_eq!(attribute(there, "db.system.name"), Some("redis"));
    assert_eq!(attribute(there, "db.operation.name"), Some("SET"));
    let address = shard.address().to_string();
    let (host, shard_port) = address.rsplit_once(':').expect("a port");
    assert_eq!(attribute(there, "server.address"), Some(host));
    assert_eq!(attribute(there, "server.port"), Some(shard_port));
    let nanos = |span: &Value, name: &str| -> u64 {
        span[name].as_str().and_then(|digits| digits.parse().ok()).expect("digits as text")
    };
    let (start, end) = ("startTimeUnixNano", "endTimeUnixNano");
    assert!(nanos(here, start) <= nanos(there, start) && nanos(there, end) <= nanos(here, end));
    let wrong = named("LPUSH", 3);
    assert_eq!(wrong["status"]["code"], 2, "{wrong}");
    assert_eq!(attribute(wrong, "error.type"), Some("WRONGTYPE"));
    assert!(spans.iter().all(|span| span["name"] != "PING" || span["kind"] == 2));
}
