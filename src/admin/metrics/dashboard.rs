//! The dashboard of examples/grafana/circlet.json: a panel for each metric, in a row for what it is
//! of. For Grafana 10 and later.

use serde_json::{Value as Json, json as object};

use super::declared::{From, Kind, METRICS, Metric};

/// The dashboard as Grafana imports it; it asks for the Prometheus to read from.
pub fn dashboard() -> Json {
    let mut panels = Vec::new();
    let mut at = 0;
    for (title, belongs) in ROWS {
        panels.push(object!({
            "id": panels.len() + 1, "type": "row", "title": title, "collapsed": false,
            "gridPos": { "x": 0, "y": at, "w": WIDTH, "h": 1 }, "panels": [],
        }));
        at += 1;
        let shown = METRICS.iter().filter(|metric| belongs(&metric.from) && is_shown(metric));
        for (place, metric) in shown.enumerate() {
            let column = place % COLUMNS;
            if column == 0 && place > 0 {
                at += HEIGHT;
            }
            let place = object!({
                "x": column * WIDTH / COLUMNS, "y": at, "w": WIDTH / COLUMNS, "h": HEIGHT,
            });
            panels.push(panel(metric, panels.len() + 1, place));
        }
        at += HEIGHT;
    }
    object!({
        "title": "circlet",
        "uid": "circlet",
        "description": "A sharding proxy for Redis. Proxy time and shard time are told apart.",
        "tags": ["circlet", "redis"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "__inputs": [{
            "name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource",
            "pluginId": "prometheus", "pluginName": "Prometheus",
        }],
        "__requires": [
            { "type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.0.0" },
            { "type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0" },
            { "type": "panel", "id": "timeseries", "name": "Time series", "version": "" },
        ],
        "templating": { "list": [variable("instance", "circlet_build_info"),
                                 variable("pool", "circlet_pool_shards")] },
        "panels": panels,
    })
}

/// The file's text.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&dashboard());
    text.expect("a value of strings and numbers is JSON") + "\n"
}

type Row = (&'static str, fn(&From) -> bool);

const ROWS: [Row; 4] = [
    ("Shards", |from| matches!(from, From::Shard(_) | From::ShardBy(..) | From::ShardTimes(_))),
    ("Commands", |from| matches!(from, From::Family(_) | From::FamilyTimes(_))),
    ("Clients and pools", |from| matches!(from, From::Pool(_) | From::PoolBy(..))),
    ("Process", |from| matches!(from, From::Build | From::Process(_) | From::Returns)),
];

/// A moment, or a version, makes no curve.
fn is_shown(metric: &Metric) -> bool {
    let moment = ["_timestamp_seconds", "_start_time_seconds"];
    !matches!(metric.from, From::Build) && !moment.iter().any(|end| metric.name.ends_with(end))
}

fn panel(metric: &Metric, id: usize, place: Json) -> Json {
    object!({
        "id": id,
        "type": "timeseries",
        "title": title(metric),
        "description": metric.help,
        "datasource": source(),
        "gridPos": place,
        "fieldConfig": {
            "defaults": { "unit": unit(metric), "min": 0, "custom": { "fillOpacity": 5 } },
            "overrides": [],
        },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets(metric),
    })
}

fn targets(metric: &Metric) -> Vec<Json> {
    let (name, labels) = (metric.name, metric.labels());
    let chosen = match labels.contains(&"pool") {
        true => "{instance=~\"$instance\",pool=~\"$pool\"}",
        false => "{instance=~\"$instance\"}",
    };
    let by = labels.iter().map(|label| format!(",{label}")).collect::<String>();
    let legend = labels.iter().map(|label| format!(" {{{{{label}}}}}")).collect::<String>();
    let target = |id: &str, expression: String, legend: String| {
        object!({
            "refId": id, "datasource": source(), "expr": expression,
            "legendFormat": legend, "range": true,
        })
    };
    let all = format!("{{{{instance}}}}{legend}");
    match metric.kind {
        Kind::Gauge => vec![target("A", format!("{name}{chosen}"), all)],
        Kind::Counter => {
            let rate = format!("rate({name}{chosen}[$__rate_interval])");
            vec![target("A", format!("sum by (instance{by}) ({rate})"), all)]
        }
        Kind::Histogram => [("A", "0.5", "p50"), ("B", "0.99", "p99")]
            .into_iter()
            .map(|(id, part, shown)| {
                let rate = format!("rate({name}_bucket{chosen}[$__rate_interval])");
                let sum = format!("sum by (le{by}) ({rate})");
                target(id, format!("histogram_quantile({part}, {sum})"), format!("{shown}{legend}"))
            })
            .collect(),
    }
}

fn variable(label: &str, metric: &str) -> Json {
    let query = format!("label_values({metric}, {label})");
    object!({
        "name": label, "label": label, "type": "query", "datasource": source(),
        "definition": query, "query": { "query": query, "refId": "variable" },
        "includeAll": true, "multi": true, "allValue": ".*", "refresh": 2, "sort": 1,
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
    })
}

fn source() -> Json {
    object!({ "type": "prometheus", "uid": "${DS_PROMETHEUS}" })
}

fn unit(metric: &Metric) -> &'static str {
    match (metric.kind, metric.unit()) {
        (Kind::Counter, Some("bytes")) => "Bps",
        // Seconds of CPU time in a second.
        (Kind::Counter, Some("seconds")) | (_, Some("ratio")) => "percentunit",
        (Kind::Counter, _) => "ops",
        (_, Some("bytes")) => "bytes",
        (_, Some("seconds")) => "s",
        _ => "short",
    }
}

/// `circlet_shard_requests_total` is "Shard requests".
fn title(metric: &Metric) -> String {
    let name = metric.name.strip_prefix("circlet_").unwrap_or(metric.name);
    let name = name.strip_suffix("_total").unwrap_or(name);
    let unit = metric.unit().map(|unit| format!("_{unit}")).unwrap_or_default();
    let mut title = name.strip_suffix(&unit).unwrap_or(name).replace('_', " ");
    title[..1].make_ascii_uppercase();
    title
}

const WIDTH: usize = 24;
const COLUMNS: usize = 3;
const HEIGHT: usize = 8;
