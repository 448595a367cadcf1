//! docs/metrics.md.

use super::declared::{Kind, METRICS};

/// The page, with a table of all metrics.
pub fn markdown() -> String {
    let rows: String = METRICS
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> =
                metric.labels().iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help)
        })
        .collect();
    format!("{HEAD}\n| name | kind | labels | what |\n|---|---|---|---|\n{rows}{FOOT}")
}

const HEAD: &str = include_str!("reference_head.md");
const FOOT: &str = include_str!("reference_foot.md");
