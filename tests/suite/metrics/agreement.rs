//! Every form says the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{Metrics, named, over_servers, scrape};
use crate::harness::{Proxy, Shard, ask, get, say};
use crate::real_clients::output;

fn busy() -> (Vec<Shard>, Proxy, u16) {
    let shards = Shard::several(2);
    // A name may hold anything but blanks.
    let servers = [named(&shards[0], "a\"quote"), named(&shards[1], "back\\slash")];
    let (circlet, port) = over_servers(&servers, "");
    let mut client = circlet.client();
    for key in 0..50 {
        say(&mut client, &format!("SET {key} v"));
        say(&mut client, &format!("LPUSH {key} v"));
    }
    (shards, circlet, port)
}

#[test]
fn json_has_what_the_text_has() {
    let (_shards, _circlet, port) = busy();
    let (text, json) = (scrape(port), get(port, "/metrics.json"));
    assert!(json.header.to_lowercase().contains("content-type: application/json"));
    let json: serde_json::Value = serde_json::from_str(&json.body).expect("it is JSON");
    let metrics = json["metrics"].as_object().expect("metrics by name");
    let names: BTreeSet<&str> = text.all().map(|(series, _)| name_of(series)).collect();
    let theirs: BTreeSet<&str> = metrics
        .iter()
        .filter(|(_, metric)| metric["samples"].as_array().is_some_and(|found| !found.is_empty()))
        .map(|(name, _)| &name[..])
        .collect();
    assert_eq!(names, theirs);
    let string = metrics["circlet_commands_total"]["samples"].as_array().expect("samples");
    let string = string.iter().find(|sample| sample["labels"]["family"] == "string").expect("SET");
    assert_eq!(string["value"], 50);
    let times = &metrics["circlet_command_shard_seconds"]["samples"][0];
    assert!(times["p50"].as_f64() <= times["p99"].as_f64() && times["count"].as_u64() > Some(0));
}

/// The metric of a series: buckets, sums and counts are its histogram's.
fn name_of(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or_default();
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    histogram.filter(|name| name.ends_with("_seconds")).unwrap_or(name)
}

#[test]
fn who_accepts_openmetrics_gets_it_and_a_second_reader_understands_both() {
    let (_shards, _circlet, port) = busy();
    let text = get(port, "/metrics");
    assert!(text.header.contains("text/plain; version=0.0.4"), "{}", text.header);
    let accept = "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n";
    let open = ask(port, "GET", "/metrics", accept);
    assert!(open.header.contains("application/openmetrics-text; version=1.0.0"), "{}", open.header);
    assert!(open.body.ends_with("# EOF\n"));
    for (module, page) in [("parser", &text.body), ("openmetrics.parser", &open.body)] {
        let program = format!(
            "import sys\nfrom prometheus_client.{module} import text_string_to_metric_families as f\n\
             print(sum(len(m.samples) for m in f(sys.stdin.read())))"
        );
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python");
        let counted =
            output(Command::new("python3").env("PYTHONPATH", library).args(["-c", &program]), page);
        let samples = page.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(counted.trim(), samples.to_string(), "{module}");
    }
}

#[test]
fn info_tells_the_metrics_of_the_pool_to_who_asks() {
    let (_shards, circlet, port) = busy();
    let mut client = circlet.client();
    let usual = String::from_utf8_lossy(say(&mut client, "INFO").bytes()).into_owned();
    assert!(!usual.contains("# proxy"), "only for who asks: it is long");
    let info = String::from_utf8_lossy(say(&mut client, "INFO proxy").bytes()).into_owned();
    assert!(info.starts_with("# proxy\r\n") && !info.contains("redis_version"), "{info}");
    let metrics: Metrics = scrape(port);
    let line = |name: &str| {
        let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
    };
    assert_eq!(line("client_connections"), "1");
    let accepted = metrics.of("circlet_client_connections_accepted_total{pool=\"pool\"}");
    assert_eq!(line("client_connections_accepted_total"), accepted.to_string());
    assert!(line("family_string").contains("commands_total=50,"), "{info}");
    assert!(line("family_list").contains("command_errors_total=50,"), "{info}");
    assert!(line("shard0").starts_with("name=a\"quote,shard_up=1,"), "{info}");
    let everything =
        String::from_utf8_lossy(say(&mut client, "INFO everything").bytes()).into_owned();
    assert!(everything.contains("# proxy\r\n") && everything.contains("redis_version"));
}

#[test]
fn the_pages_are_read_and_not_written() {
    let (_shards, _circlet, port) = busy();
    for path in ["/metrics", "/metrics.json", "/readyz"] {
        assert_eq!(ask(port, "POST", path, "").status, 405, "{path}");
        let head = ask(port, "HEAD", path, "");
        assert_eq!((head.status, &head.body[..]), (200, ""), "{path}");
    }
}
