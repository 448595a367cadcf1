//! All metrics as JSON, for the page and for scripts.

use serde_json::{Map, Value as Json, json as object};

use super::declared::{Kind, METRICS, Metric};
use super::reading::Reading;
use super::sample::{Sample, Value, samples};
use crate::admin::histogram::{Distribution, bound};

/// `{"metrics": {NAME: {"kind", "help", "samples": [{"labels": {…}, "value": N}]}}}`; a histogram's
/// sample has `count`, `sum`, `p50`, `p90`, `p99` (upper bounds, in seconds; `null` when there was
/// nothing, or no bound) and `buckets`: pairs of bound and count, not added up.
pub fn json(reading: &Reading) -> Json {
    let told = METRICS.iter().map(|metric| (metric.name.to_owned(), told(metric, reading)));
    object!({ "metrics": told.collect::<Map<_, _>>() })
}

fn told(metric: &Metric, reading: &Reading) -> Json {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let samples: Vec<Json> = samples(metric, reading).iter().map(sample).collect();
    object!({ "kind": kind, "help": metric.help, "samples": samples })
}

fn sample(sample: &Sample) -> Json {
    let named =
        sample.labels.iter().map(|(name, value)| ((*name).to_owned(), Json::from(&**value)));
    let labels: Map<_, _> = named.collect();
    match &sample.value {
        Value::Number(number) => object!({ "labels": labels, "value": plain(*number) }),
        Value::Times(times) => {
            let mut told = histogram(times);
            told.insert("labels".into(), labels.into());
            told.into()
        }
    }
}

fn histogram(times: &Distribution) -> Map<String, Json> {
    let quantile = |part| times.quantile(part).filter(|bound| bound.is_finite());
    let buckets = times.buckets.iter().enumerate().map(|(index, count)| {
        let bound = Some(bound(index)).filter(|bound| bound.is_finite());
        object!([bound, count])
    });
    let told = [
        ("count", times.count().into()),
        ("sum", times.seconds().into()),
        ("p50", quantile(0.5).into()),
        ("p90", quantile(0.9).into()),
        ("p99", quantile(0.99).into()),
        ("buckets", buckets.collect()),
    ];
    told.map(|(name, value): (&str, Json)| (name.to_owned(), value)).into_iter().collect()
}

/// A whole number without a point.
fn plain(number: f64) -> Json {
    match number.fract() == 0.0 && number.abs() < WHOLE {
        true => Json::from(number as i64),
        false => Json::from(number),
    }
}

/// Up to here a floating point number holds every whole one.
const WHOLE: f64 = (1_u64 << 53) as f64;
