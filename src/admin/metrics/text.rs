//! The text that Prometheus reads: format 0.0.4, and OpenMetrics 1.0, which differ in little.

use std::fmt::Write;

use super::declared::{Kind, METRICS, Metric};
use super::reading::Reading;
use super::sample::{Sample, Value, samples};
use crate::admin::histogram::{Distribution, bound};

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus's own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Dialect {
    /// The one that a reader who says `accept` wants.
    pub fn accepted(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics.
pub fn text(reading: &Reading, dialect: Dialect) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let samples = samples(metric, reading);
        // One that has no samples yet is left out, but for its name in the docs.
        if !samples.is_empty() {
            write_head(&mut text, metric, dialect);
            samples.iter().for_each(|sample| write_sample(&mut text, metric.name, sample));
        }
    }
    if dialect == Dialect::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_head(text: &mut String, metric: &Metric, dialect: Dialect) {
    // In OpenMetrics a counter's name is that of its family, which has no `_total`.
    let name = match dialect {
        Dialect::Prometheus => metric.name,
        Dialect::OpenMetrics => metric.name.strip_suffix("_total").unwrap_or(metric.name),
    };
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
    if let (Dialect::OpenMetrics, Some(unit)) = (dialect, metric.unit()) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    match &sample.value {
        Value::Number(number) => {
            let _ = writeln!(text, "{name}{} {number}", Labels(sample, None));
        }
        Value::Times(times) => write_times(text, name, sample, times),
    }
}

fn write_times(text: &mut String, name: &str, sample: &Sample, times: &Distribution) {
    let mut below = 0;
    for (index, count) in times.buckets.iter().enumerate() {
        below += count;
        let bound = match bound(index) {
            bound if bound.is_finite() => bound.to_string(),
            _ => "+Inf".to_owned(),
        };
        let _ = writeln!(text, "{name}_bucket{} {below}", Labels(sample, Some(&bound)));
    }
    let labels = Labels(sample, None);
    let _ = write!(text, "{name}_sum{labels} {}\n{name}_count{labels} {below}\n", times.seconds());
}

/// The labels of a sample in braces, with a bucket's bound where there is one.
struct Labels<'a>(&'a Sample, Option<&'a str>);

impl std::fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let own = self.0.labels.iter().map(|(name, value)| (*name, &**value));
        let mut separator = '{';
        for (name, value) in own.chain(self.1.map(|bound| ("le", bound))) {
            write!(f, "{separator}{name}=\"{}\"", escaped(value))?;
            separator = ',';
        }
        if separator == ',' { f.write_char('}') } else { Ok(()) }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: Value) -> Sample {
        Sample { labels: vec![("pool", "a\"\\\n".into())], value }
    }

    #[test]
    fn values_of_labels_are_escaped() {
        let mut text = String::new();
        write_sample(&mut text, "name", &sample(Value::Number(3.0)));
        write_sample(&mut text, "name", &Sample { labels: vec![], value: Value::Number(0.5) });
        assert_eq!(text, "name{pool=\"a\\\"\\\\\\n\"} 3\nname 0.5\n");
    }

    #[test]
    fn buckets_count_all_that_is_not_longer() {
        let mut times = Distribution::default();
        (times.buckets[0], times.buckets[2], times.micros) = (2, 1, 250);
        let mut text = String::new();
        write_times(&mut text, "t", &sample(Value::Times(Box::default())), &times);
        let lines: Vec<&str> = text.lines().map(|line| line.rsplit_once('{').unwrap().1).collect();
        assert!(lines[0].ends_with("le=\"0.00005\"} 2"), "{}", lines[0]);
        assert!(lines[1].ends_with("le=\"0.0001\"} 2") && lines[2].ends_with("le=\"0.0002\"} 3"));
        assert!(lines[19].ends_with("le=\"+Inf\"} 3"), "{}", lines[19]);
        assert!(lines[20].ends_with("} 0.00025") && lines[21].ends_with("} 3"));
    }
}
