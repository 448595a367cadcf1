//! The page of docs and the dashboard are made from the declarations. `CIRCLET_WRITE_DOCS=1` writes
//! them anew.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use circlet::admin::metrics::{METRICS, dashboard, markdown};

#[track_caller]
fn is_written(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("CIRCLET_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, text).expect("the file is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{file} is not what the declarations say; write it anew with \
         CIRCLET_WRITE_DOCS=1 cargo test --test suite metrics::documented"
    );
}

#[test]
fn the_page_of_docs_is_that_of_the_declarations() {
    is_written("docs/metrics.md", &markdown());
}

#[test]
fn the_dashboard_is_that_of_the_declarations() {
    let text = dashboard();
    is_written("examples/grafana/circlet.json", &text);
    let tree: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = tree["panels"].as_array().expect("panels");
    let ids: HashSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    let mut places = HashSet::new();
    for panel in panels {
        let at = &panel["gridPos"];
        assert!(places.insert((at["x"].as_u64(), at["y"].as_u64())), "one upon another: {panel}");
    }
    for metric in METRICS {
        let moment = metric.name.ends_with("_timestamp_seconds")
            || ["circlet_build_info", "process_start_time_seconds"].contains(&metric.name);
        assert!(moment || text.contains(metric.name), "{} is shown", metric.name);
    }
}

#[test]
fn names_follow_the_conventions() {
    let mut names = HashSet::new();
    for metric in METRICS {
        assert!(names.insert(metric.name), "{} is declared twice", metric.name);
        assert!(metric.name.starts_with("circlet_") || metric.name.starts_with("process_"));
        assert!(metric.help.len() > 10 && !metric.help.ends_with('.'), "{}", metric.name);
        for part in ["milliseconds", "microseconds", "_ms", "_us", "percent", "kilobytes"] {
            assert!(!metric.name.contains(part), "{}: base units", metric.name);
        }
    }
}
